"""What a stream has to tell besides its responses.

In: nothing. Out: values for logs, metrics and status. Law: an event is told once.
"""

from __future__ import annotations

from dataclasses import dataclass

from controlplane.model.resource import ResourceName


@dataclass(frozen=True, slots=True)
class Refused:
    """The stream must end: the client broke the protocol or fits no node group; `reason` says how to mend it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """The client asked for a type that is not served; the stream goes on."""

    type_url: str


@dataclass(frozen=True, slots=True)
class Stale:
    """A request answered another response than the one in flight, or none."""

    type_url: str
    nonce: str


@dataclass(frozen=True, slots=True)
class Nacked:
    """The client rejected a response of `suspects` resources."""

    type_url: str
    suspects: int
    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """One content of one resource was found guilty: it is quarantined, and the client keeps what it had."""

    key: ResourceName
    version: str
    reason: str
    node_id: str


@dataclass(frozen=True, slots=True)
class Converged:
    """The client acknowledged everything up to `generation`, `seconds` after the first change it had not."""

    generation: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Withheld:
    """Removals are withheld from now on: of `held` names of a type the client would lose `names`, too many at once."""

    type_url: str
    names: int
    held: int


@dataclass(frozen=True, slots=True)
class Released:
    """Removals are no longer withheld; `confirmed` is False when the snapshot itself came back within the limit."""

    confirmed: bool


Event = Refused | Ignored | Stale | Nacked | Rejected | Converged | Withheld | Released
