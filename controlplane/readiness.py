"""What /readyz looks at.

In: how the parts of a control plane are asked how they are. Out: the checks, by name. Law: what counts is what keeps
this control plane from serving Envoys; what only goes wrong meanwhile is shown, and takes no replica out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from controlplane.admin.health import Check, Health, Wrong, unless


def readiness(
    *,
    going: Callable[[], bool],
    read: Callable[[], bool],
    deciding: Callable[[], bool],
    serving: Callable[[], bool],
    known: Callable[[], bool],
    connected: Callable[[], bool] | None = None,
    store: Wrong | None = None,
    audit_log: Wrong | None = None,
    workers: Callable[[], Mapping[str, str]] = dict,
) -> Health:
    """The checks: five that always count, and those of parts that there are.

    `connected` says whether the one Envoy of a sidecar is there; `workers` says what is wrong with each, and always
    names the same ones.
    """
    health = Health(
        "readyz",
        (
            Check("shutdown", unless(going, "the control plane is stopping")),
            Check("sources", unless(read, "not everything has been read yet")),
            Check("rulings", unless(deciding, "nothing decides about requests yet")),
            Check("xds", unless(serving, "no Envoy is served")),
            Check("discovery", unless(known, "it is not known what there is yet")),
        ),
    )
    if connected is not None:
        health.add(Check("envoy", unless(connected, "Envoy is not connected")))
    for name, wrong in (("store", store), ("audit-log", audit_log)):
        if wrong is not None:
            health.add(Check(name, wrong, advisory=True))
    for name in workers():
        health.add(Check(name, partial(_wrong_with, workers, name), advisory=True))
    return health


def _wrong_with(workers: Callable[[], Mapping[str, str]], name: str) -> str:
    return workers()[name]
