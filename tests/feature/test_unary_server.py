"""The server of unary calls over real sockets, with gRPC's own client."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
import structlog
from mtls import Mtls
from pki import CertificateAuthority
from rpc_face import Client, Pair, allowed_pair, face_of, ignored, refusal
from unary_client import Client as Frames
from unary_client import head, split
from xds_face import within

from controlplane.errors import StartError
from controlplane.faces.unary import server
from controlplane.faces.unary.frames import INITIAL_WINDOW_SIZE, PREFACE, settings, window_update
from controlplane.faces.unary.protocol import CallError, Method
from controlplane.faces.unary.status import Status
from controlplane.settings.face import Face

ONCE = "/test/Once"


async def echo(message: bytes, _: object) -> bytes:
    """Answers what it is sent."""
    return message


class Waiting:
    """A method that answers when it is told to; it knows who waits, and who was cancelled."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.begun = asyncio.Queue[bytes]()
        self.cancelled = asyncio.Queue[bytes]()

    async def answer(self, message: bytes, _: object) -> bytes:
        """The method."""
        self.begun.put_nowait(message)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled.put_nowait(message)
            raise
        return message


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Closes what a test has opened."""
    async with AsyncExitStack() as opened:
        yield opened


async def serve(stack: AsyncExitStack, method: Method, mtls: Mtls | None = None) -> int:
    """The port of a face with one method."""
    return await stack.enter_async_context(server.listening("xds", face_of(mtls), {ONCE: method}, lambda _: ignored))


async def plain(stack: AsyncExitStack, method: Method) -> Callable[..., grpc.aio.UnaryUnaryCall]:
    """The method as a client without encryption has it."""
    return Client(stack, await serve(stack, method), None, None).channel.unary_unary(ONCE)


async def test_calls_of_every_size_are_answered(stack: AsyncExitStack) -> None:
    """A hundred at once, and the longest message there may be."""
    once = await plain(stack, echo)
    contents = [b"x" * size for size in range(100)]

    assert contents == list(await asyncio.gather(*(once(content, timeout=20) for content in contents)))
    longest = b"y" * (4 << 20)
    code, sentence = await refusal(once(longest + b"y", timeout=20))
    assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "a message of 4194305 bytes is longer than 4194304") == (code, sentence)
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{await serve(stack, echo)}", unlimited) as channel:
        assert longest == await channel.unary_unary(ONCE)(longest, timeout=20)


async def test_metadata_arrives(stack: AsyncExitStack) -> None:
    """Text as it was sent, and binary values as base64."""

    async def told(_message: bytes, metadata: Sequence[tuple[str, str]]) -> bytes:
        found = dict(metadata)
        return f"{found['traceparent']} {found['some-bin']}".encode()

    once = await plain(stack, told)

    assert b"00-1 AQI" == await once(b"", metadata=(("traceparent", "00-1"), ("some-bin", b"\1\2")), timeout=10)


async def test_failures_are_told_as_grpc_tells_them(stack: AsyncExitStack) -> None:
    """A method's own status, an exception that says nothing to the client, and a method there is none of."""

    async def failing(message: bytes, _: object) -> bytes:
        if message:
            raise CallError(Status.NOT_FOUND, "n\u00f6 such thing: 100 %")
        raise ValueError("secret")

    client = Client(stack, await serve(stack, failing), None, None)
    with structlog.testing.capture_logs() as log:
        told = [await refusal(client.channel.unary_unary(ONCE)(message, timeout=10)) for message in (b"x", b"")]

    assert [
        (grpc.StatusCode.NOT_FOUND, "n\u00f6 such thing: 100 %"),
        (grpc.StatusCode.UNKNOWN, "the method failed"),
    ] == told
    assert [{"event": "a call failed", "path": ONCE, "error": "ValueError", "log_level": "error"}] == log
    for call in (client.channel.unary_unary("/test/Other")(b"", timeout=10), client.echo().read()):
        assert grpc.StatusCode.UNIMPLEMENTED is (await refusal(call))[0]


async def test_a_call_that_waits_holds_up_no_other(stack: AsyncExitStack) -> None:
    """Others of the same connection are answered meanwhile; it is when it can be."""
    waiting = Waiting()

    async def some(message: bytes, metadata: object) -> bytes:
        return await (waiting.answer if message == b"wait" else echo)(message, metadata)

    once = await plain(stack, some)
    call = once(b"wait", timeout=20)
    await waiting.begun.get()

    assert b"quick" == await once(b"quick", timeout=10)
    assert not call.done()
    waiting.go.set()
    assert b"wait" == await call


