"""The demo API server of examples/servicecatalog in the test's own process, and a front proxy that calls it.

In: certificate files. Out: a server on a free port, and what its clients are answered. Law: every request goes over
real TLS, and whatever is started is stopped.
"""

from __future__ import annotations

import asyncio
import io
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from multidict import CIMultiDictProxy
from servicecatalog.schemas import JsonObject, JsonValue
from servicecatalog.server import Server, ServerOptions

ROOT = "/apis/servicecatalog.k8s.io/v1beta1"
BROKERS = f"{ROOT}/clusterservicebrokers"
INSTANCES = f"{ROOT}/namespaces/default/serviceinstances"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
DISCOVERY_V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
BROKER: JsonObject = {"metadata": {"name": "demo", "labels": {"app": "x"}}, "spec": {"url": "https://b"}}
INSTANCE: JsonObject = {
    "apiVersion": "servicecatalog.k8s.io/v1beta1",
    "kind": "ServiceInstance",
    "metadata": {"name": "one"},
    "spec": {"clusterServiceClassName": "c", "clusterServicePlanName": "p"},
}


@dataclass(frozen=True, slots=True)
class Pki:
    """The files of a server, and a TLS context for each kind of client."""

    options: ServerOptions
    proxy: ssl.SSLContext
    other_name: ssl.SSLContext
    other_ca: ssl.SSLContext
    no_certificate: ssl.SSLContext


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that has been read: code, headers and text."""

    code: int
    headers: CIMultiDictProxy[str]
    text: str

    @property
    def json(self) -> JsonValue:
        """The body as JSON."""
        return json.loads(self.text)

    def header(self, name: str) -> str:
        """One header; empty when it is absent."""
        return self.headers.get(name, "")


class Client:
    """A front proxy that calls as alice, a member of two groups."""

    def __init__(self, session: aiohttp.ClientSession, context: ssl.SSLContext) -> None:
        """Use a session whose base address is the server."""
        self._session = session
        self._context = context

    async def call(
        self,
        method: str,
        path: str,
        body: JsonValue = None,
        *,
        content_type: str = "application/json",
        headers: tuple[tuple[str, str], ...] = (("X-Remote-User", "alice"),),
        **more: str,
    ) -> Answer:
        """One request; `more` are further headers, with underscores for hyphens."""
        sent = [*headers, *((key.replace("_", "-"), value) for key, value in more.items())]
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        if data is not None:
            sent.append(("Content-Type", content_type))
        async with self._session.request(
            method,
            path,
            data=None if data is None else io.BytesIO(data),
            headers=sent,
            ssl=self._context,
            allow_redirects=False,
        ) as response:
            return Answer(response.status, response.headers, await response.text())

    @asynccontextmanager
    async def watch(self, path: str, **headers: str) -> AsyncIterator[Events]:
        """An open watch, once its headers have arrived."""
        sent = {"X-Remote-User": "alice", **headers}
        async with self._session.get(path, headers=sent, ssl=self._context) as response:
            assert response.status == 200
            yield Events(response)


class Events:
    """The events of one watch."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        """Read from an open response."""
        self._response = response

    async def next(self) -> JsonValue:
        """The next event."""
        async with asyncio.timeout(5):
            return json.loads(await self._response.content.readline())

    async def ends(self) -> bool:
        """Whether nothing follows and the response ends."""
        async with asyncio.timeout(5):
            return await self._response.content.readline() == b""


@dataclass(frozen=True, slots=True)
class Running:
    """A running server, a front proxy's client of it, and what it has audited."""

    server: Server
    session: aiohttp.ClientSession
    client: Client
    audited: list[JsonObject]

    def calling_with(self, context: ssl.SSLContext) -> Client:
        """A client with another TLS context."""
        return Client(self.session, context)


@asynccontextmanager
async def running(pki: Pki, options: ServerOptions) -> AsyncIterator[Running]:
    """A server on a free port, stopped at the end."""
    audited: list[JsonObject] = []
    server = Server(options, audit=audited.append)
    port = await server.start()
    try:
        async with aiohttp.ClientSession(base_url=f"https://127.0.0.1:{port}") as session:
            yield Running(server, session, Client(session, pki.proxy), audited)
    finally:
        await server.stop()
