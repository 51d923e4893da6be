"""What a response of the state-of-the-world protocol says besides its changes: all the rest, and a version.

In: what a client holds and is about to be sent. Out: every resource that it holds afterwards, and a version of that.
Law: what is not removed is there, be it wanted or not.
"""

from __future__ import annotations

from collections.abc import Mapping

from controlplane.snapshot.snapshot import Resource
from controlplane.xds.subscription import Subscription


def held_after(subscription: Subscription, items: Mapping[str, Resource | None]) -> list[Resource]:
    """Everything the client shall hold after `items`: in step, sent now, and the rest as it holds it."""
    world = []
    for name in dict.fromkeys((*subscription.table, *subscription.behind)):
        if subscription.wants(name):
            resource = items[name] if name in items else subscription.held(name)
            if isinstance(resource, Resource):
                world.append(resource)
    return world


def version(subscription: Subscription, items: Mapping[str, Resource | None], fingerprint: int) -> str:
    """The caller's own version when all of `items` have one and the same, else one of what the client then holds.

    The latter, from the table's `fingerprint`, is the same on every replica with the same content; only that of a whole
    type is believed on a reconnect.
    """
    chosen = {item.version if item is not None and item.version != item.digest else "" for item in items.values()}
    if len(chosen) == 1 and (version := chosen.pop()):
        return version
    for name, held in subscription.behind.items():
        listed, actual = subscription.table.get(name), items.get(name, held)
        fingerprint -= listed.fingerprint if listed is not None else 0
        fingerprint += actual.fingerprint if isinstance(actual, Resource) else 0
    return whole(fingerprint) if subscription.wildcard and not subscription.names else _part(fingerprint)


def whole(fingerprint: int) -> str:
    """The version of a whole type, from its fingerprint; who claims it holds everything."""
    return f"{fingerprint % (1 << 128):032x}"


def _part(fingerprint: int) -> str:
    # Who names what it wants holds less than the table: it must not be able to claim the whole with its version.
    return f"part-{whole(fingerprint)}"
