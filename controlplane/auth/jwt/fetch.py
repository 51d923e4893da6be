"""Documents of issuers, fetched over HTTPS.

In: a URL, and the authority that is trusted there. Out: the document, or why there is none. Law: nothing a server does
raises here; a document has an end after so many bytes and so many seconds, and every address on the way is https.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

import aiohttp
from yarl import URL

MOST_BYTES: Final = 1 << 20
SECONDS: Final = 10.0
_CHUNK: Final = 1 << 16
_REDIRECTS: Final = 10
_REDIRECTING: Final = frozenset({301, 302, 303, 307, 308})
# kube-apiserver shows its keys as application/jwk-set+json, and to nobody who does not accept that.
_ACCEPTED: Final = "application/json, application/jwk-set+json"
_HEADERS: Final = {"Accept": _ACCEPTED, "Accept-Encoding": "identity", "User-Agent": "isthmus"}


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """Why a document could not be had."""

    reason: str


Fetch: TypeAlias = Callable[[str], Awaitable[bytes | FetchFailed]]
"""Fetches the document at a URL."""


@asynccontextmanager
async def fetching(certificate_authority: str, seconds: float = SECONDS) -> AsyncIterator[Fetch]:
    """A `Fetch` that trusts `certificate_authority` (PEM; "": the system's roots) and gives up after `seconds`.

    As kube-apiserver, it follows up to ten redirects.

    Raises:
        ssl.SSLError: when the authority is no PEM certificate.
    """
    # Connections are closed at once: a document is asked for every few minutes.
    connector = aiohttp.TCPConnector(ssl=_trust(certificate_authority), force_close=True)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=seconds),
        headers=_HEADERS,
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:

        async def fetch(url: str) -> bytes | FetchFailed:
            try:
                return await _document(session, url)
            except TimeoutError:
                return FetchFailed(f"{url}: no whole answer within {seconds:g} s")
            # A session that was closed in the meantime says so with a RuntimeError.
            except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:
                return FetchFailed(f"{url}: {error}" if str(error) else f"{url}: {type(error).__name__}")

        yield fetch


async def _document(session: aiohttp.ClientSession, url: str) -> bytes | FetchFailed:
    if not url.startswith("https://"):
        return FetchFailed(f"{url}: it is not https")
    asked = URL(url)
    # One by one, so that none but https addresses is ever asked.
    for _ in range(_REDIRECTS):
        async with session.get(asked, allow_redirects=False) as response:
            if response.status not in _REDIRECTING or "Location" not in response.headers:
                return await _content(response, url)
            asked = asked.join(URL(response.headers["Location"]))
        if asked.scheme != "https":
            return FetchFailed(f"{url}: it leads to an address that is not https")
    return FetchFailed(f"{url}: it leads on more than {_REDIRECTS} times")


async def _content(response: aiohttp.ClientResponse, url: str) -> bytes | FetchFailed:
    if response.status != 200:
        return FetchFailed(f"{url}: HTTP status {response.status}")
    document = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        document += chunk
        if len(document) > MOST_BYTES:
            return FetchFailed(f"{url}: the document has more than {MOST_BYTES} bytes")
    return bytes(document)


def _trust(certificate_authority: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=certificate_authority or None)
    # As in Go, any certificate that is trusted ends a chain, and an old authority needs no key identifiers.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
