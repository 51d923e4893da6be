"""Documents of issuers, fetched over HTTPS.

In: a URL, and the authority that is trusted there. Out: the document, or why there is none. Law: nothing a server does
raises here; a document has an end after so many bytes and so many seconds, and every address on the way is https.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

import aiohttp
from yarl import URL

from controlplane.egress.connector import Connector
from controlplane.egress.proxying import DIRECT, NoWay, Proxies
from controlplane.model.credentials import Secret

MOST_BYTES: Final = 1 << 20
SECONDS: Final = 10.0
CLAIM_SECONDS: Final = 30.0
"""What a claim that is kept somewhere else may take, as in kube-apiserver."""
_CHUNK: Final = 1 << 16
_REDIRECTS: Final = 10
_REDIRECTING: Final = frozenset({301, 302, 303, 307, 308})
# kube-apiserver shows its keys as application/jwk-set+json, and to nobody who does not accept that.
_ACCEPTED: Final = "application/json, application/jwk-set+json"
_HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": "isthmus"}
_DOCUMENTS: Final = range(200, 201)
_CLAIMS: Final = range(200, 227)


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """Why a document could not be had."""

    reason: str


Fetch: TypeAlias = Callable[[str], Awaitable[bytes | FetchFailed]]
"""Fetches the document at a URL."""
FetchClaim: TypeAlias = Callable[[str, Secret | None], Awaitable[bytes | FetchFailed]]
"""Fetches what is at a URL for whoever shows an access token."""
Trusting: TypeAlias = Callable[[str], ssl.SSLContext]
"""`trust`, or what remembers what came of it."""


def trust(certificate_authority: str) -> ssl.SSLContext:
    """What trusts `certificate_authority` (PEM; "": the system's roots).

    Raises:
        ssl.SSLError: when the authority is no PEM certificate.
    """
    # What is not ASCII can only be in the remarks between certificates. It is replaced, since nothing at all would mean
    # the system's roots.
    context = ssl.create_default_context(cadata=certificate_authority.encode("ascii", "replace").decode() or None)
    # As in Go, any certificate that is trusted ends a chain, and an old authority needs no key identifiers.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


@asynccontextmanager
async def fetching(
    certificate_authority: str,
    seconds: float = SECONDS,
    proxies: Proxies = DIRECT,
    trusting: Trusting = trust,
) -> AsyncIterator[Fetch]:
    """A `Fetch` that trusts `certificate_authority` (PEM; "": the system's roots) and gives up after `seconds`.

    As kube-apiserver, it follows up to ten redirects. `trusting` makes of an authority what trusts it.

    Raises:
        ssl.SSLError: when the authority is no PEM certificate.
    """
    async with _session(trusting(certificate_authority)) as session:

        async def fetch(url: str) -> bytes | FetchFailed:
            try:
                async with asyncio.timeout(seconds):
                    return await _document(session, url, proxies, {"Accept": _ACCEPTED}, _DOCUMENTS)
            except TimeoutError:
                return FetchFailed(f"{url}: no whole answer within {seconds:g} s")
            # A session that was closed in the meantime says so with a RuntimeError.
            except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:
                return FetchFailed(f"{url}: {error}" if str(error) else f"{url}: {type(error).__name__}")

        yield fetch


@asynccontextmanager
async def claim_fetching(
    certificate_authority: str,
    seconds: float = CLAIM_SECONDS,
    proxies: Proxies = DIRECT,
    trusting: Trusting = trust,
) -> AsyncIterator[FetchClaim]:
    """The same for claims: the access token goes to the host of the URL and those below it, wherever that leads.

    Neither the URL, which a token holds, nor the access token is in any reason.

    Raises:
        ssl.SSLError: when the authority is no PEM certificate.
    """
    async with _session(trusting(certificate_authority)) as session:

        async def fetch(url: str, access_token: Secret | None) -> bytes | FetchFailed:
            shown = {} if access_token is None else {"Authorization": f"Bearer {access_token.reveal().decode()}"}
            try:
                async with asyncio.timeout(seconds):
                    found = await _document(session, url, proxies, shown, _CLAIMS)
            except TimeoutError:
                return FetchFailed(f"no whole answer within {seconds:g} s")
            except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:
                return FetchFailed(type(error).__name__)
            return FetchFailed(found.reason.removeprefix(f"{url}: ")) if isinstance(found, FetchFailed) else found

        yield fetch


@asynccontextmanager
async def _session(context: ssl.SSLContext) -> AsyncIterator[aiohttp.ClientSession]:
    # Connections are closed at once: a document is asked for every few minutes.
    connector = Connector(ssl=context, force_close=True)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None),
        headers=_HEADERS,
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        yield session


async def _document(
    session: aiohttp.ClientSession, url: str, proxies: Proxies, headers: dict[str, str], good: range
) -> bytes | FetchFailed:
    if not url.startswith("https://"):
        return FetchFailed(f"{url}: it is not https")
    asked = first = URL(url)
    # One by one, so that none but https addresses is ever asked.
    for _ in range(_REDIRECTS):
        proxy = proxies.of(str(asked))
        if isinstance(proxy, NoWay):
            return FetchFailed(f"{url}: {proxy.reason}")
        async with session.get(
            asked,
            allow_redirects=False,
            headers=headers,
            proxy=None if proxy is None else proxy.url,
            proxy_headers=None if proxy is None else proxy.headers,
        ) as response:
            if response.status not in _REDIRECTING or "Location" not in response.headers:
                return await _content(response, url, good)
            asked = asked.join(URL(response.headers["Location"]))
        if asked.scheme != "https":
            return FetchFailed(f"{url}: it leads to an address that is not https")
        if not _is_below(asked, first):
            headers = {name: value for name, value in headers.items() if name != "Authorization"}
    return FetchFailed(f"{url}: it leads on more than {_REDIRECTS} times")


def _is_below(url: URL, first: URL) -> bool:
    """Whether the host is that of `first`, or one of its subdomains."""
    host, above = url.raw_host or "", first.raw_host or ""
    return host == above or (host.endswith(f".{above}") and ":" not in host)


async def _content(response: aiohttp.ClientResponse, url: str, good: range) -> bytes | FetchFailed:
    if response.status not in good:
        return FetchFailed(f"{url}: HTTP status {response.status}")
    document = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        document += chunk
        if len(document) > MOST_BYTES:
            return FetchFailed(f"{url}: the document has more than {MOST_BYTES} bytes")
    return bytes(document)
