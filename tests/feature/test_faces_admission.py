"""The control plane's faces over real sockets: how many streams are let in, how fast, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import grpc
import pytest
from prometheus_client import CollectorRegistry
from rpc_face import Client, echo_once, face_of, handlers, ignored, refusal
from xds_face import within

from controlplane.faces import rpc
from controlplane.faces.rpc import RpcFace, admitted, joined
from controlplane.xds.admission import Admission
from controlplane.xds.service import server_options


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Closes what a test has opened."""
    async with AsyncExitStack() as opened:
        yield opened


async def test_faces_at_one_address_are_one_server(stack: AsyncExitStack) -> None:
    """The handlers of both are served, and the age of the one that has one counts."""
    face = face_of()
    other = grpc.method_handlers_generic_handler("other", {"Once": grpc.unary_unary_rpc_method_handler(echo_once)})
    faces = list(joined([RpcFace("a", face, handlers()), RpcFace("b", face, (other,), timedelta(hours=1))]))
    assert [(served.section, served.max_age) for served in faces] == [("a", timedelta(hours=1))]
    port = await stack.enter_async_context(rpc.listening(faces[0], server_options(), lambda _: ignored))
    client = Client(stack, port, None, None)

    assert await client.once() == b"x"
    assert await client.channel.unary_unary("/other/Once")(b"y") == b"y"


async def limited(
    stack: AsyncExitStack, registry: CollectorRegistry, admission: Admission, **clocks: Callable[..., object]
) -> Client:
    """A client of a face that admits streams."""
    (handler,) = admitted(handlers(), admission, registry, **clocks)
    served = RpcFace("xds", face_of(), (handler,))
    port = await stack.enter_async_context(rpc.listening(served, server_options(), lambda _: ignored))
    return Client(stack, port, None, None)


async def opened(client: Client) -> grpc.aio.StreamStreamCall:
    """A stream that is served."""
    stream = client.echo()
    await stream.write(b"1")
    assert await stream.read() == b"1"
    return stream


async def test_a_stream_over_the_limit_is_refused_and_the_others_go_on(stack: AsyncExitStack) -> None:
    """The refusal is counted, and when a stream has ended the next one is taken."""
    registry = CollectorRegistry()
    client = await limited(stack, registry, Admission(2, 1000))
    first, second = await opened(client), await opened(client)
    code, sentence = await refusal(client.echo().read())

    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert sentence == "2 streams are open, which is the limit (xds.maxStreams); try again, or elsewhere"
    assert registry.get_sample_value("isthmus_xds_streams_refused_total") == 1
    await second.write(b"2")
    assert await second.read() == b"2"
    await first.done_writing()
    assert await first.read() is grpc.aio.EOF
    await opened(client)


async def test_streams_that_come_too_fast_wait_and_then_are_refused(stack: AsyncExitStack) -> None:
    """At one a second, the second waits its second and the third, which would wait two, is refused at once."""
    asked: asyncio.Queue[float] = asyncio.Queue()
    over = asyncio.Event()

    async def sleep(seconds: float) -> None:
        await asked.put(seconds)
        await over.wait()

    client = await limited(stack, CollectorRegistry(), Admission(10, 1), clock=lambda: 0.0, sleep=sleep)
    await opened(client)
    second = client.echo()
    async with within(10):
        assert await asked.get() == 1.0
    code, sentence = await refusal(client.echo().read())

    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert sentence.startswith("more than 1 new streams a second arrive (xds.maxNewStreamsPerSecond)")
    over.set()
    await second.write(b"2")
    assert await second.read() == b"2"


async def test_a_stream_that_goes_while_it_waits_leaves_its_place(stack: AsyncExitStack) -> None:
    """Nothing is held for who is no longer there."""
    waiting, gone = asyncio.Event(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            gone.set()

    now = 0.0
    client = await limited(stack, CollectorRegistry(), Admission(1, 1), clock=lambda: now, sleep=sleep)
    first = await opened(client)
    await first.done_writing()
    assert await first.read() is grpc.aio.EOF
    second = client.echo()
    async with within(10):
        await waiting.wait()
        second.cancel()
        await gone.wait()
    now = 10.0

    await opened(client)


async def test_a_fleet_that_returns_at_once_is_let_in(stack: AsyncExitStack) -> None:
    """1,500 streams in one moment are all served: gRPC's own limit of 1,000 waiting calls does not cut in."""
    admission = Admission(4000, 1000)
    clients = [await limited(stack, CollectorRegistry(), admission)]
    target = clients[0].port
    clients += [Client(stack, target, None, None) for _ in range(14)]

    async with within(30):
        streams = await asyncio.gather(*(opened(client) for client in clients for _ in range(100)))
    assert len(streams) == 1500


async def test_an_old_connection_is_ended_and_the_client_comes_back(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its streams end with UNAVAILABLE, which clients try again on, and the same client gets a new connection."""
    monkeypatch.setattr(rpc, "GRACE_SECONDS", 0.1)
    served = RpcFace("xds", face_of(), handlers(), timedelta(milliseconds=200))
    port = await stack.enter_async_context(rpc.listening(served, server_options(), lambda _: ignored))
    client = Client(stack, port, None, None)
    stream = await opened(client)

    async with within(20):
        assert await refusal(stream.read()) == (grpc.StatusCode.UNAVAILABLE, "max connection age")
        await opened(client)
