"""Calls on a connection: what makes one, how it is answered, and what ends it."""

from __future__ import annotations

import pytest
from unary_client import END, HEADERS, METHOD, WHOLE, Client, head, message

from controlplane.faces.unary import frames
from controlplane.faces.unary.connection import CONCURRENT_STREAMS, CONNECTION_WINDOW, HELD_BYTES
from controlplane.faces.unary.frames import Code
from controlplane.faces.unary.status import Status
from controlplane.faces.unary.stream import MESSAGE_BYTES, STREAM_WINDOW, Call

ANSWERED = {":status": "200", "content-type": "application/grpc", "grpc-status": "0"}


def test_a_call_is_answered() -> None:
    """The message comes out, and the answer goes with a status of its own."""
    client = Client()
    client.say(client.call(1, headers=head(("traceparent", "00-1"), ("grpc-timeout", "250m"))))
    metadata = (
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("traceparent", "00-1"),
        ("grpc-timeout", "250m"),
    )

    assert [Call(1, METHOD, b"question", 0.25, metadata)] == client.calls
    client.server.answer(1, b"answer")
    assert {1: (ANSWERED, message(b"answer"))} == client.answers()


def test_calls_are_answered_in_any_order() -> None:
    """Two of one read, the later first; a second answer to one says nothing."""
    client = Client()
    client.say(client.call(1, b"1"), client.call(3, b"3"))

    client.server.answer(3, b"three")
    client.server.answer(1, b"one")
    client.server.answer(1, b"again")
    client.server.fail(3, Status.INTERNAL, "again")

    assert {3: (ANSWERED, message(b"three")), 1: (ANSWERED, message(b"one"))} == client.answers()


def test_every_cut_of_the_bytes_makes_the_same_call() -> None:
    """Preface, settings, headers in two pieces and padded data, byte by byte."""
    client = Client(begun=False)
    block = client.encoder.encode(HEADERS)
    padded = frames.frame(frames.DATA, frames.PADDED | END, 1, b"\3" + message(b"question") + b"\0\0\0")
    said = (
        frames.PREFACE
        + frames.settings({})
        + frames.frame(frames.HEADERS, frames.PADDED | frames.PRIORITISED, 1, b"\1\0\0\0\0\7" + block[:3] + b"\0")
        + frames.frame(frames.CONTINUATION, WHOLE, 1, block[3:])
        + padded
    )
    for at in range(len(said)):
        client.say(said[at : at + 1])

    assert [(1, METHOD, b"question")] == [(call.stream, call.path, call.message) for call in client.calls]


def test_trailers_end_a_call() -> None:
    """A client may say END_STREAM with trailers in place of the data."""
    client = Client()
    client.say(client.headers(1), client.data(1, message(b"x"), flags=0), client.headers(1, [("a", "b")], WHOLE | END))

    assert [b"x"] == [call.message for call in client.calls]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", Status.INTERNAL),
        (b"\0\0\0", Status.INTERNAL),
        (message(b"x")[:-1], Status.INTERNAL),
        (message(b"x") + b"\0", Status.INTERNAL),
        (message(b"x") * 2, Status.INTERNAL),
        (b"\1" + message(b"x")[1:], Status.INTERNAL),
        (b"\0" + (MESSAGE_BYTES + 1).to_bytes(4), Status.RESOURCE_EXHAUSTED),
    ],
)
def test_what_is_not_one_message_fails(content: bytes, status: Status) -> None:
    """None, a part of one, more than one, one that says it is compressed, one that is too long."""
    client = Client()
    client.say(client.headers(1), client.data(1, content))

    assert str(int(status)) == client.answers()[1][0]["grpc-status"]
    assert not client.calls


def test_no_data_is_no_message() -> None:
    """Headers that end the stream make no call."""
    client = Client()
    client.say(client.headers(1, flags=WHOLE | END))

    assert "13" == client.answers()[1][0]["grpc-status"]


