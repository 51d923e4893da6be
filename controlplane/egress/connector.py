"""Connections of aiohttp clients, through SOCKS5 proxies too, which aiohttp itself does not know (RFC 1928, RFC 1929).

In: requests, with a proxy of `proxying` or none. Out: connections. Law: through a SOCKS proxy the server's name goes as
it is, for the proxy to look up, and TLS is with the server; how that fails is an aiohttp.ClientError or an OSError.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from typing import Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.tracing import Trace
from python_socks import ProxyError, ProxyType
from python_socks.async_.asyncio import Proxy as Tunnel
from yarl import URL

from controlplane.egress.proxying import AUTHORIZATION, SOCKS

_SOCKS_PORT: Final = 1080


class Connector(aiohttp.TCPConnector):
    """A TCPConnector that takes socks5://HOST:PORT for a proxy, and its credentials from the same header as others."""

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 -- aiohttp's signature
    ) -> ResponseHandler:
        if req.proxy is None or req.proxy.scheme != SOCKS:
            return await super()._create_connection(req, traces, timeout)
        host, port = req.url.raw_host or "", req.port or 0
        shown = req.proxy_headers.get(AUTHORIZATION, "") if req.proxy_headers is not None else ""
        tunnel = _tunnel(req.proxy, shown)
        try:
            made = await tunnel.connect(host, port)
        except TimeoutError:
            raise
        except OSError as error:
            # The library's own OSError shows what it was made of: it has the reason for its cause.
            reason = error.__cause__ if isinstance(error.__cause__, OSError) else error
            key = req.connection_key._replace(host=req.proxy.host or "", port=req.proxy.port or _SOCKS_PORT)
            raise aiohttp.ClientProxyConnectionError(key, reason) from None
        except (ProxyError, ValueError) as error:
            # ValueError: a name or an answer that is none.
            raise aiohttp.ClientConnectionError(f"the proxy does not connect: {error}") from None
        context = self._get_ssl_context(req)
        name = (req.server_hostname or host).rstrip(".") if context is not None else None
        loop = asyncio.get_running_loop()
        try:
            _, protocol = await loop.create_connection(self._factory, sock=made, ssl=context, server_hostname=name)
        except ssl.CertificateError as error:
            raise aiohttp.ClientConnectorCertificateError(req.connection_key, error) from error
        except ssl.SSLError as error:
            raise aiohttp.ClientConnectorSSLError(req.connection_key, error) from error
        return protocol


def _tunnel(proxy: URL, authorization: str) -> Tunnel:
    written = base64.b64decode(authorization.removeprefix("Basic ")).decode()
    name, _, password = written.partition(":")
    port = proxy.port or _SOCKS_PORT
    return Tunnel(ProxyType.SOCKS5, proxy.host or "", port, name or None, password or None)
