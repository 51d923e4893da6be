"""A listening HTTP face.

In: an aiohttp application, an address, and what encryption it takes. Out: a server while the context lasts. Law: with
encryption, the application sees no request whose client is not verified and allowed.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import structlog
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage
from aiohttp.typedefs import Handler, Middleware

from controlplane.faces.allowed import is_allowed, presented, refusal
from controlplane.faces.identity import Report, followed
from controlplane.faces.rpc import GRACE_SECONDS, not_listening
from controlplane.faces.seldom import Seldom
from controlplane.settings.face import Face

# What Envoy lets through, and besides a line for each group of the user: aiohttp's own limits are 128 lines of 8 KiB.
_HEADERS_BYTES: Final = 1 << 19
_HEADERS_LINES: Final = 8000

_log = structlog.stdlib.get_logger(__name__)


@asynccontextmanager
async def listening(
    section: str, face: Face, application: web.Application, reporter: Callable[[str], Report]
) -> AsyncIterator[None]:
    """Serves an application; `section` names the face in the settings, `reporter` is that of `followed`.

    Raises:
        StartError: when the address cannot be listened on, or the certificates cannot be used.
    """
    address = face.listen
    async with AsyncExitStack() as stack:
        context: ssl.SSLContext | None = None
        if face.tls is not None:
            identity = await stack.enter_async_context(followed(f"{section}.tls", face.tls, reporter))
            context = identity.context()
            application.middlewares.insert(0, _allowed_only(section, face.tls.allowed_names))
        runner = web.AppRunner(
            application,
            access_log=None,
            shutdown_timeout=GRACE_SECONDS,
            max_line_size=_HEADERS_BYTES,
            max_field_size=_HEADERS_BYTES,
            max_headers=_HEADERS_LINES,
            logger=_server_log(),
        )
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        site: web.BaseSite
        if address.path:
            site = web.UnixSite(runner, address.path)
        else:
            site = web.TCPSite(runner, address.host, address.port, ssl_context=context)
        try:
            await site.start()
        except OSError as error:
            raise not_listening(address) from error
        yield


def _server_log() -> logging.Logger:
    """Aiohttp's log, without requests that cannot be read: their senders are answered 400, and it would quote them."""
    log = logging.getLogger("aiohttp.server")
    log.addFilter(_is_no_clients_fault)
    return log


def _is_no_clients_fault(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], BadHttpMessage))


def _allowed_only(section: str, allowed: tuple[str, ...]) -> Middleware:
    seldom = Seldom(time.monotonic)

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        shown = presented(request.get_extra_info("peercert"))
        if is_allowed(shown, allowed):
            return await handler(request)
        reason = refusal(section, shown)
        if seldom.again(shown):
            _log.warning("client refused", face=section, peer=request.remote, reason=reason)
        return web.Response(status=403, text=reason)

    return check
