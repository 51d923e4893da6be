"""The server: TLS, the listening socket, and its orderly end.

In go ServerOptions and what the process provides (clock, randomness, audit sink); out comes a running server.
The law: no byte of a request is read before TLS has verified the client's certificate against the front-proxy CA.
"""

import secrets
import ssl
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from aiohttp import web

from servicecatalog.audit import AuditSink
from servicecatalog.feed import Feed
from servicecatalog.handlers.context import Api
from servicecatalog.handlers.documents import Documents
from servicecatalog.handlers.front import Front
from servicecatalog.registry import Registry
from servicecatalog.store import Store

_SUFFIX_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
_SHUTDOWN_SECONDS: Final = 1.0
# Longer than any proxy keeps an idle connection, so that the proxy, never the server, is the one to close it.
_KEEPALIVE_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where the server listens, whom it trusts, and how long it remembers.

    `port` 0 picks a free one. Empty `allowed_names` trusts every certificate the CA signed. Intervals are in seconds.
    """

    address: str
    port: int
    cert_file: Path
    key_file: Path
    client_ca_file: Path
    allowed_names: frozenset[str] = frozenset()
    watch_history: int = 1000
    bookmark_interval: float = 50.0
    watch_timeout: float = 1800.0


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


def tls_context(options: ServerOptions) -> ssl.SSLContext:
    """The server's TLS context; the client certificate is required.

    Raises:
        OSError: a file cannot be read, or is not what it should be (ssl.SSLError).
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(options.client_ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(options.cert_file, options.key_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


class Server:
    """One API server in the running event loop."""

    def __init__(self, options: ServerOptions, *, audit: AuditSink, now: Callable[[], datetime] = utc_now) -> None:
        self._options = options
        self._feed = Feed()
        # Revisions start at the clock, so those of an earlier process are too old here, and its clients list again.
        store = Store(
            initial_revision=int(now().timestamp() * 1000), history=options.watch_history, on_write=self._feed.announce
        )
        registry = Registry(store, now=now, new_uid=_new_uid, new_suffix=_new_suffix)
        api = Api(
            store=store,
            registry=registry,
            feed=self._feed,
            documents=Documents(),
            audit=audit,
            now=now,
            new_uid=_new_uid,
            allowed_names=options.allowed_names,
            bookmark_interval=options.bookmark_interval,
            watch_timeout=options.watch_timeout,
        )
        # A watch without events would otherwise outlive its client.
        http = web.Server(
            Front(api).handle, handler_cancellation=True, keepalive_timeout=_KEEPALIVE_SECONDS, access_log=None
        )
        self._runner = web.ServerRunner(http, shutdown_timeout=_SHUTDOWN_SECONDS)

    async def start(self) -> int:
        """Listen, and return the port.

        Raises:
            OSError: the address is taken, or a TLS file cannot be used.
        """
        context = tls_context(self._options)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._options.address, self._options.port, ssl_context=context)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """End the watches, let running requests finish for a second, and close everything."""
        self._feed.close()
        await self._runner.cleanup()


def _new_uid() -> str:
    return str(uuid.uuid4())


def _new_suffix() -> str:
    return "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(5))
