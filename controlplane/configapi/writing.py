"""Writes: what is asked for, whether it may be, and one transaction for all of it.

In: writes, and the session of whoever asks. Out: every object after it, or the Status that refuses and which write it
is about. Law: all writes of one call happen together or none does; a dry run goes the same way up to the transaction;
who changes an object at the same time is never overwritten unseen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from controlplane.api.v1 import config_pb2
from controlplane.configapi import access, objects
from controlplane.configapi.access import Session
from controlplane.configapi.conditions import Standing
from controlplane.configapi.errors import DEFINED_IN_MANIFESTS
from controlplane.model.change import ObjectKey
from controlplane.model.identity import UserInfo
from controlplane.resources import status
from controlplane.resources.finish import Written
from controlplane.resources.operations import Call, Target
from controlplane.resources.status import OPTIMISTIC_LOCK, Status
from controlplane.resources.values import JsonObject, quoted
from controlplane.store.interface import Conflict, Delete, Expect, Key, Put, Store, Stored, Txn

Made: TypeAlias = Written | Status
"""What a write makes of an object."""

# Somebody else may come first each time, and every time one of us is done.
_ATTEMPTS: Final = 50


@dataclass(frozen=True, slots=True)
class Write:
    """One write: as which HTTP method it is authorized, what it is about, and what it makes of the stored object.

    `creates`: there must be no such object; the name may be left to `make`.
    """

    method: str
    target: Target
    make: Callable[[JsonObject | None, Call], Made] = field(repr=False)
    creates: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing was written, and for which of the writes."""

    status: Status
    index: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One write worked out on one state of its object."""

    write: Write
    key: Key
    live: Stored | None
    made: Written


@dataclass(frozen=True, slots=True)
class Done:
    """Writes that were done, in order; `revision` is the store's, 0 for a dry run."""

    steps: tuple[Step, ...]
    revision: int

    def told(self, standing: Standing) -> list[config_pb2.Written]:
        """Every object after its write."""
        return [_told(step, self.revision, standing) for step in self.steps]


class Writing:
    """Does writes on a store.

    `manifest` gives the file that defines an object, "" when none does: such an object is not for clients to write.
    """

    def __init__(self, store: Store, manifest: Callable[[ObjectKey], str]) -> None:
        self._store = store
        self._manifest = manifest

    async def write(
        self, writes: Sequence[Write], session: Session, calls: Callable[[], Call], *, dry_run: bool
    ) -> Done | Refusal:
        """All of the writes, in one transaction; `calls` gives a new time, uid and suffix each time.

        Raises:
            StoreError: when the store fails; unless it is TooLargeError, whether they were done is not known.
        """
        users: list[UserInfo] = []
        for index, write in enumerate(writes):
            user = await session.admit(write.method, _request_target(write))
            if isinstance(user, Status):
                return Refusal(user, index)
            users.append(user)
        for _ in range(_ATTEMPTS):
            steps = await self._worked_out(writes, calls)
            if isinstance(steps, Refusal):
                return steps
            if refusal := await self._refused(steps, users, session):
                return refusal
            done = await self._tested(steps) if dry_run else await self._written(steps)
            if done is not None:
                return done
        kind, name = writes[0].target.kind, writes[0].target.name
        return Refusal(status.conflict(kind.group, kind.plural, name, OPTIMISTIC_LOCK))

    async def _worked_out(self, writes: Sequence[Write], calls: Callable[[], Call]) -> list[Step] | Refusal:
        lives = await asyncio.gather(*(self._live(write) for write in writes))
        pairs = [(write, live, calls()) for write, live in zip(writes, lives, strict=True)]
        # Many take a while, in which others are to be served.
        made = _all_made(pairs) if len(pairs) == 1 else await asyncio.to_thread(_all_made, pairs)
        steps: list[Step] = []
        for index, ((write, live, _), one) in enumerate(zip(pairs, made, strict=True)):
            if isinstance(one, Status):
                return Refusal(one, index)
            name = write.target.name or one.object["metadata"]["name"]
            steps.append(Step(write, objects.key_of(write.target.kind, write.target.namespace, name), live, one))
        return _once_each(steps)

    async def _live(self, write: Write) -> Stored | None:
        target = write.target
        if write.creates:
            return None
        return await self._store.get(objects.key_of(target.kind, target.namespace, target.name))

    async def _refused(self, steps: Sequence[Step], users: Sequence[UserInfo], session: Session) -> Refusal | None:
        for index, (step, user) in enumerate(zip(steps, users, strict=True)):
            kind, made = step.write.target.kind, step.made
            if path := self._manifest(objects.object_key(kind, step.key)):
                return Refusal(_in_manifests(step, path), index)
            if made.created and not step.write.creates:
                admitted = await session.admit("POST", access.collection(kind, step.key.namespace))
                if isinstance(admitted, Status):
                    return Refusal(admitted, index)
            if made.changed and not made.deleted:
                refused = await session.confirm(user, kind, made.object)
                if refused is not None:
                    return Refusal(refused, index)
        return None

    async def _tested(self, steps: Sequence[Step]) -> Done | Refusal:
        for index, step in enumerate(steps):
            if step.write.creates and await self._store.get(step.key) is not None:
                return Refusal(_taken(step), index)
        return Done(tuple(steps), 0)

    async def _written(self, steps: Sequence[Step]) -> Done | Refusal | None:
        """None when somebody else wrote in between."""
        writes = tuple(_in_store(step) for step in steps if step.made.changed)
        if not writes:
            return Done(tuple(steps), await self._store.revision())
        expected = tuple(Expect(step.key, step.live.modified_revision if step.live else 0) for step in steps)
        outcome = await self._store.write(Txn(writes, expected))
        if not isinstance(outcome, Conflict):
            return Done(tuple(steps), outcome.revision)
        differing = {key for key, _ in outcome.current}
        for index, step in enumerate(steps):
            # A name that was generated is made up anew.
            if step.key in differing and step.write.creates and step.write.target.name:
                return Refusal(_taken(step), index)
        return None


