"""The whole interface against a plain model: dictionaries, one for every revision."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from trials import trials

from controlplane.store.interface import (
    FIRST_REVISION,
    Batch,
    CompactedError,
    Conflict,
    Delete,
    Event,
    Expect,
    Key,
    Put,
    Scope,
    Store,
    Stored,
    Txn,
    Written,
)

Opening = Callable[[], AbstractAsyncContextManager[Store]]
Objects = dict[Key, Stored]

KEYS = [Key(resource, namespace, name) for resource in "rs" for namespace in ("", "n") for name in ("a", "a-b", "a.b")]
SCOPES = [Scope(), Scope("r"), Scope("r", "n"), Scope("s", "")]
writes = st.lists(
    st.builds(Put, st.sampled_from(KEYS), st.binary(max_size=3)) | st.builds(Delete, st.sampled_from(KEYS)),
    max_size=4,
    unique_by=lambda write: write.key,
)
# A key that is expected at its revision, at that of its last change but some, or not to be there.
expectations = st.lists(
    st.tuples(st.sampled_from(KEYS), st.sampled_from((0, 0, 0, -1, None))), max_size=2, unique_by=lambda pair: pair[0]
)
anywhere = st.floats(0, 1)


class Model:
    """What a store is, with no thought of cost."""

    def __init__(self) -> None:
        self.past: dict[int, Objects] = {FIRST_REVISION: {}}
        self.batches: list[Batch] = []
        self.oldest = FIRST_REVISION

    @property
    def revision(self) -> int:
        """The last revision."""
        return FIRST_REVISION + len(self.batches)

    def write(self, txn: Txn) -> Written | Conflict:
        """Does a transaction."""
        now = self.past[self.revision]
        found = [(expect, now.get(expect.key)) for expect in txn.expected]
        differing = [
            (expect.key, stored)
            for expect, stored in found
            if expect.revision != (stored.modified_revision if stored else 0)
        ]
        if differing:
            return Conflict(tuple(differing))
        after, events, revision = dict(now), list[Event](), self.revision + 1
        for write in txn.writes:
            before = after.pop(write.key, None)
            if isinstance(write, Put):
                after[write.key] = Stored(
                    write.key, write.value, before.created_revision if before else revision, revision
                )
            if before or isinstance(write, Put):
                events.append(Event(write.key, after.get(write.key), before))
        if events:
            self.past[revision] = after
            self.batches.append(Batch(revision, tuple(events)))
        return Written(self.revision)

    def told(self, scope: Scope, after: int) -> list[Batch]:
        """What a watch of everything up to now says."""
        later = self.batches[after - FIRST_REVISION :]
        inside = [Batch(b.revision, tuple(e for e in b.events if scope.holds(e.key))) for b in later]
        return [batch for batch in inside if batch.events]


class Machine(RuleBasedStateMachine):
    """A store and its model, asked the same."""

    def __init__(self, opening: Opening) -> None:
        super().__init__()
        self.opening = opening
        self.model = Model()
        self.watches: list[tuple[AsyncGenerator[Batch, None], Scope, int, list[Batch]]] = []
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.store = self.runner.run(self.stack.enter_async_context(opening()))

    @rule(writes=writes, expectations=expectations)
    def write(self, writes: list[Put | Delete], expectations: list[tuple[Key, int | None]]) -> None:
        """A transaction comes to the same."""
        now = self.model.past[self.model.revision]
        standing = {key: stored.modified_revision for key, stored in now.items()}
        expected = tuple(
            Expect(key, 0 if off is None else max(0, standing.get(key, 0) + off)) for key, off in expectations
        )
        txn = Txn(tuple(writes), expected)

        assert self.model.write(txn) == self.runner.run(self.store.write(txn))

    @rule(where=anywhere)
    def compact(self, where: float) -> None:
        """The past is forgotten up to somewhere."""
        revision = round(self.model.revision * where)
        self.model.oldest = max(self.model.oldest, revision)
        self.runner.run(self.store.compact(revision))

    @rule(where=anywhere, scope=st.sampled_from(SCOPES), limit=st.integers(1, 5))
    def look(self, where: float, scope: Scope, limit: int) -> None:
        """Pages at any revision hold every object once as it was; a get is the same."""
        revision = round(self.model.revision * where)
        if revision < self.model.oldest:
            assert self.runner.run(self._pages(scope, revision, limit)) is None
            return
        objects = {key: stored for key, stored in self.model.past[revision].items() if scope.holds(key)}
        pages = self.runner.run(self._pages(scope, revision, limit))
        gets = [self.runner.run(self.store.get(key, revision=revision)) for key in KEYS]

        assert pages is not None
        assert sorted(objects) == sorted(stored.key for stored in pages)
        assert objects == {stored.key: stored for stored in pages}
        assert [self.model.past[revision].get(key) for key in KEYS] == gets

    @rule(where=anywhere, scope=st.sampled_from(SCOPES))
    def watch(self, where: float, scope: Scope) -> None:
        """A watch begins at any revision that is not forgotten."""
        after = max(self.model.oldest, round(self.model.revision * where))
        self.watches.append((self.store.watch(scope, after=after), scope, after, []))

    @precondition(lambda self: self.watches)
    @rule(data=st.data())
    def follow(self, data: st.DataObject) -> None:
        """A watch says everything up to now, once and in order, or that it was too slow."""
        watch, scope, after, said = data.draw(st.sampled_from(self.watches))
        self._follow(watch, scope, after, said)

    @rule()
    def reopen(self) -> None:
        """A store that is closed and opened is the same; its watches resume where they were."""
        self.runner.run(self._reopen())

    def teardown(self) -> None:
        """Every watch has said everything in the end, and opened anew the store tells the same history again."""
        for watch, scope, after, said in list(self.watches):
            self._follow(watch, scope, after, said)
        self.runner.run(self._reopen())
        for scope in SCOPES:
            again = self.store.watch(scope, after=self.model.oldest)
            self._follow(again, scope, self.model.oldest, [])
            self.runner.run(again.aclose())
        self.runner.run(self._close())
        self.runner.close()

    def _follow(self, watch: AsyncGenerator[Batch, None], scope: Scope, after: int, said: list[Batch]) -> None:
        told = self.model.told(scope, after)
        reached = said[-1].revision if said else after
        try:
            while len(said) < len(told):
                batch = self.runner.run(anext(watch))
                if batch.events:
                    said.append(batch)
        except CompactedError:
            assert reached < self.model.oldest
            self.watches = [entry for entry in self.watches if entry[0] is not watch]
            return
        assert told == said

    async def _pages(self, scope: Scope, revision: int, limit: int) -> list[Stored] | None:
        try:
            page = await self.store.list(scope, limit=limit, revision=revision)
            items = list(page.items)
            while page.more:
                page = await self.store.list(scope, limit=limit, revision=page.revision, after=items[-1].key)
                items += page.items
        except CompactedError:
            return None
        return items

    async def _reopen(self) -> None:
        await self._close()
        self.store = await self.stack.enter_async_context(self.opening())
        resumed = [(scope, said[-1].revision if said else after) for _, scope, after, said in self.watches]
        self.watches = [
            (self.store.watch(scope, after=after), scope, after, [])
            for scope, after in resumed
            if after >= self.model.oldest
        ]

    async def _close(self) -> None:
        for watch, *_ in self.watches:
            await watch.aclose()
        await self.stack.aclose()


def test_a_store_is_what_its_model_is(fresh: Callable[[], Opening]) -> None:
    """Whatever is written, compacted, read, watched and reopened, in whatever order, the store and its model agree."""
    run_state_machine_as_test(
        lambda: Machine(fresh()),
        settings=settings(
            max_examples=trials(60),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
