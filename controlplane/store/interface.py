"""What a store of registrations and policy does, whoever keeps the bytes.

In: transactions. Out: objects as they are or were at a revision, and every change in order. Law: every transaction that
changes something is one revision, one more than the last, whole or not at all; what was acknowledged is never lost. The
model is etcd's (revisions, compaction, transactions that compare first), so that etcd can stand behind it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

FIRST_REVISION: Final = 1
"""The revision of a store that nothing was ever written to; 0 is no revision."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What makes an object one and the same; `namespace` is "" for what has none.

    `resource` is a resource with its group, such as apiservices.apiregistration.k8s.io. No part holds "/" or NUL.
    """

    resource: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in (self.resource, self.namespace, self.name) if part)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which objects are meant: of one namespace of one resource, of one resource, or all."""

    resource: str | None = None
    """None: of all resources."""
    namespace: str | None = None
    """None: of all namespaces; "" is where objects without a namespace are."""

    def __post_init__(self) -> None:
        if self.resource is None and self.namespace is not None:
            raise ValueError(f"the namespace {self.namespace!r} is given without a resource")

    def holds(self, key: Key) -> bool:
        """True when the object under this key is meant."""
        return self.resource in (None, key.resource) and self.namespace in (None, key.namespace)


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as it is kept; the value may hold secrets and is never shown."""

    key: Key
    value: bytes = field(repr=False)
    created_revision: int
    modified_revision: int


@dataclass(frozen=True, slots=True)
class Expect:
    """A condition: the object's modified revision is this one; 0 means that there is no such object."""

    key: Key
    revision: int


@dataclass(frozen=True, slots=True)
class Put:
    """The object under this key shall have this value, whether it was there or not."""

    key: Key
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delete:
    """There shall be no object under this key; it is no defect when there is none."""

    key: Key


@dataclass(frozen=True, slots=True)
class Txn:
    """Writes that happen together, if all that is expected holds, or not at all.

    Raises:
        ValueError: when a key is written or expected twice, or has a part that cannot be kept.
    """

    writes: tuple[Put | Delete, ...]
    expected: tuple[Expect, ...] = ()

    def __post_init__(self) -> None:
        for what, keys in (("written", [w.key for w in self.writes]), ("expected", [e.key for e in self.expected])):
            if len(set(keys)) < len(keys):
                raise ValueError(f"a key is {what} twice in one transaction")
            for key in keys:
                _check(key)

    @property
    def size(self) -> int:
        """Bytes of all values written."""
        return sum(len(write.value) for write in self.writes if isinstance(write, Put))


def _check(key: Key) -> None:
    for part in (key.resource, key.namespace, key.name):
        if "/" in part or "\0" in part:
            raise ValueError(f"{part!r} of a key holds a slash or NUL")
        part.encode()
    if not key.resource or not key.name:
        raise ValueError(f"{key!r} has no resource or no name")


@dataclass(frozen=True, slots=True)
class Written:
    """The transaction is kept, and stays so if the machine goes down now; its revision (the last, if it was moot)."""

    revision: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """Nothing was written: these keys do not stand as expected; each with its object, None when there is none."""

    current: tuple[tuple[Key, Stored | None], ...]


WriteResult: TypeAlias = Written | Conflict


@dataclass(frozen=True, slots=True)
class Page:
    """Objects as they stood at `revision`, in the store's own order; `more` when others follow the last of them."""

    items: tuple[Stored, ...]
    revision: int
    more: bool


@dataclass(frozen=True, slots=True)
class Event:
    """One object's change: what it is now (None: deleted) and what it was before (None: it was not there)."""

    key: Key
    now: Stored | None
    before: Stored | None


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction changed, in the order it was written; without events, a mark that all is said up to here."""

    revision: int
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one transaction may hold: bytes of all values, number of writes; as etcd has it when told nothing."""

    size: int = 1_572_864
    writes: int = 128


class StoreError(Exception):
    """A store did not do what it was asked; the text is a whole sentence."""


class CompactedError(StoreError):
    """The revision asked for is none this store can tell of any more; the caller lists anew.

    That is so when it was compacted, and when the store has not come to it, as after a restore from a backup.
    """

    def __init__(self, revision: int, oldest: int) -> None:
        super().__init__(f"revision {revision} cannot be told of: what is kept begins at revision {oldest}; list anew")
        self.revision = revision
        self.oldest = oldest


class UnavailableError(StoreError):
    """The store cannot do it now; whether a write was done is not known, unless the reason tells."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TooLargeError(StoreError):
    """A transaction holds more than the store takes; nothing was written."""


class Store(Protocol):
    """Keeps objects and their history back to the last compaction.

    Every method may raise UnavailableError. Reads see every write that was acknowledged before they began.
    """

    async def revision(self) -> int:
        """The revision of the last transaction."""

    async def get(self, key: Key, *, revision: int | None = None) -> Stored | None:
        """The object as it is, or as it was at `revision`; None when it is not there.

        Raises:
            CompactedError: when the store cannot tell of that revision.
        """

    async def list(
        self, scope: Scope, *, limit: int = 500, revision: int | None = None, after: Key | None = None
    ) -> Page:
        """At most `limit` objects, as they are or were at `revision`.

        The next page is asked for with the same scope, the `revision` of the first and, as `after`, the key of its last
        object: pages of one revision hold every object of it once, whatever is written meanwhile.

        Raises:
            CompactedError: when the store cannot tell of that revision.
        """

    async def write(self, txn: Txn) -> WriteResult:
        """Does a transaction; returns when it would survive a loss of power.

        A caller that is cancelled while it waits does not know what became of it.

        Raises:
            TooLargeError: when it holds more than the store takes.
        """

    def watch(self, scope: Scope, *, after: int) -> AsyncGenerator[Batch, None]:
        """Every transaction with events in `scope` after the revision `after`, in order and without end.

        A revision without an event in scope is passed over, but now and then a Batch without events says how far the
        watch has come. A watcher that is slow costs no memory: it reads on from the history.

        Raises:
            CompactedError: when the history after that revision is, or while the watcher was slow became, incomplete.
        """

    async def compact(self, revision: int) -> None:
        """Forgets what was before `revision`: what is kept begins there. An older or later one changes nothing.

        `revision` itself can still be read and watched after.
        """