def _request_target(write: Write) -> str:
    target = write.target
    if write.creates:
        return access.collection(target.kind, target.namespace)
    return access.item(target.kind, target.namespace, target.name)


def _all_made(pairs: Sequence[tuple[Write, Stored | None, Call]]) -> list[Made]:
    return [write.make(objects.loaded(live) if live else None, call) for write, live, call in pairs]


def _once_each(steps: list[Step]) -> list[Step] | Refusal:
    first: dict[Key, int] = {}
    for index, step in enumerate(steps):
        if first.setdefault(step.key, index) != index:
            return Refusal(status.bad_request(f"{step.key} is object {first[step.key]} of the batch already"), index)
    return steps


def _in_manifests(step: Step, path: str) -> Status:
    kind, name = step.write.target.kind, step.key.name
    message = (
        f"{kind.resource} {quoted(name)} is defined in {path}, which clients cannot change; change that file, or "
        "remove the object from it"
    )
    return Status(409, DEFINED_IN_MANIFESTS, message, kind.group, kind.plural, name)


def _taken(step: Step) -> Status:
    kind = step.write.target.kind
    return status.already_exists(kind.group, kind.plural, step.key.name)


def _in_store(step: Step) -> Put | Delete:
    return Delete(step.key) if step.made.deleted else Put(step.key, objects.value_of(step.made.object))


def _told(step: Step, revision: int, standing: Standing) -> config_pb2.Written:
    kind, made, obj = step.write.target.kind, step.made, step.made.object
    if made.changed and not made.deleted and revision:
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}
    outcome = config_pb2.Written.OUTCOME_UNCHANGED
    if made.deleted:
        outcome = config_pb2.Written.OUTCOME_DELETED
    elif made.created:
        outcome = config_pb2.Written.OUTCOME_CREATED
    elif made.changed:
        outcome = config_pb2.Written.OUTCOME_CHANGED
    conditions = standing(objects.object_key(kind, step.key))
    return config_pb2.Written(object=objects.message(kind, obj, conditions), outcome=outcome, warnings=made.warnings)
