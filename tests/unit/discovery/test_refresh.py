"""Keeping documents up to date with the topology."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import orjson
import pytest

from controlplane.aio import Watchable
from controlplane.discovery.client import Reply, Unreachable
from controlplane.discovery.documents import Documents
from controlplane.discovery.negotiate import AGGREGATED_CONTENT_TYPE
from controlplane.discovery.refresh import Refresh
from controlplane.model.apiservice import ServiceReference
from controlplane.model.credentials import Credentials
from controlplane.model.topology import Api, Backend, BackendKey, Topology, Touched

AnApi = Callable[..., Api]

_CORE = Backend(BackendKey(ServiceReference("default", "kubernetes"), "system"), "core", (), dns=False)
_ALL = Touched(all=True)


class _World:
    """Servers that answer with the versions they are told to, or hang, and the documents made of it."""

    def __init__(self, grace: float) -> None:
        self.topology = Watchable(Topology())
        self.documents = Watchable(Documents())
        self.refresh = Refresh(self.topology, self.documents, client=self.client, pause=self.pause, grace=grace)
        self.asked: list[str] = []
        self.versions: dict[str, list[str] | None] = {}
        self.pauses: asyncio.Queue[asyncio.Event] = asyncio.Queue()

    @asynccontextmanager
    async def client(self) -> AsyncIterator["_World"]:
        yield self

    async def get(
        self, backend: Backend, _: Credentials | None, path: str, *, accept: str, etag: str = ""
    ) -> Reply | Unreachable:
        assert (bool(accept), etag) == (True, "")
        if path == "/apis":
            self.asked.append(backend.server_name)
        if path not in {"/apis", "/api"}:
            return Reply(404)
        versions = self.versions.get(backend.server_name, [])
        if versions is None:
            await asyncio.Event().wait()
        items = [{"metadata": {"name": "a.io"}, "versions": [{"version": version} for version in versions or ()]}]
        return Reply(200, AGGREGATED_CONTENT_TYPE, "", orjson.dumps({"kind": "APIGroupDiscoveryList", "items": items}))

    async def pause(self, poked: asyncio.Event, _: float) -> None:
        self.pauses.put_nowait(poked)
        await poked.wait()

    def register(self, *apis: Api, core: Backend | None = None) -> None:
        backends = {api.backend: Backend(api.backend, api.backend.service.name, (), dns=False) for api in apis}
        known = self.topology.value.backends
        self.topology.publish(
            Topology(
                self.topology.value.generation + 1,
                {api.service.group_version: api for api in apis},
                {key: known.get(key, backend) for key, backend in backends.items()},
                core,
                touched=_ALL,
            )
        )

    async def until(self, satisfied: Callable[[Documents], bool]) -> Documents:
        async with asyncio.timeout(10):
            while not satisfied(self.documents.value):
                await self.documents.changed(self.documents.value)
        return self.documents.value


@asynccontextmanager
async def _world(grace: float = 60.0) -> AsyncIterator[_World]:
    world = _World(grace)
    running = asyncio.create_task(world.refresh.run())
    try:
        yield world
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_registered_backend_is_asked_and_published(an_api: AnApi) -> None:
    """What it said is there for every group-version registered with it."""
    api = an_api("v1.a.io")
    async with _world() as world:
        world.versions["web"] = ["v1"]
        world.register(api)

        documents = await world.until(lambda found: api.backend in found.backends)

    assert not documents.backends[api.backend].versions[api.service.group_version].stale


async def test_a_backend_with_a_new_registration_is_asked_anew(an_api: AnApi) -> None:
    """The second group-version is there after a second attempt, without waiting for the minute to pass."""
    first, second = an_api("v1.a.io"), an_api("v2.a.io")
    async with _world() as world:
        world.register(first)
        await world.until(lambda found: first.backend in found.backends)
        world.register(first, second)

        await world.until(lambda found: second.service.group_version in found.backends[first.backend].versions)

    assert world.asked == ["web", "web"]


async def test_other_backends_are_left_alone(an_api: AnApi) -> None:
    """A change of one backend costs one request, and the other's document stays the identical object."""
    one, other = an_api("v1.a.io", service="one"), an_api("v1.b.io", service="other")
    async with _world() as world:
        world.register(one, other)
        before = await world.until(lambda found: len(found.backends) == 2)
        world.register(one, other, an_api("v2.b.io", service="other"))

        after = await world.until(lambda found: len(found.backends[other.backend].versions) == 2)

    assert sorted(world.asked) == ["one", "other", "other"]
    assert before.backends[one.backend] is after.backends[one.backend]


