"""One GET from a backend, over TLS, as the aggregator itself.

In: a `Backend`, credentials, a path. Out: a `Reply`, or `Unreachable` with the reason in a sentence. Law: never raises
for what a backend does or does not do, and is done within the time limit.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final
from weakref import WeakSet

import aiohttp

from controlplane.discovery.aside import Aside, aside
from controlplane.egress.certificate import show
from controlplane.model.credentials import Credentials, KeyPair
from controlplane.model.topology import Backend, Endpoint

_MEBIBYTE: Final = 1 << 20
_BODY_LIMIT: Final = 16 * _MEBIBYTE
_TRUST_LIMIT: Final = 256

# Long enough for a handshake across the world, short enough to leave time for the next endpoint.
_CONNECT_SECONDS: Final = 2.0

# A server is asked for two documents in a row, then not for a minute; meanwhile each of its connections would hold
# 256 KiB, which is what asyncio reads TLS into, and that for thousands of servers.
_IDLE_SECONDS: Final = 0.5

_GOODBYE_SECONDS: Final = 0.5
_LOOK_SECONDS: Final = 0.005

# Who asks, for backends that believe the front-proxy certificate: the user kube-aggregator asks as.
_IDENTITY: Final = {"X-Remote-User": "system:kube-aggregator", "X-Remote-Group": "system:masters"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a backend answered; `body` is empty unless the status is 200."""

    status: int
    content_type: str = ""
    etag: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Why there is no answer."""

    reason: str


class BackendClient:
    """Asks backends from the loop of `aside`, over connections that are kept for a moment.

    `seconds` is the limit for one answer.
    """

    def __init__(self, aside: Aside, seconds: float) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._aside = aside
        self._seconds = seconds
        # One context a trust, not one a backend: connections are shared by it, and system roots are slow to read.
        self._context = lru_cache(maxsize=_TRUST_LIMIT)(_context)

    async def get(
        self, backend: Backend, credentials: Credentials | None, path: str, *, accept: str, etag: str = ""
    ) -> Reply | Unreachable:
        """GET `path`; `etag` is sent as If-None-Match. Endpoints are tried in turn until one takes the connection."""
        return await self._aside.run(self._get(backend, credentials, path, accept, etag))

    async def _get(
        self, backend: Backend, credentials: Credentials | None, path: str, accept: str, etag: str
    ) -> Reply | Unreachable:
        try:
            context = self._trust(backend, credentials)
        except (ssl.SSLError, OSError, ValueError) as error:
            return Unreachable(f"caBundle or the front-proxy certificate cannot be used: {error}")
        headers = {"Host": backend.server_name, "Accept": accept, "Accept-Encoding": "identity", **_who(credentials)}
        if etag:
            headers["If-None-Match"] = etag
        reason = "there is no endpoint to connect to"
        try:
            async with asyncio.timeout(self._seconds):
                for endpoint in backend.endpoints:
                    try:
                        return await self._ask(backend, endpoint, path, headers, context)
                    except (aiohttp.ClientConnectionError, ConnectionError) as error:
                        reason = f"{_place(endpoint)}: {_words(error)}"
        except TimeoutError:
            reason = f"no answer within {self._seconds:g} s"
        except (aiohttp.ClientError, ssl.SSLError, OSError, ValueError) as error:
            reason = _words(error)
        return Unreachable(reason)

    def _trust(self, backend: Backend, credentials: Credentials | None) -> ssl.SSLContext:
        roots = backend.ca_bundle or (credentials.system_roots if credentials else b"")
        return self._context(roots if backend.verified else None, credentials.front_proxy if credentials else None)

    async def _ask(
        self, backend: Backend, endpoint: Endpoint, path: str, headers: dict[str, str], context: ssl.SSLContext
    ) -> Reply | Unreachable:
        async with self._opened().get(
            f"https://{_place(endpoint)}{path}",
            headers=headers,
            ssl=context,
            server_hostname=backend.server_name,
            allow_redirects=False,
        ) as response:
            if response.status != 200:
                return Reply(response.status)
            body = bytearray()
            async for chunk in response.content.iter_chunked(_MEBIBYTE):
                body += chunk
                if len(body) > _BODY_LIMIT:
                    return Unreachable(f"the answer to {path} is larger than {_BODY_LIMIT // _MEBIBYTE} MiB")
            names = response.headers
            return Reply(200, names.get("Content-Type", ""), names.get("ETag", ""), bytes(body))

    def _opened(self) -> aiohttp.ClientSession:
        # Opened with the first question: whoever is cancelled while asking cannot lose it.
        if self._session is None:
            self._session = _session(self._socket)
            self._aside.at_end(partial(self._close, self._session))
        return self._session

    def _socket(self, place: aiohttp.AddrInfoType) -> socket.socket:
        made = socket.socket(*place[:3])
        self._sockets.add(made)
        return made

    async def _close(self, session: aiohttp.ClientSession) -> None:
        await session.close()
        # Closing says goodbye in TLS; nobody tells when the other side has answered and the socket is closed.
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                while any(made.fileno() >= 0 for made in self._sockets):  # noqa: ASYNC110 - there is no such event
                    await asyncio.sleep(_LOOK_SECONDS)


@asynccontextmanager
async def backend_client(seconds: float = 5.0) -> AsyncIterator[BackendClient]:
    """A client that is closed at the end; `seconds` is the limit for one answer."""
    async with aside("discovery") as thread:
        yield BackendClient(thread, seconds)


def _session(make_socket: Callable[[aiohttp.AddrInfoType], socket.socket]) -> aiohttp.ClientSession:
    # Requests at once are bounded where they are started; a bound here would let slow backends keep others waiting.
    connector = aiohttp.TCPConnector(
        limit=0, limit_per_host=8, keepalive_timeout=_IDLE_SECONDS, socket_factory=make_socket
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )


def _who(credentials: Credentials | None) -> dict[str, str]:
    if credentials is None or credentials.serving is not None:
        return _IDENTITY
    # Beside a client what is shown is a user's credential, and nobody is asked for.
    token = credentials.bearer_token
    return {"Authorization": f"Bearer {token.reveal().decode()}"} if token is not None else {}


def _context(roots: bytes | None, client: KeyPair | None) -> ssl.SSLContext:
    """Trusts `roots` (PEM) and nothing else; None trusts whoever answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # As Go verifies, which is what backends' certificates are made for: any certificate of the bundle is an anchor, an
    # intermediate's too, and only the subject alternative names count.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.hostname_checks_common_name = False
    if roots is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif roots:
        # What is not ASCII can only be in the remarks between certificates.
        context.load_verify_locations(cadata=roots.decode("ascii", "ignore"))
    if client is not None:
        show(context, client)
    return context


def _words(error: Exception) -> str:
    # aiohttp's own texts show objects of the TLS library; what they wrap says what happened.
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return str(error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorError):
        return str(error.os_error)
    return str(error) or type(error).__name__


def _place(endpoint: Endpoint) -> str:
    host = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    return f"{host}:{endpoint.port}"
