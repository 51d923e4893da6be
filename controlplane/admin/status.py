"""Status of registrations, as the StatusService says it.

In: a topology, the problems there are, how far proxies are, what is withheld from them. Out: the response. Law: sorted
by name and place, so equal states are equal bytes; no secret is in any input, so none is in the output.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from controlplane.admin import removals
from controlplane.admin.conditions import Standing, Taken
from controlplane.admin.faults import Fault
from controlplane.api.v1 import status_pb2
from controlplane.model.apiservice import Condition
from controlplane.model.problem import Problem
from controlplane.model.proxy import Proxy
from controlplane.model.topology import Api, Endpoint, Topology


def response(
    topology: Topology,
    problems: Iterable[Problem],
    proxies: Collection[Proxy],
    withheld: Iterable[removals.Withheld],
) -> status_pb2.GetStatusResponse:
    """The status of everything registered, of everything that could not be, and of what proxies do not take."""
    standing = Standing(topology, lambda: Taken.by(proxies))
    apis = sorted(topology.apis.values(), key=lambda api: api.service.name)
    wrong = [*problems, *(fault.problem() for fault in _serving_none(standing, apis)), *removals.problems(withheld)]
    return status_pb2.GetStatusResponse(
        generation=topology.generation,
        api_services=(_api_service(api, topology, *standing.conditions(api)) for api in apis),
        problems=(
            status_pb2.Problem(
                path=problem.origin.path,
                document=problem.origin.document,
                subject=problem.subject,
                field=problem.field,
                message=problem.message,
                remedy=problem.remedy,
            )
            for problem in sorted(wrong)
        ),
    )


def _serving_none(standing: Standing, apis: Iterable[Api]) -> list[Fault]:
    """The faults of resources that serve no group-version."""
    if not standing.taken.faults:
        return []
    serving = {fault.key for api in apis for fault in standing.harming(api)}
    return [fault for fault in standing.taken.faults if fault.key not in serving]


def _api_service(
    api: Api, topology: Topology, available: Condition, programmed: Condition
) -> status_pb2.ApiServiceStatus:
    reference = api.service.service
    backend = topology.backends.get(api.backend) if api.backend else None
    return status_pb2.ApiServiceStatus(
        name=api.service.name,
        service=f"{reference.namespace}/{reference.name}" if reference else "Local",
        available=available.status.value,
        reason=available.reason,
        message=available.message,
        programmed=programmed.status.value,
        programmed_reason=programmed.reason,
        programmed_message=programmed.message,
        endpoints=[_place(endpoint) for endpoint in backend.endpoints] if backend else [],
    )


def _place(endpoint: Endpoint) -> str:
    return f"[{endpoint.address}]:{endpoint.port}" if ":" in endpoint.address else f"{endpoint.address}:{endpoint.port}"
