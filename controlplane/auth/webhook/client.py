"""Questions to one server over HTTPS: POST a review, read the review that comes back.

In: a `Connection` and the bytes of a review. Out: what was answered, or a `Failure`. Law: nothing a server does or does
not do raises here, and every question has an end: so long for one try, so long in all, so many bytes.
"""

from __future__ import annotations

import asyncio
import errno
import random
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeVar

import aiohttp

from controlplane.auth.webhook.bearer import Bearer
from controlplane.auth.webhook.kubeconfig import Connection, Reader
from controlplane.auth.webhook.retry import Failure, pauses, refusal
from controlplane.egress.certificate import show
from controlplane.egress.connector import Connector
from controlplane.egress.proxying import DIRECT, NoWay, Proxies
from controlplane.errors import SettingsError

_BODY_LIMIT: Final = 1 << 20
_CHUNK: Final = 1 << 16
_IDLE_SECONDS: Final = 30.0
_HEADERS: Final = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "isthmus",
}
_RESETS: Final = frozenset({errno.ECONNRESET, errno.EPIPE})
_SHOWN: Final = 200

T = TypeVar("T")


class Observer(Protocol):
    """Is told of every try: how it ended ("success", "timeout", "error" or "canceled"), its HTTP status (0: none)."""

    def __call__(self, result: str, code: int, seconds: float) -> None:
        """One try ended after `seconds`."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The outer world, as far as clients need it: a clock (seconds), chance (0 up to 1), a pause, files, proxies."""

    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep
    read: Reader = Path.read_bytes
    proxies: Proxies = DIRECT


class ReviewClient:
    """Asks one server, over connections that are kept.

    `seconds` is the limit for one try, `in_all` for a question with its repetitions.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        connection: Connection,
        surroundings: Surroundings,
        *,
        seconds: float,
        in_all: float,
    ) -> None:
        self._session = session
        self._url = connection.url
        self._proxy = connection.proxy or surroundings.proxies.of(connection.url)
        self._context = tls_context(connection)
        self._server_name = connection.server_name or None
        self._bearer = Bearer(connection, surroundings.read, surroundings.clock)
        self._surroundings = surroundings
        self._seconds = seconds
        self._in_all = in_all

    async def ask(self, body: bytes, read: Callable[[bytes], T | str], observe: Observer) -> T | Failure:
        """What `read` makes of the answer to `body`; a text from `read` says why it is none. Each try is observed."""
        end = self._surroundings.clock() + self._in_all
        waiting = pauses(self._surroundings.chance)
        while True:
            answer = await self._observed(body, read, observe, end - self._surroundings.clock())
            pause = next(waiting, None)
            if not isinstance(answer, Failure) or not answer.retried or pause is None:
                return answer
            pause = max(pause, answer.after)
            if self._surroundings.clock() + pause >= end:
                return answer
            await self._surroundings.pause(pause)

    async def _observed(
        self, body: bytes, read: Callable[[bytes], T | str], observe: Observer, left: float
    ) -> T | Failure:
        began = self._surroundings.clock()
        result, code = "canceled", 0
        try:
            answer = await self._tried(body, left)
            if isinstance(answer, Failure):
                result, code = "timeout" if answer.timeout else "error", answer.code
                return answer
            code = 200
            meaning = read(answer)
            result = "error" if isinstance(meaning, str) else "success"
            return Failure(meaning, 200) if isinstance(meaning, str) else meaning
        finally:
            observe(result, code, self._surroundings.clock() - began)

    async def _tried(self, body: bytes, left: float) -> bytes | Failure:
        seconds = min(self._seconds, left)
        try:
            async with asyncio.timeout(seconds):
                return await self._post(body)
        except TimeoutError:
            return Failure(f"no answer within {seconds:.3g} s", timeout=True)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError):
            return Failure("the server closed the connection", retried=True)
        except (aiohttp.ClientError, ssl.SSLError, OSError, ValueError, RuntimeError) as error:
            # RuntimeError: the session was closed, because whom to ask has changed.
            return Failure(_words(error), retried=getattr(error, "errno", None) in _RESETS)

    async def _post(self, body: bytes) -> bytes | Failure:
        shown = await self._bearer.header()
        if isinstance(shown, str):
            return Failure(shown)
        headers = _HEADERS if shown is None else {**_HEADERS, "Authorization": shown.reveal().decode()}
        proxy = self._proxy
        if isinstance(proxy, NoWay):
            return Failure(proxy.reason)
        async with self._session.post(
            self._url,
            data=body,
            headers=headers,
            ssl=self._context,
            server_hostname=self._server_name,
            allow_redirects=False,
            proxy=None if proxy is None else proxy.url,
            proxy_headers=None if proxy is None else proxy.headers,
        ) as response:
            content = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK):
                content += chunk
                if len(content) > _BODY_LIMIT:
                    return Failure(f"the answer is larger than {_BODY_LIMIT >> 20} MiB", response.status)
            if response.status == 401:
                self._bearer.refused()
            # Like client-go, which knows no success beyond 206.
            if 200 <= response.status <= 206:
                return bytes(content)
            return refusal(response.status, bytes(content), response.headers.get("Retry-After", ""))


@asynccontextmanager
async def opened() -> AsyncIterator[aiohttp.ClientSession]:
    """A session for clients; its connections end with it."""
    async with aiohttp.ClientSession(
        connector=Connector(keepalive_timeout=_IDLE_SECONDS),
        timeout=aiohttp.ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    ) as session:
        yield session


def tls_context(connection: Connection) -> ssl.SSLContext:
    """Trusts the roots of `connection` and nothing else, and shows its client certificate.

    Raises:
        SettingsError: when OpenSSL cannot use them.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # As Go verifies: any certificate of the bundle is an anchor, and only the subject alternative names count.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.hostname_checks_common_name = False
    try:
        if connection.roots is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif connection.roots:
            # What is not ASCII can only be in the remarks between certificates.
            context.load_verify_locations(cadata=connection.roots.decode("ascii", "ignore"))
        else:
            context.load_default_certs()
    except (ssl.SSLError, ValueError) as error:
        raise SettingsError(
            f"{connection.url}: the certificate authority is no PEM certificate ({_words(error)}); mend it"
        ) from error
    if connection.client is not None:
        try:
            show(context, connection.client)
        except (ssl.SSLError, ValueError) as error:
            raise SettingsError(
                f"{connection.url}: the client certificate and its key cannot be used ({_words(error)}); give a PEM "
                "certificate and its unencrypted PEM key"
            ) from error
    return context


def _words(error: Exception) -> str:
    # aiohttp's own texts show objects of the TLS library; what they wrap says what happened.
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        error = error.certificate_error
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not trusted: {error.verify_message}"
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return f"the proxy cannot be reached: {error.os_error.strerror or type(error.os_error).__name__}"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy answered {error.status} instead of connecting"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"the server cannot be reached: {error.os_error.strerror or type(error.os_error).__name__}"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error)[:_SHOWN] or type(error).__name__