def test_a_call_that_fails_early_is_reset_and_its_rest_ignored() -> None:
    """The client hears the status before it has sent everything, and what it had on its way does no harm."""
    client = Client()
    client.say(client.headers(1), client.data(1, b"\0" + (MESSAGE_BYTES + 1).to_bytes(4), flags=0))
    heard = client.heard()
    client.say(client.data(1, b"x" * 100, flags=0), client.headers(1, [("a", "b")], WHOLE | END))

    assert [frames.HEADERS, frames.RST_STREAM] == [sent.kind for sent in heard]
    assert Code.NO_ERROR == heard[-1].code
    assert not client.heard()
    assert not client.server.closed


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (head(method="GET"), {":status": "405"}),
        ([*HEADERS[:-1], ("content-type", "application/json")], {":status": "415"}),
        (head(path="/test/Other"), {"grpc-status": "12", "grpc-accept-encoding": "identity"}),
        (head(("grpc-timeout", "soon")), {"grpc-status": "13"}),
    ],
)
def test_calls_that_are_none_of_ours_are_answered_at_once(
    headers: list[tuple[str, str]], expected: dict[str, str]
) -> None:
    """By HTTP where it is not gRPC, by gRPC where it is; nobody waits for the message."""
    client = Client()
    client.say(client.headers(1, headers))
    answered = client.answers()[1][0]

    assert expected == {name: answered[name] for name in expected}
    assert not client.calls


def test_a_compressed_message_is_not_implemented() -> None:
    """Of an encoding we do not have; a message that is not compressed is taken, whatever was announced."""
    client = Client()
    headers = head(("grpc-encoding", "gzip"))
    client.say(client.headers(1, headers), client.data(1, b"\1" + message(b"x")[1:]), client.call(3, headers=headers))

    assert "12" == client.answers()[1][0]["grpc-status"]
    assert [3] == [call.stream for call in client.calls]


def test_a_call_that_is_reset_is_cancelled() -> None:
    """One that was handed out is named; one of the same read never comes out; the answer goes nowhere."""
    client = Client()
    client.say(client.call(1))
    reset = frames.rst_stream(1, Code.NO_ERROR)
    client.say(reset, client.call(3), frames.rst_stream(3, Code.NO_ERROR))
    client.server.answer(1, b"x")

    assert ([1], [1]) == ([call.stream for call in client.calls], client.cancelled)
    assert not client.heard()


def test_more_calls_than_may_be_are_refused() -> None:
    """One more is reset as not begun, and taken once another is answered."""
    client = Client()
    client.say(*(client.call(number) for number in range(1, 2 * CONCURRENT_STREAMS + 3, 2)))

    refused = 2 * CONCURRENT_STREAMS + 1
    assert [(refused, Code.REFUSED_STREAM)] == client.resets()
    assert CONCURRENT_STREAMS == len(client.calls)
    client.server.answer(1, b"")
    client.say(client.call(refused + 2))
    assert refused + 2 == client.calls[-1].stream


def test_windows_are_given_back() -> None:
    """A long message is taken as long as the client hears that it may send on."""
    client, sent, content = Client(), 0, message(b"x" * MESSAGE_BYTES)
    client.say(client.headers(1))
    window = {0: CONNECTION_WINDOW, 1: STREAM_WINDOW}
    while sent < len(content):
        part = content[sent : sent + min(frames.LEAST_FRAME_SIZE, *window.values())]
        sent += len(part)
        client.say(client.data(1, part, flags=END if sent == len(content) else 0))
        window = {number: left - len(part) for number, left in window.items()}
        for each in client.heard():
            assert frames.WINDOW_UPDATE == each.kind
            window[each.stream] += int.from_bytes(each.payload)

    assert [MESSAGE_BYTES] == [len(call.message) for call in client.calls]


def test_all_calls_together_hold_no_more_than_they_may() -> None:
    """The one that would is refused; when others are answered there is room again."""
    client = Client()
    part, parts = b"x" * frames.LEAST_FRAME_SIZE, MESSAGE_BYTES // frames.LEAST_FRAME_SIZE
    for number in range(1, 2 * (HELD_BYTES // MESSAGE_BYTES) + 1, 2):
        client.say(client.headers(number), client.data(number, message(b"x" * MESSAGE_BYTES)[:5], flags=0))
        for at in range(parts):
            client.say(client.data(number, part, flags=END if at == parts - 1 else 0))

    failed = [number for number, (said, _) in client.answers().items() if number and said["grpc-status"] == "8"]
    assert [2 * (HELD_BYTES // MESSAGE_BYTES) - 1] == failed
    client.server.answer(1, b"")
    client.say(client.call(101))
    assert 101 == client.calls[-1].stream
