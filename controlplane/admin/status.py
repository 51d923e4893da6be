"""Status of registrations, as the StatusService says it.

In: a topology, the problems there are, how far proxies are, what is withheld from them. Out: the response. Law: sorted
by name and place, so equal states are equal bytes; no secret is in any input, so none is in the output.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from controlplane.admin import faults, removals
from controlplane.admin.faults import Fault
from controlplane.api.v1 import status_pb2
from controlplane.model.apiservice import Condition, ConditionStatus, GroupVersion
from controlplane.model.problem import Problem
from controlplane.model.proxy import Proxy
from controlplane.model.resource import ResourceName
from controlplane.model.topology import Api, Endpoint, Topology
from controlplane.translation import routes, serving

_PROGRAMMED: Final = Condition(ConditionStatus.TRUE, "Programmed", "no proxy rejects any of it")
_NO_PROXIES: Final = Condition(ConditionStatus.UNKNOWN, "NoProxies", "no proxy is connected")


def response(
    topology: Topology,
    problems: Iterable[Problem],
    proxies: Collection[Proxy],
    withheld: Iterable[removals.Withheld],
) -> status_pb2.GetStatusResponse:
    """The status of everything registered, of everything that could not be, and of what proxies do not take."""
    found = faults.faults(proxies)
    by_api, others = _attributed(topology, found)
    healthy = _PROGRAMMED if proxies else _NO_PROXIES
    apis = sorted(topology.apis.values(), key=lambda api: api.service.name)
    wrong = [*problems, *(fault.problem() for fault in others), *removals.problems(withheld)]
    return status_pb2.GetStatusResponse(
        generation=topology.generation,
        api_services=(_api_service(api, topology, by_api.get(api.service.group_version, ()), healthy) for api in apis),
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


def _attributed(topology: Topology, found: Sequence[Fault]) -> tuple[Mapping[GroupVersion, list[Fault]], list[Fault]]:
    """The faults by the group-versions that they harm, and those of resources that serve no group-version."""
    if not found:
        return {}, []
    by_key: dict[ResourceName, list[Fault]] = {}
    for fault in found:
        by_key.setdefault(fault.key, []).append(fault)
    by_api: dict[GroupVersion, list[Fault]] = {}
    serves = set[ResourceName]()
    for group_version, api in topology.apis.items():
        for key in serving.resources(api):
            if key in by_key:
                by_api.setdefault(group_version, []).extend(by_key[key])
                serves.add(key)
    return by_api, [fault for fault in found if fault.key not in serves]


def _api_service(
    api: Api, topology: Topology, found: Sequence[Fault], healthy: Condition
) -> status_pb2.ApiServiceStatus:
    reference = api.service.service
    backend = topology.backends.get(api.backend) if api.backend else None
    available, programmed = _conditions(api, found, healthy)
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


def _conditions(api: Api, found: Sequence[Fault], healthy: Condition) -> tuple[Condition, Condition]:
    """Available and Programmed."""
    if not found:
        return api.condition, healthy
    scope = routes.api_name(api.service.group_version)
    message = "; ".join(fault.sentence(scope) for fault in found)
    programmed = Condition(ConditionStatus.FALSE, "Rejected", message)
    # What is unavailable anyway keeps its own reason: that is what to mend first.
    if api.condition.available and any(fault.lacking and not fault.serving(scope) for fault in found):
        return Condition(ConditionStatus.FALSE, "NotProgrammed", message), programmed
    return api.condition, programmed


def _place(endpoint: Endpoint) -> str:
    return f"[{endpoint.address}]:{endpoint.port}" if ":" in endpoint.address else f"{endpoint.address}:{endpoint.port}"
