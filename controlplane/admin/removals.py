"""Removals that are withheld from proxies until somebody confirms them, as they are told.

In: what xDS withholds. Out: problems, and the response to a confirmation. Law: proxies that stand alike are told of
together, so a fleet is not a page.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from controlplane.api.v1 import status_pb2
from controlplane.model.problem import Origin, Problem

_PROXIES: Final = Origin("proxies")
_REMEDY: Final = "put the registrations back, or run `isthmus confirm-removals` if they are meant to go"


class Withheld(Protocol):
    """A type of which removals are withheld from one proxy: `names` of the `held`."""

    @property
    def node_id(self) -> str:
        """The proxy."""

    @property
    def group(self) -> str:
        """Its node group, "" where there are none."""

    @property
    def type_url(self) -> str:
        """The type."""

    @property
    def names(self) -> int:
        """How many would go."""

    @property
    def held(self) -> int:
        """How many the proxy holds."""


def problems(withheld: Iterable[Withheld]) -> list[Problem]:
    """A problem for each type and number that is withheld, with the proxies that it is withheld from."""
    found: dict[tuple[str, str, int, int], set[str]] = {}
    for one in withheld:
        found.setdefault((one.group, one.type_url, one.names, one.held), set()).add(one.node_id)
    return [
        Problem(
            _PROXIES,
            f"node group {group}" if group else "",
            "",
            f"{numbers(count, held, type_url)} would go from {_named(sorted(nodes))}; they are kept until confirmed",
            _REMEDY,
        )
        for (group, type_url, count, held), nodes in sorted(found.items())
    ]


def released(withheld: Iterable[Withheld], streams: int) -> status_pb2.ConfirmRemovalsResponse:
    """What a confirmation let go: what was withheld before it, and from how many streams."""
    return status_pb2.ConfirmRemovalsResponse(
        streams=streams,
        released=(
            status_pb2.WithheldRemovals(
                node_id=one.node_id, group=one.group, type_url=one.type_url, withheld=one.names, held=one.held
            )
            for one in withheld
        ),
    )


def sentence(response: status_pb2.ConfirmRemovalsResponse) -> str:
    """What a confirmation let go, in one sentence."""
    if not response.released:
        return "No removals are withheld, so there is nothing to confirm."
    nodes = sorted({one.node_id for one in response.released})
    counts = sorted({(one.type_url, one.withheld, one.held) for one in response.released})
    what = ", ".join(numbers(withheld, held, type_url) for type_url, withheld, held in counts)
    return f"Confirmed for {_named(nodes)}: {what} go now."


def numbers(count: int, held: int, type_url: str) -> str:
    """So many of so many of a kind, for people."""
    return f"{count:,} of {held:,} {type_url.rpartition('.')[2]} resources"


def _named(nodes: list[str]) -> str:
    first = f"proxy {nodes[0]}"
    return first if len(nodes) == 1 else f"{first} and {len(nodes) - 1:,} more"
