"""Status of registrations, as the StatusService says it.

In: a topology and the problems there are. Out: the response. Law: sorted by name and place, so equal states are equal
bytes; no secret is in either input, so none is in the output.
"""

from __future__ import annotations

from collections.abc import Iterable

from controlplane.api.v1 import status_pb2
from controlplane.model.problem import Problem
from controlplane.model.topology import Api, Endpoint, Topology


def response(topology: Topology, problems: Iterable[Problem]) -> status_pb2.GetStatusResponse:
    """The status of everything registered and of everything that could not be."""
    apis = sorted(topology.apis.values(), key=lambda api: api.service.name)
    return status_pb2.GetStatusResponse(
        generation=topology.generation,
        api_services=(_api_service(api, topology) for api in apis),
        problems=(
            status_pb2.Problem(
                path=problem.origin.path,
                document=problem.origin.document,
                subject=problem.subject,
                field=problem.field,
                message=problem.message,
                remedy=problem.remedy,
            )
            for problem in sorted(problems)
        ),
    )


def _api_service(api: Api, topology: Topology) -> status_pb2.ApiServiceStatus:
    reference = api.service.service
    backend = topology.backends.get(api.backend) if api.backend else None
    return status_pb2.ApiServiceStatus(
        name=api.service.name,
        service=f"{reference.namespace}/{reference.name}" if reference else "Local",
        available=api.condition.status.value,
        reason=api.condition.reason,
        message=api.condition.message,
        endpoints=[_place(endpoint) for endpoint in backend.endpoints] if backend else [],
    )


def _place(endpoint: Endpoint) -> str:
    return f"[{endpoint.address}]:{endpoint.port}" if ":" in endpoint.address else f"{endpoint.address}:{endpoint.port}"