async def test_a_call_that_nobody_waits_for_is_cancelled(stack: AsyncExitStack) -> None:
    """Because the client cancels it, because its time has passed, or because the client is gone."""
    waiting = Waiting()
    client = Client(stack, await serve(stack, waiting.answer), None, None)
    once = client.channel.unary_unary(ONCE)
    cancelled = once(b"cancelled")
    await waiting.begun.get()
    cancelled.cancel()
    async with within(10):
        assert b"cancelled" == await waiting.cancelled.get()
    late = once(b"late", timeout=0.05)
    assert grpc.StatusCode.DEADLINE_EXCEEDED is (await refusal(late))[0]
    async with within(10):
        assert b"late" == await waiting.cancelled.get()
    gone = once(b"gone")
    async with within(10):
        while await waiting.begun.get() != b"gone":
            pass
        await client.channel.close()
        assert b"gone" == await waiting.cancelled.get()
    assert gone.done()


async def raw(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that says what a test wants."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(PREFACE + settings({}))
    return reader, writer


async def test_the_servers_own_clock_ends_a_call(stack: AsyncExitStack) -> None:
    """A client that does not count its time itself is told when it has passed."""
    waiting, frames = Waiting(), Frames(begun=False)
    reader, writer = await raw(await serve(stack, waiting.answer))
    writer.write(frames.call(1, headers=head(("grpc-timeout", "20m"))))
    said = b""
    async with within(10):
        while b"grpc-status" not in said:
            said += await reader.read(1000)

    assert b"the time the client set has passed" in said
    assert b"question" == await waiting.cancelled.get()
    writer.close()


async def test_what_comes_together_is_answered_together(stack: AsyncExitStack) -> None:
    """Fifty calls in one write are answered in one, which one read finds whole."""
    frames = Frames(begun=False)
    reader, writer = await raw(await serve(stack, echo))
    async with within(10):
        await reader.readexactly(9 + 18 + 13 + 9)
        writer.write(b"".join(frames.call(number) for number in range(1, 101, 2)))
        answers = await reader.read(1 << 16)

    assert 150 == len(split(answers))
    writer.close()


async def test_a_client_that_does_not_read_is_not_read_from(stack: AsyncExitStack) -> None:
    """What it is sent is not piled up without end: after a while nothing more of it begins; then all is answered."""
    frames, begun = Frames(begun=False), 0

    async def large(message: bytes, _: object) -> bytes:
        nonlocal begun
        begun += 1
        return b"x" * 16_000

    reader, writer = await raw(await serve(stack, large))
    writer.write(settings({INITIAL_WINDOW_SIZE: 1 << 20}) + window_update(0, 1 << 30))
    calls = 2000
    sending = asyncio.create_task(
        _send_all(writer, [frames.call(number, b"x" * 1000) for number in range(1, 2 * calls, 2)])
    )
    async with within(30):
        seen = -1
        # It has come to rest when a hundred turns of the loop bring nothing more.
        while seen != begun or not seen:
            seen = begun
            for _ in range(100):
                await asyncio.sleep(0)
        assert begun < calls
        heard = 0
        while heard < calls * 16_000:
            heard += len(await reader.read(1 << 20))
        await sending
    assert calls == begun
    writer.close()


async def _send_all(writer: asyncio.StreamWriter, said: list[bytes]) -> None:
    for each in said:
        writer.write(each)
        await writer.drain()


async def test_a_fault_ends_the_connection_and_is_told_once(stack: AsyncExitStack) -> None:
    """The client reads GOAWAY and the end; the log has one line for two such connections."""
    port = await serve(stack, echo)
    with structlog.testing.capture_logs() as log:
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            async with within(10):
                assert b"no preface of HTTP/2" in await reader.read()
            writer.close()

    assert [("xds", "no preface of HTTP/2")] == [(line["face"], line["reason"]) for line in log]


async def test_a_stop_lets_calls_finish(stack: AsyncExitStack) -> None:
    """The one under way is answered although the server has stopped listening; the next finds nobody."""
    waiting, stopping = Waiting(), AsyncExitStack()
    client = Client(stack, await serve(stopping, waiting.answer), None, None)
    call = client.channel.unary_unary(ONCE)(b"x", timeout=20)
    await waiting.begun.get()
    stop = asyncio.create_task(stopping.aclose())
    async with within(10):
        while (await refusal(client.channel.unary_unary("/test/Other")(b"", timeout=10)))[0] is (
            grpc.StatusCode.UNIMPLEMENTED
        ):
            pass
        waiting.go.set()

        assert b"x" == await call
        await stop
    assert grpc.StatusCode.UNAVAILABLE is (await refusal(client.once()))[0]


async def test_a_stop_cuts_what_does_not_finish(stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time of grace a call that still waits is cancelled, and the client hears that nobody is there."""
    monkeypatch.setattr(server, "GRACE_SECONDS", 0.1)
    waiting, stopping = Waiting(), AsyncExitStack()
    client = Client(stack, await serve(stopping, waiting.answer), None, None)
    call = client.channel.unary_unary(ONCE)(b"x", timeout=20)
    await waiting.begun.get()
    async with within(10):
        await stopping.aclose()
        assert b"x" == await waiting.cancelled.get()

    assert grpc.StatusCode.UNAVAILABLE is (await refusal(call))[0]


async def test_a_unix_socket_is_served(stack: AsyncExitStack, tmp_path: Path) -> None:
    """Also where a socket of a server that was killed is still there."""
    face = Face.model_validate({"listen": f"unix:{tmp_path}/s.sock"})
    for _ in range(2):
        port = await stack.enter_async_context(server.listening("xds", face, {ONCE: echo}, lambda _: ignored))
        async with grpc.aio.insecure_channel(f"unix:{tmp_path}/s.sock") as channel:
            assert (0, b"x") == (port, await channel.unary_unary(ONCE)(b"x", timeout=10))


@pytest.fixture
def mtls(tmp_path: Path) -> Mtls:
    """The certificates of everybody."""
    return Mtls(tmp_path)


async def test_only_verified_clients_with_an_allowed_name_are_served(mtls: Mtls, stack: AsyncExitStack) -> None:
    """Another name is told why, and once to the log; without a certificate that counts there is no handshake."""
    port = await serve(stack, echo, mtls)
    stranger = mtls.clients.issue("envoy", dns_names=["stranger.example.org"], server=False)
    sentence = "the client's certificate has stranger.example.org; nothing of that is in xds.tls.allowedNames"

    def client(pair: Pair | None) -> Client:
        return Client(stack, port, mtls.planes.certificate, pair)

    with structlog.testing.capture_logs() as log:
        refused = [await refusal(client(stranger).once()) for _ in range(2)]

    assert [(grpc.StatusCode.PERMISSION_DENIED, sentence)] * 2 == refused
    assert [("client refused", sentence)] == [(line["event"], line["reason"]) for line in log]
    assert b"x" == await client(allowed_pair(mtls)).once()
    name = {"uris": ["spiffe://example.org/envoy"], "server": False}
    for pair in (
        None,
        CertificateAuthority("other").issue("envoy", **name),
        mtls.clients.issue("envoy", lifetime=timedelta(days=-1), **name),
    ):
        assert grpc.StatusCode.UNAVAILABLE is (await refusal(client(pair).once()))[0]


async def test_replaced_certificates_count_for_new_connections(mtls: Mtls, stack: AsyncExitStack) -> None:
    """Both sides of the handshake change without a restart, and a connection from before goes on."""
    old_authority, old_pair = mtls.planes.certificate, allowed_pair(mtls)
    port = await serve(stack, echo, mtls)
    before = Client(stack, port, old_authority, old_pair)
    assert b"x" == await before.once()
    mtls.rotate()
    mtls.retire()

    async def served(authority: bytes, pair: Pair) -> bool:
        try:
            return await Client(stack, port, authority, pair).once() == b"x"
        except grpc.aio.AioRpcError:
            return False

    async with within(20):
        while not await served(mtls.planes.certificate, allowed_pair(mtls)):
            pass
    assert not await served(old_authority, allowed_pair(mtls))
    assert not await served(mtls.planes.certificate, old_pair)
    assert b"x" == await before.once()


async def test_a_handshake_that_agrees_on_no_protocol_is_not_read_from(mtls: Mtls, stack: AsyncExitStack) -> None:
    """A client that is verified and does not offer h2 finds the connection closed."""
    port = await serve(stack, echo, mtls)
    context = ssl.create_default_context(cadata=mtls.planes.certificate.decode())
    context.check_hostname = False
    context.load_cert_chain(mtls.folder / "envoy.crt", mtls.folder / "envoy.key")
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(PREFACE + settings({}))

    async with within(10):
        assert await closed(reader.read())
    writer.close()


async def closed(reading: Awaitable[bytes]) -> bool:
    """Whether a connection ends without a byte."""
    try:
        return await reading == b""
    except ConnectionError:
        return True


async def test_an_address_that_is_taken_is_told(stack: AsyncExitStack) -> None:
    """With a remedy, as of every face."""
    face = face_of()
    await stack.enter_async_context(server.listening("xds", face, {ONCE: echo}, lambda _: ignored))

    with pytest.raises(StartError, match="cannot be listened on; end what listens there"):
        await stack.enter_async_context(server.listening("xds", face, {ONCE: echo}, lambda _: ignored))
