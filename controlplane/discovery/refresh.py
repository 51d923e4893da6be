"""Keeps what servers said up to date.

In: topologies. Out: `Documents`. Law: every server is asked by a task of its own and waits for no other one's answer;
what an answer did not change stays the identical object, and wakes nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Final, Protocol

from controlplane.aio import Watchable
from controlplane.discovery.assignments import Assignments
from controlplane.discovery.client import Reply, Unreachable, backend_client
from controlplane.discovery.decode import stale
from controlplane.discovery.documents import BackendDocument, CoreDocument, Documents
from controlplane.discovery.fetch import backend_discovery, backend_openapi, core_document
from controlplane.discovery.follow import Lanes, Pause, Server, follow, pause
from controlplane.model.credentials import Credentials
from controlplane.model.topology import Backend, BackendKey, Topology

_GRACE: Final = 1.0
_NO_ANSWER: Final = "no answer yet"

# A TLS handshake and two answers cost a millisecond or two each: from so many on, that is felt elsewhere.
_MANY: Final = 200

# To begin with so many at once takes some milliseconds, and with 10,000 a quarter of a second, for which Envoy would
# wait for its first clusters.
_AT_ONCE: Final = 100


async def at_once() -> None:
    """Waits for nothing."""


class Client(Protocol):
    """Asks servers, as `client.BackendClient` does."""

    async def get(
        self, backend: Backend, credentials: Credentials | None, path: str, *, accept: str, etag: str = ""
    ) -> Reply | Unreachable:
        """The answer, or why there is none; never raises."""


class Refresh:
    """One task a server.

    `client` opens the way to ask servers and `pause` waits between two attempts. After `grace` seconds a server's first
    answer is not waited for any more: it is listed as stale until it comes. Before a great many servers are asked,
    `settled` is awaited: that requests are routed comes before that clients can ask what there is.
    """

    def __init__(
        self,
        topology: Watchable[Topology],
        documents: Watchable[Documents],
        *,
        client: Callable[[], AbstractAsyncContextManager[Client]] = backend_client,
        pause: Pause = pause,
        grace: float = _GRACE,
        settled: Callable[[], Coroutine[None, None, None]] = at_once,
    ) -> None:
        self._topology = topology
        self._documents = documents
        self._client = client
        self._pause = pause
        self._grace = grace
        self._settled = settled
        self._lanes = Lanes()
        # The core waits behind no backend: most of what clients ask about is its.
        self._core_lanes = Lanes()
        self._assignments = Assignments()
        self._backends: dict[BackendKey, BackendDocument] = {}
        self._core: CoreDocument | None = None
        # The core API server's key is None.
        self._followed: dict[BackendKey | None, tuple[Server, asyncio.Task[None]]] = {}
        self._publishing = False
        self._rechecks: list[asyncio.Future[None]] = []

    async def run(self) -> None:
        """Follows the topology until it is cancelled."""
        async with self._client() as client, asyncio.TaskGroup() as tasks:
            while True:
                topology = self._topology.value
                await self._advance(topology, client, tasks)
                await self._topology.changed(topology)

    async def recheck_core(self, seconds: float) -> None:
        """Returns when the documents hold what the core says now, or after `seconds`.

        What the core serves changes with every CustomResourceDefinition, and a client that has just made one expects to
        find it. A core that did not answer last time is not waited for.
        """
        followed = self._followed.get(None)
        if followed is None or self._core is None or self._core.failure:
            return
        rechecked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._rechecks.append(rechecked)
        followed[0].poked.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await rechecked

    async def _advance(self, topology: Topology, client: Client, tasks: asyncio.TaskGroup) -> None:
        before = self._assignments.topology
        keys = self._assignments.advance(topology)
        if len(keys) >= _MANY:
            settling = tasks.create_task(self._settled())
            self._lanes.closed_by.add(settling)
            settling.add_done_callback(self._lanes.closed_by.discard)
        wanted = [key for key in keys if self._assignments.wanted(key)]
        for key in keys.difference(wanted):
            self._forget(key)
            if self._backends.pop(key, None) is not None:
                self._publish_soon()
        if topology.core is None:
            self._forget(None)
            if self._core is not None:
                self._core = None
                self._publish_soon()
        elif topology.core is not before.core or topology.credentials is not before.credentials:
            self._ask(None, partial(self._core_server, client), tasks)
        for number, key in enumerate(wanted, 1):
            self._ask(key, partial(self._backend_server, key, client), tasks)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)

    def _ask(self, key: BackendKey | None, server: Callable[[], Server], tasks: asyncio.TaskGroup) -> None:
        if key in self._followed:
            self._followed[key][0].poked.set()
            return
        new = server()
        lanes = self._core_lanes if key is None else self._lanes
        self._followed[key] = new, tasks.create_task(follow(new, lanes, self._pause))

    def _forget(self, key: BackendKey | None) -> None:
        _, task = self._followed.pop(key, (None, None))
        if task is not None:
            task.cancel()

    def _backend_server(self, key: BackendKey, client: Client) -> Server:
        service = key.service
        name = f"{service.namespace}/{service.name}:{service.port}"
        attempt = partial(self._ask_backend, key, client)
        return Server(name, attempt, partial(self._presume_backend_stale, key), self._grace)

    def _core_server(self, client: Client) -> Server:
        return Server("core", partial(self._ask_core, client), self._presume_core_unreached, self._grace)

    async def _ask_backend(self, key: BackendKey, client: Client) -> str:
        topology = self._assignments.topology
        wanted = self._assignments.wanted(key)
        get = partial(client.get, topology.backends[key], topology.credentials)
        document = await backend_discovery(get, wanted, self._backends.get(key, BackendDocument()))
        self._record(key, document)
        if not document.failure:
            # Recorded apart: nobody who lists APIs waits for their documentation.
            self._record(key, await backend_openapi(get, wanted, document))
        return document.failure

    async def _ask_core(self, client: Client) -> str:
        topology = self._assignments.topology
        if topology.core is None:
            return ""
        # Who asks from here on may know of something that this attempt no longer sees, and waits for the next one.
        waiting, self._rechecks = self._rechecks, []
        document = await core_document(
            partial(client.get, topology.core, topology.credentials), self._core or CoreDocument()
        )
        self._record_core(document)
        self._publish()
        for rechecked in waiting:
            if not rechecked.done():
                rechecked.set_result(None)
        return document.failure

    def _presume_backend_stale(self, key: BackendKey) -> None:
        document = self._backends.get(key, BackendDocument())
        missing = {
            wanted: stale(wanted.version) for wanted in self._assignments.wanted(key) if wanted not in document.versions
        }
        if missing:
            versions = MappingProxyType({**document.versions, **missing})
            self._record(key, replace(document, versions=versions, etag="", failure=_NO_ANSWER))

    def _presume_core_unreached(self) -> None:
        if self._core is None:
            self._record_core(CoreDocument(failure=_NO_ANSWER))

    def _record(self, key: BackendKey, document: BackendDocument) -> None:
        if self._backends.get(key) != document:
            self._backends[key] = document
            self._publish_soon()

    def _record_core(self, document: CoreDocument) -> None:
        if self._core != document:
            self._core = document
            self._publish_soon()

    def _publish_soon(self) -> None:
        """Publishes once for all that is recorded in one turn of the event loop."""
        if not self._publishing:
            self._publishing = True
            asyncio.get_running_loop().call_soon(self._publish)

    def _publish(self) -> None:
        if not self._publishing:
            return
        self._publishing = False
        self._documents.publish(Documents(MappingProxyType(dict(self._backends)), self._core))
