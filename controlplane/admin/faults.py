"""What proxies rejected, and what they hold in its place.

In: how far every proxy is. Out: faults, and what there is to say about them. Law: causes are told in Envoy's own
words; the work follows what is out of step, and stops at a limit when that is much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Final

from controlplane.model.problem import Origin, Problem
from controlplane.model.proxy import Proxy
from controlplane.model.resource import CLUSTER, SCOPED_ROUTE, ResourceName
from controlplane.translation import names

_OutOfStep = Mapping[ResourceName, bool]
"""What one proxy does not hold as it shall: True when it holds something older of the name."""

_PROXIES: Final = Origin("proxies")
# A thousand proxies that have just connected lack ten thousand names each; counting them all would hold up requests.
_LOOKED_AT_MOST: Final = 20_000

_SENT_AT_ONCE: Final = "what is in it then is sent at once"
_REMEDIES: Final = MappingProxyType(
    {
        names.SERVING_SECRET: f"mend the files of frontDoor.certificateFile and privateKeyFile; {_SENT_AT_ONCE}",
        # Envoy is given both as one bundle, and does not say in which part of it the fault is.
        names.CLIENT_CA_SECRET: (
            "mend the file of frontDoor.clientCAFile, or that of authentication.requestHeader.clientCAFile where it is "
            f"set; {_SENT_AT_ONCE}"
        ),
        names.FRONT_PROXY_SECRET: f"mend the files of frontProxy.certificateFile and privateKeyFile; {_SENT_AT_ONCE}",
        names.SYSTEM_ROOTS_SECRET: f"mend the file of systemRootsFile; {_SENT_AT_ONCE}",
        names.CORE_CLUSTER: "mend the settings under core, and the file of core.caFile",
    }
)
_NO_REMEDY: Final = "see whether that Envoy is of a version that is supported; if it is, please report this sentence"


@dataclass(frozen=True, slots=True)
class Fault:
    """One resource that some proxies do not get because it was rejected for `reason`.

    `lacking` are those proxies, without the ones that were too far behind to be looked at.
    """

    key: ResourceName
    reason: str
    lacking: tuple[_OutOfStep, ...]

    @property
    def subject(self) -> str:
        """Kind and name."""
        return f"{self.key.type_url.rpartition('.')[2]} {self.key.name}"

    def serving(self, scope: ResourceName | None = None) -> int:
        """How many of those proxies go on with an older configuration.

        They hold older content of the same name; or, where it is the cluster of the group-version with that `scope`,
        older routes, which lead to another cluster.
        """
        successors = (scope,) if scope is not None and self.key.type_url == CLUSTER else ()
        return sum(any(proxy.get(key, False) for key in (self.key, *successors)) for proxy in self.lacking)

    def sentence(self, scope: ResourceName | None = None) -> str:
        """What was rejected, why, and what is in force instead."""
        return f"{self.subject} {self._cause(self.serving(scope))}"

    def problem(self) -> Problem:
        """The fault of a resource that serves no group-version."""
        remedy = _REMEDIES.get(self.key.name, _NO_REMEDY)
        return Problem(_PROXIES, self.subject, "", self._cause(self.serving()), remedy)

    def _cause(self, serving: int) -> str:
        cause = f"was rejected: {self.reason}"
        if not self.lacking:
            return cause
        if not serving:
            return f"{cause}; there is nothing older that could stay in force"
        if serving == len(self.lacking):
            return f"{cause}; what was in force before stays in force"
        return f"{cause}; {serving} of {len(self.lacking)} proxies go on with what was before, the others have nothing"


def faults(proxies: Iterable[Proxy]) -> tuple[Fault, ...]:
    """What proxies do not get because it was rejected, by type and name."""
    found: dict[tuple[ResourceName, str], list[_OutOfStep]] = {}
    budget = _LOOKED_AT_MOST
    for proxy in proxies:
        rejected = {
            (ResourceName(kind.type_url, resource.name), " ".join(resource.reason.split())): None
            for kind in proxy.types
            for resource in kind.rejected
        }
        if not rejected:
            continue
        lacking = [found.setdefault(fault, []) for fault in rejected]
        kinds = [kind for kind in proxy.types if kind.rejected or kind.type_url == SCOPED_ROUTE]
        cost = sum(kind.behind for kind in kinds)
        if cost > budget:
            continue
        budget -= cost
        out_of_step = {
            ResourceName(kind.type_url, resource.name): bool(resource.held)
            for kind in kinds
            for resource in islice(kind.resources(), kind.behind)
        }
        for known in lacking:
            known.append(out_of_step)
    return tuple(Fault(key, reason, tuple(found[key, reason])) for key, reason in sorted(found))
