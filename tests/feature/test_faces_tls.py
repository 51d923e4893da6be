"""The control plane's faces over real sockets: whom mutual TLS lets in, and how certificates are replaced."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import aiohttp
import grpc
import pytest
import structlog
from aiohttp import web
from mtls import SERVER_NAME, Mtls
from pki import CertificateAuthority
from rpc_face import Client, Pair, allowed_pair, face_of, handlers, ignored, refusal, serve
from xds_face import within

from controlplane.faces import pages, rpc
from controlplane.faces.rpc import RpcFace
from controlplane.xds.service import server_options


@pytest.fixture
def mtls(tmp_path: Path) -> Mtls:
    """The certificates of everybody."""
    return Mtls(tmp_path)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Closes what a test has opened."""
    async with AsyncExitStack() as opened:
        yield opened


async def test_a_client_with_an_allowed_name_is_served(mtls: Mtls, stack: AsyncExitStack) -> None:
    """Calls of every kind reach their handlers."""
    client = Client(stack, await serve(stack, mtls), mtls.planes.certificate, allowed_pair(mtls))
    stream = client.echo()
    await stream.write(b"1")

    assert await client.once() == b"x"
    assert await stream.read() == b"1"
    assert [answer async for answer in client.channel.unary_stream("/test/Twice")(b"y")] == [b"y", b"y"]


@pytest.mark.parametrize("kind", ["no certificate", "another authority's", "expired", "no TLS at all"])
async def test_a_client_that_cannot_be_verified_is_not_heard(kind: str, mtls: Mtls, stack: AsyncExitStack) -> None:
    """The handshake fails, whatever the certificate says."""
    name = {"uris": ["spiffe://example.org/envoy"], "server": False}
    pairs: dict[str, Pair | None] = {
        "no certificate": None,
        "another authority's": CertificateAuthority("other").issue("envoy", **name),
        "expired": mtls.clients.issue("envoy", lifetime=timedelta(days=-1), **name),
        "no TLS at all": None,
    }
    authority = None if kind == "no TLS at all" else mtls.planes.certificate
    client = Client(stack, await serve(stack, mtls), authority, pairs[kind])

    assert (await refusal(client.once()))[0] is grpc.StatusCode.UNAVAILABLE


async def test_a_verified_client_without_an_allowed_name_is_refused(mtls: Mtls, stack: AsyncExitStack) -> None:
    """Unary calls and streams say what was presented, the log says it once, and another client is served."""
    pair = mtls.clients.issue("envoy.example.org", dns_names=["stranger.example.org"], server=False)
    port = await serve(stack, mtls)
    stranger = Client(stack, port, mtls.planes.certificate, pair)
    sentence = "the client's certificate has stranger.example.org; nothing of that is in xds.tls.allowedNames"
    with structlog.testing.capture_logs() as log:
        refused = [
            await refusal(stranger.once()),
            await refusal(stranger.echo().read()),
            await refusal(anext(aiter(stranger.channel.unary_stream("/test/Twice")(b"x")))),
        ]

    assert refused == [(grpc.StatusCode.PERMISSION_DENIED, sentence)] * 3
    assert [(entry["event"], entry["face"], entry["reason"]) for entry in log] == [("client refused", "xds", sentence)]
    assert await Client(stack, port, mtls.planes.certificate, allowed_pair(mtls)).once() == b"x"


async def test_rotated_certificates_are_used_by_new_connections(mtls: Mtls, stack: AsyncExitStack) -> None:
    """Both sides of the handshake change without a restart, and a connection from before goes on."""
    old_authority, old_pair = mtls.planes.certificate, allowed_pair(mtls)
    port = await serve(stack, mtls)
    before = Client(stack, port, old_authority, old_pair)
    assert await before.once() == b"x"
    mtls.rotate()
    mtls.retire()

    async with within(20):
        while not await _served(Client(stack, port, mtls.planes.certificate, allowed_pair(mtls))):
            pass
    assert not await _served(Client(stack, port, old_authority, allowed_pair(mtls)))
    assert not await _served(Client(stack, port, mtls.planes.certificate, old_pair))
    assert await before.once() == b"x"


async def _served(client: Client) -> bool:
    try:
        return await client.once() == b"x"
    except grpc.aio.AioRpcError:
        return False


async def test_a_broken_replacement_changes_nothing(mtls: Mtls, stack: AsyncExitStack) -> None:
    """It is reported, and new connections are made with what was good."""
    told = asyncio.Event()
    served = RpcFace("xds", face_of(mtls), handlers())
    listening = rpc.listening(served, server_options(), lambda _: lambda problems: told.set() if problems else None)
    port = await stack.enter_async_context(listening)
    mtls.replace("plane.crt", b"broken")
    async with within(20):
        await told.wait()

    assert await Client(stack, port, mtls.planes.certificate, allowed_pair(mtls)).once() == b"x"


async def test_an_http_face_verifies_its_clients_and_follows_its_files(mtls: Mtls, stack: AsyncExitStack) -> None:
    """Whom the handshake lets in must have an allowed name too, and both authorities can be replaced."""
    app = web.Application()
    app.router.add_get("/", _hello)
    face = face_of(mtls)
    await stack.enter_async_context(pages.listening("discovery", face, app, lambda _: ignored))
    port = face.listen.port
    stranger = mtls.clients.issue("stranger", dns_names=["stranger.example.org"], server=False)

    assert await _get(port, _context(mtls, allowed_pair(mtls))) == (200, "hello")
    assert await _get(port, _context(mtls, stranger)) == (
        403,
        "the client's certificate has stranger.example.org; nothing of that is in discovery.tls.allowedNames",
    )
    for pair in (None, CertificateAuthority("other").issue("envoy", uris=["spiffe://example.org/envoy"])):
        with pytest.raises(aiohttp.ClientError):
            await _get(port, _context(mtls, pair))
    old_authority, old_pair = mtls.planes, allowed_pair(mtls)
    mtls.rotate()
    mtls.retire()
    after = _context(mtls, allowed_pair(mtls))
    with_old_pair = _context(mtls, old_pair)
    mtls.planes = old_authority
    with_old_authority = _context(mtls, allowed_pair(mtls))
    async with within(20):
        while await _fails(port, after):
            pass
    assert await _fails(port, with_old_pair)
    assert await _fails(port, with_old_authority)


async def _hello(_request: web.Request) -> web.Response:
    return web.Response(text="hello")


def _context(mtls: Mtls, pair: Pair | None) -> ssl.SSLContext:
    """What a client believes and shows."""
    context = ssl.create_default_context(cadata=mtls.planes.certificate.decode())
    if pair is not None:
        # Python's TLS reads certificates from files only.
        mtls.write_pair("client", pair)
        context.load_cert_chain(mtls.folder / "client.crt", mtls.folder / "client.key")
    return context


async def _fails(port: int, context: ssl.SSLContext) -> bool:
    try:
        return await _get(port, context) != (200, "hello")
    except aiohttp.ClientError:
        return True


async def _get(port: int, context: ssl.SSLContext) -> tuple[int, str]:
    url = f"https://127.0.0.1:{port}/"
    async with aiohttp.ClientSession() as session, session.get(url, ssl=context, server_hostname=SERVER_NAME) as answer:
        return answer.status, await answer.text()
