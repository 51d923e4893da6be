"""The calls of the ConfigService, without the network.

In: a request, and the session of whoever calls. Out: the response, or why there is none. Law: who may not do a thing is
told nothing about what is there.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, nullcontext
from dataclasses import dataclass
from typing import Final, TypeAlias

from controlplane.api.v1 import config_pb2
from controlplane.configapi import reading, requests, watching
from controlplane.configapi.access import Session
from controlplane.configapi.conditions import CONDITIONED
from controlplane.configapi.rollout import Rollouts
from controlplane.configapi.standings import Moments
from controlplane.configapi.writing import Done, Made, Refusal, Write, Writing
from controlplane.resources import deletion, operations, status
from controlplane.resources.deletion import Preconditions
from controlplane.resources.operations import Call, Target
from controlplane.resources.status import Status, bad_request
from controlplane.resources.values import Json, JsonObject
from controlplane.store.interface import Store

NO_WAIT: Final = -1.0
_LONGEST_WAIT_SECONDS: Final = 600.0

Written: TypeAlias = config_pb2.WriteResponse | Refusal | Status


@dataclass(frozen=True, slots=True)
class NewObject:
    """What a new object gets that nobody chooses: the time (RFC 3339, UTC, to the second), a uid, and five letters."""

    now: str
    uid: str
    suffix: str


class Calls:
    """Every call of the service."""

    def __init__(
        self,
        store: Store,
        writing: Writing,
        rollouts: Rollouts,
        standings: Moments,
        new_object: Callable[[], NewObject],
        clock: Callable[[], float],
    ) -> None:
        """`clock` is monotonic, in seconds."""
        self._store = store
        self._writing = writing
        self._rollouts = rollouts
        self._standings = standings
        self._new_object = new_object
        self._clock = clock

    async def apply(self, request: config_pb2.ApplyRequest, session: Session) -> Written:
        """Server-side apply of one object."""
        write = _apply(request.json, force=request.force)
        return write if isinstance(write, Status) else await self._one(write, request.options, session)

    async def batch_apply(
        self, request: config_pb2.BatchApplyRequest, session: Session
    ) -> config_pb2.BatchApplyResponse | Refusal | Status:
        """Server-side apply of several objects, or of none."""
        writes: list[Write] = []
        for index, text in enumerate(request.json):
            write = _apply(text, force=request.force)
            if isinstance(write, Status):
                return Refusal(write, index)
            writes.append(write)
        if not writes:
            return bad_request("the batch is empty; give at least one object")
        done = await self._done(writes, request.options, session)
        if not isinstance(done, Done):
            return done
        rollout = await self._rollout(done, request.options)
        written = done.told(self._standings.now())
        return config_pb2.BatchApplyResponse(written=written, revision=done.revision, rollout=rollout)

    async def create(self, request: config_pb2.CreateRequest, session: Session) -> Written:
        """A new object."""
        sent = requests.object_in(request.json)
        if isinstance(sent, Status):
            return sent
        target, body = sent
        write = Write("POST", target, lambda _, call: operations.create(target, body, call), creates=True)
        return await self._one(write, request.options, session)

    async def replace(self, request: config_pb2.ReplaceRequest, session: Session) -> Written:
        """An object replaced."""
        sent = requests.object_in(request.json)
        if isinstance(sent, Status):
            return sent
        target, body = sent
        if refused := requests.named(target):
            return refused
        write = Write("PUT", target, lambda live, call: operations.update(target, live, body, call))
        return await self._one(write, request.options, session)

    async def patch(self, request: config_pb2.PatchRequest, session: Session) -> Written:
        """An object patched."""
        target = _named_target(request.reference)
        if isinstance(target, Status):
            return target
        change = requests.patch_of(target, request.form, request.json)
        if isinstance(change, Status):
            return change
        write = Write("PATCH", target, lambda live, call: operations.patch(target, live, change, call))
        return await self._one(write, request.options, session)

    async def delete(self, request: config_pb2.DeleteRequest, session: Session) -> Written:
        """An object removed."""
        target = _named_target(request.reference)
        if isinstance(target, Status):
            return target
        preconditions = Preconditions(request.uid, request.resource_version)

        def make(live: JsonObject | None, call: Call) -> Made:
            if live is None:
                return status.not_found(target.kind.group, target.kind.plural, target.name)
            return deletion.delete(target.kind, live, call.now, preconditions)

        return await self._one(Write("DELETE", target, make), request.options, session)

    async def get(self, request: config_pb2.GetRequest, session: Session) -> config_pb2.Object | Status:
        """An object as it is."""
        target = _named_target(request.reference)
        if isinstance(target, Status):
            return target
        return await reading.get(self._store, session, target, self._standings.now)

    async def list(self, request: config_pb2.ListRequest, session: Session) -> config_pb2.ListResponse | Status:
        """A page of objects."""
        selection = reading.selection_of(request)
        if isinstance(selection, Status):
            return selection
        size, token = request.page_size, request.page_token
        return await reading.list_page(self._store, session, selection, size, token, self._standings.now)

    async def watch(
        self, request: config_pb2.WatchRequest, session: Session
    ) -> AsyncGenerator[config_pb2.WatchResponse | Status, None]:
        """What happens to objects; a Status is the last."""
        selection = reading.selection_of(request)
        if isinstance(selection, Status):
            yield selection
            return
        version = request.resource_version
        # What is shown before is what changes are told from.
        with self._standings.changes() if selection.kind.kind == CONDITIONED else nullcontext() as changes:
            messages = watching.watch(self._store, session, selection, version, self._clock, changes)
            async with aclosing(messages) as told:
                async for message in told:
                    yield message

    async def _one(self, write: Write, options: config_pb2.WriteOptions, session: Session) -> Written:
        done = await self._done([write], options, session)
        if isinstance(done, Refusal):
            return done.status
        if isinstance(done, Status):
            return done
        rollout = await self._rollout(done, options)
        [written] = done.told(self._standings.now())
        return config_pb2.WriteResponse(written=written, revision=done.revision, rollout=rollout)

    async def _done(
        self, writes: Sequence[Write], options: config_pb2.WriteOptions, session: Session
    ) -> Done | Refusal | Status:
        strictness = requests.strictness_of(options.field_validation)
        if isinstance(strictness, Status):
            return strictness
        if options.HasField("wait") and not 0 <= options.wait.ToTimedelta().total_seconds() <= _LONGEST_WAIT_SECONDS:
            return bad_request(f"options.wait is not between 0 and {_LONGEST_WAIT_SECONDS:.0f} seconds")

        def call() -> Call:
            new = self._new_object()
            return Call(new.now, new.uid, new.suffix, options.field_manager, strictness)

        return await self._writing.write(writes, session, call, dry_run=options.dry_run)

    async def _rollout(self, done: Done, options: config_pb2.WriteOptions) -> config_pb2.Rollout | None:
        if not options.HasField("wait") or options.dry_run:
            return None
        return await self._rollouts.wait(done.revision, options.wait.ToTimedelta().total_seconds())


def _apply(text: str, *, force: bool) -> Write | Status:
    sent = requests.object_in(text)
    if isinstance(sent, Status):
        return sent
    target, body = sent
    if refused := requests.named(target):
        return refused
    config: Json = body
    return Write("PATCH", target, lambda live, call: operations.apply(target, live, config, call, force=force))


def _named_target(reference: config_pb2.Reference) -> Target | Status:
    target = requests.target_of(reference)
    return target if isinstance(target, Status) else requests.named(target) or target