async def test_others_get_their_turn_while_many_backends_are_begun_with(an_api: AnApi) -> None:
    """Of many new backends a hundred are begun with in one turn of the event loop, and in the end all."""
    apis = [an_api(f"v1.g{number}.io", service=f"s{number}") for number in range(450)]
    async with _world() as world:
        world.register(*apis)
        begun = [0]
        while begun[-1] < len(apis):
            await asyncio.sleep(0)
            begun.append(len(world.refresh._followed))

    assert {100, 50, 0} >= {after - before for before, after in pairwise(begun)}


async def test_a_backend_without_registrations_is_forgotten(an_api: AnApi) -> None:
    """Its document goes, and it is asked no more."""
    api = an_api("v1.a.io")
    async with _world() as world:
        world.register(api)
        await world.until(lambda found: api.backend in found.backends)
        world.register()

        await world.until(lambda found: not found.backends)


async def test_the_same_answer_publishes_nothing(an_api: AnApi) -> None:
    """What did not change wakes nobody."""
    api = an_api("v1.a.io")
    async with _world() as world:
        world.register(api)
        before = await world.until(lambda found: api.backend in found.backends)
        (await world.pauses.get()).set()
        await world.pauses.get()

        assert (world.asked, world.documents.value is before) == (["web", "web"], True)


async def test_a_backend_that_hangs_is_stale_after_the_grace_and_keeps_nobody_waiting(an_api: AnApi) -> None:
    """The others are published at once, the hanging one as stale while its attempt goes on."""
    hanging, living = an_api("v1.a.io", service="hanging"), an_api("v1.b.io", service="living")
    async with _world(grace=0.01) as world:
        world.versions["hanging"] = None
        world.register(hanging, living)

        documents = await world.until(lambda found: len(found.backends) == 2)

    assert [documents.backends[api.backend].versions[api.service.group_version].stale for api in (hanging, living)] == [
        True,
        False,
    ]


async def test_a_core_is_asked_when_there_is_one_and_forgotten_with_it() -> None:
    """The core comes and goes by the topology."""
    async with _world() as world:
        world.register(core=_CORE)
        documents = await world.until(lambda found: found.core is not None)
        world.register()
        await world.until(lambda found: found.core is None)

    assert (documents.core.reached, world.asked) == (True, ["core"])


async def test_a_core_that_hangs_is_known_to_be_unreached_after_the_grace() -> None:
    """Requests are told so instead of waiting."""
    async with _world(grace=0.01) as world:
        world.versions["core"] = None
        world.register(core=_CORE)
        documents = await world.until(lambda found: found.core is not None)

    assert not documents.core.reached


async def test_a_rechecked_core_says_what_it_serves_now() -> None:
    """What was made a moment ago is in the documents when the recheck returns."""
    async with _world() as world:
        world.register(core=_CORE)
        await world.until(lambda found: found.core is not None)
        world.versions["core"] = ["v1"]

        await world.refresh.recheck_core(60)

        groups = world.documents.value.core.apis.groups
    assert [(group.name, len(group.versions)) for group in groups] == [("a.io", 1)]


async def test_a_recheck_during_an_attempt_waits_for_the_next_one() -> None:
    """The attempt under way may have looked before the change was made."""
    async with _world() as world:
        world.register(core=_CORE)
        await world.until(lambda found: found.core is not None)
        asked = len(world.asked)
        first = asyncio.create_task(world.refresh.recheck_core(60))
        while len(world.asked) == asked:
            await asyncio.wait([first], timeout=0)
        await world.refresh.recheck_core(60)

    assert first.done()
    assert len(world.asked) >= asked + 2


async def test_a_core_that_hangs_is_waited_for_no_longer_than_asked() -> None:
    """The recheck gives up, the attempt goes on."""
    async with _world() as world:
        world.register(core=_CORE)
        before = await world.until(lambda found: found.core is not None)
        world.versions["core"] = None

        await world.refresh.recheck_core(0.01)

        assert world.documents.value is before


@pytest.mark.parametrize("core", [None, _CORE])
async def test_a_core_that_is_missing_or_failing_is_not_rechecked(core: Backend | None) -> None:
    """Nobody waits for what is known to be gone; its own rhythm finds out when it is back."""
    async with _world(grace=0.01) as world:
        world.versions["core"] = None
        world.register(core=core)
        await world.until(lambda found: (found.core is None) is (core is None))
        asked = len(world.asked)

        await world.refresh.recheck_core(60)

        assert len(world.asked) == asked
