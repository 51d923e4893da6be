"""Issuers and webhooks behind a proxy that the environment names, over real connections."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from pki import CertificateAuthority
from proxy_servers import BASIC, PASSWORD, ConnectProxy, Proxy, SocksProxy
from review_server import ReviewServer, reply
from structlog.testing import capture_logs

from controlplane.auth.jwt.fetch import FetchFailed, fetching
from controlplane.auth.webhook.client import ReviewClient, Surroundings, opened
from controlplane.auth.webhook.kubeconfig import Connection
from controlplane.auth.webhook.retry import Failure
from controlplane.egress.proxying import Proxies, proxies

HOST = "issuer.example.org"
DOCUMENT = b'{"keys": []}'


class Issuer:
    """A server that shows one document over TLS, as `HOST` and as 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        self.authority = CertificateAuthority("issuers")
        pair = self.authority.issue("issuer", dns_names=[HOST], ip_addresses=["127.0.0.1"])
        (folder / "tls.pem").write_bytes(b"".join(pair))
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(folder / "tls.pem")
        self.port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """While it can be reached."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.context)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(DOCUMENT), DOCUMENT))
            await writer.drain()


@pytest.fixture
async def issuer(tmp_path: Path) -> AsyncIterator[Issuer]:
    """The server."""
    made = Issuer(tmp_path)
    async with made.serving():
        yield made


async def fetched(issuer: Issuer, host: str, way: Proxies) -> bytes | FetchFailed:
    """The document, by a name of its server."""
    async with fetching(issuer.authority.certificate.decode(), 10.0, way) as fetch:
        return await fetch(f"https://{host}:{issuer.port}/keys")


KINDS: dict[str, Callable[[Issuer], Proxy]] = {
    "http": lambda _: ConnectProxy(),
    "https": lambda issuer: ConnectProxy(context=issuer.context),
    "socks5": lambda _: SocksProxy(),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_an_issuer_is_reached_through_the_proxy(issuer: Issuer, kind: str) -> None:
    """It is told the issuer's name and shown its password; TLS is with the issuer, also where it is with the proxy."""
    proxy = KINDS[kind](issuer)
    async with proxy.serving():
        found = await fetched(issuer, HOST, proxies(proxy.environment))

    assert found == DOCUMENT
    assert [(f"{HOST}:{issuer.port}", BASIC)] == proxy.asked


@pytest.mark.parametrize("exempt", ["", "127.0.0.0/8"])
async def test_this_machine_is_asked_directly(issuer: Issuer, exempt: str) -> None:
    """The proxy hears of nothing."""
    proxy = ConnectProxy()
    async with proxy.serving():
        found = await fetched(issuer, "127.0.0.1", proxies({**proxy.environment, "NO_PROXY": exempt}))

    assert found == DOCUMENT
    assert proxy.asked == []


@pytest.mark.parametrize("status", [403, 407, 502])
async def test_a_proxy_that_refuses_is_told_without_its_password(issuer: Issuer, status: int) -> None:
    """Neither in the reason nor in any line of the log, and nobody is asked directly instead."""
    proxy = ConnectProxy(status)
    with capture_logs() as logs:
        async with proxy.serving():
            found = await fetched(issuer, HOST, proxies(proxy.environment))

    assert isinstance(found, FetchFailed)
    assert str(status) in found.reason
    assert not any(secret in f"{found} {logs}" for secret in (PASSWORD, BASIC))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_proxy_that_is_not_there_is_told_without_its_password(issuer: Issuer, kind: str) -> None:
    """The same."""
    proxy = KINDS[kind](issuer)
    async with proxy.serving():
        gone = proxies(proxy.environment)
    found = await fetched(issuer, HOST, gone)

    assert isinstance(found, FetchFailed)
    assert not any(secret in str(found) for secret in (PASSWORD, BASIC))


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        (SocksProxy(reply=2), "Connection not allowed by ruleset"),
        (SocksProxy(password="another"), "Username and password authentication failure"),
        (SocksProxy(says=b"HTTP/1.1 400 Bad Request\r\n\r\n"), "Unexpected SOCKS version number"),
        (SocksProxy(says=b"\x05"), "Connection closed unexpectedly"),
        (SocksProxy(says=b"\x05\x00\x05\x00\x00\x03\x01\xff\x00\x00"), "the proxy does not connect"),
    ],
)
async def test_a_socks_proxy_that_refuses_is_told_without_its_password(
    issuer: Issuer, proxy: SocksProxy, said: str
) -> None:
    """Whatever it does, the reason says that it was the proxy, and nobody is asked directly instead."""
    async with proxy.serving():
        found = await fetched(issuer, HOST, proxies(proxy.environment))

    assert isinstance(found, FetchFailed)
    assert said in found.reason
    assert not any(secret in str(found) for secret in (PASSWORD, BASIC))


async def test_a_proxy_of_another_kind_refuses(issuer: Issuer) -> None:
    """What is to go through it is not asked directly."""
    found = await fetched(issuer, HOST, proxies({"HTTPS_PROXY": f"ftp://me:{PASSWORD}@127.0.0.1:1"}))

    assert isinstance(found, FetchFailed)
    assert "the environment names a proxy that is none of http, https and socks5" in found.reason
    assert PASSWORD not in found.reason


@asynccontextmanager
async def asking(server: ReviewServer, proxy: Proxy) -> AsyncIterator[ReviewClient]:
    """A client of the server by a name that only the proxy knows."""
    url = f"https://reviews.example.org:{server.port}/review"
    surroundings = Surroundings(proxies=proxies(proxy.environment))
    async with opened() as session:
        connection = Connection(url, server.authority.certificate)
        yield ReviewClient(session, connection, surroundings, seconds=10, in_all=10)


@pytest.mark.parametrize("kind", [ConnectProxy, SocksProxy])
async def test_a_webhook_is_reached_through_the_proxy(tmp_path: Path, kind: type[Proxy]) -> None:
    """The review goes to the server inside TLS, and the answer comes back."""
    proxy = kind()
    async with ReviewServer(tmp_path, reply({"allowed": True})) as server, proxy.serving():
        async with asking(server, proxy) as client:
            answer = await client.ask(b"{}", lambda body: body.decode(), lambda *_: None)

        assert [(f"reviews.example.org:{server.port}", BASIC)] == proxy.asked
        assert len(server.requests) == 1
    assert isinstance(answer, Failure)
    assert '"allowed": true' in answer.reason


async def test_a_webhook_behind_a_proxy_that_refuses_is_not_reached(tmp_path: Path) -> None:
    """The reason says that it was the proxy, and holds nothing of its password."""
    proxy = ConnectProxy(407)
    async with ReviewServer(tmp_path, reply({})) as server, proxy.serving(), asking(server, proxy) as client:
        answer = await client.ask(b"{}", lambda body: [body], lambda *_: None)

    assert answer == Failure("the proxy answered 407 instead of connecting")


@pytest.mark.parametrize("kind", [ConnectProxy, SocksProxy])
async def test_a_webhook_behind_a_proxy_that_is_gone_is_not_reached(tmp_path: Path, kind: type[Proxy]) -> None:
    """The same of one that cannot be reached."""
    proxy = kind()
    async with proxy.serving():
        pass
    async with ReviewServer(tmp_path, reply({})) as server, asking(server, proxy) as client:
        answer = await client.ask(b"{}", lambda body: [body], lambda *_: None)

    assert isinstance(answer, Failure)
    assert answer.reason.startswith("the proxy cannot be reached: ")
    assert not any(secret in str(answer) for secret in (PASSWORD, BASIC))
