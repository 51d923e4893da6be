"""The order in which discovery lists groups and versions; kubectl resolves an ambiguous name to the first that has it.

In: priorities, names and versions. Out: ranks, which sort ascending into the order of listing. Law: an order given by a
server is kept; what is registered is placed into it and moves nothing.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import Final, TypeAlias, TypeVar

T = TypeVar("T")

GroupRank: TypeAlias = tuple[int, str]
"""The priority, negated, and the name that breaks the tie."""
VersionRank: TypeAlias = tuple[int, tuple[int, int, int, int, str]]
"""The priority, negated, and what `by_version` makes of the version."""
RankT = TypeVar("RankT", GroupRank, VersionRank)

# A CustomResourceDefinition's priorities; what no table names is most likely one.
UNKNOWN_GROUP_PRIORITY: Final = 1000
UNKNOWN_VERSION_PRIORITY: Final = 100

# kube-apiserver does not publish the priorities of its own groups where it publishes their order. These are those that
# it registers for them at start (release 1.36), and the place it gives apiregistration.k8s.io above all others.
CORE_GROUP_PRIORITIES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "apiregistration.k8s.io": 20001,
        "": 18000,
        "apps": 17800,
        "events.k8s.io": 17750,
        "authentication.k8s.io": 17700,
        "authorization.k8s.io": 17600,
        "autoscaling": 17500,
        "batch": 17400,
        "certificates.k8s.io": 17300,
        "networking.k8s.io": 17200,
        "policy": 17100,
        "rbac.authorization.k8s.io": 17000,
        "storage.k8s.io": 16800,
        "admissionregistration.k8s.io": 16700,
        "apiextensions.k8s.io": 16700,
        "scheduling.k8s.io": 16600,
        "coordination.k8s.io": 16500,
        "node.k8s.io": 16300,
        "discovery.k8s.io": 16200,
        "resource.k8s.io": 16200,
        "flowcontrol.apiserver.k8s.io": 16100,
        "internal.apiserver.k8s.io": 16000,
        "storagemigration.k8s.io": 15800,
    }
)

# More digits than Kubernetes' own parser takes make a version one that is not of its form.
_KUBE_VERSION: Final = re.compile(r"v([0-9]{1,18})(?:(alpha|beta)([0-9]{1,18}))?")
_STABILITY: Final = {None: 0, "beta": 1, "alpha": 2}


def by_version(version: str) -> tuple[int, int, int, int, str]:
    """The sort key of a version: v10, v2, v1, v11beta2, v3beta1, v12alpha1, then those of no such form, by alphabet."""
    match = _KUBE_VERSION.fullmatch(version)
    if match is None:
        return (1, 0, 0, 0, version)
    major, stability, minor = match.groups()
    return (0, _STABILITY[stability], -int(major), -int(minor or 0), "")


def core_group_priority(group: str) -> int:
    """The groupPriorityMinimum that a group of the core API server most likely has."""
    return CORE_GROUP_PRIORITIES.get(group, UNKNOWN_GROUP_PRIORITY)


def standing(ranks: Sequence[RankT]) -> list[RankT]:
    """The ranks that a given order implies: each stands at least as high as everything that comes after it.

    The ranks handed in are guesses (a priority that nobody published); the order is a fact.
    """
    implied = list(ranks)
    for index in range(len(implied) - 2, -1, -1):
        implied[index] = min(implied[index], implied[index + 1])
    return implied


def interleaved(placed: Iterable[tuple[RankT, T]], listed: Iterable[tuple[RankT, T]]) -> list[T]:
    """All items in one order: `placed` where their ranks say, `listed` in the order they are in."""
    fixed = list(listed)
    ranks = standing([rank for rank, _ in fixed])
    in_order = zip(ranks, (item for _, item in fixed), strict=True)
    return [item for _, item in heapq.merge(sorted(placed, key=itemgetter(0)), in_order, key=itemgetter(0))]
