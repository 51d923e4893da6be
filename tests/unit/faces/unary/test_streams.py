"""How much a client may do for nothing, and how a connection is left."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from unary_client import WHOLE, Client, message

from controlplane.faces.unary import frames
from controlplane.faces.unary.frames import Code, frame, rst_stream, settings, window_update

FLOODS: dict[str, Callable[[Client, int], bytes]] = {
    "pings": lambda _c, _n: frame(frames.PING, 0, 0, b"\0" * 8),
    "settings": lambda _c, _n: settings({}),
    "windows": lambda _c, _n: window_update(0, 1),
    "priorities": lambda _c, _n: frame(frames.PRIORITY, 0, 1, b"\0" * 5),
    "unknown frames": lambda _c, _n: frame(0x77, 0, 0, b""),
    "goodbyes": lambda _c, _n: frames.goaway(0, Code.NO_ERROR),
    "empty data": lambda c, n: c.headers(1) if not n else c.data(1, b"", flags=0),
    "resets of a closed stream": lambda c, n: (c.call(1) if not n else b"") + rst_stream(1, Code.NO_ERROR),
    "calls that are malformed": lambda c, n: c.headers(2 * n + 1, [(":path", "/")]),
    "data of a closed stream": lambda c, n: c.headers(1) + rst_stream(1, Code.NO_ERROR) if not n else c.data(1, b"x"),
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_a_flood_ends_the_connection(flood: Callable[[Client, int], bytes]) -> None:
    """The client is told to calm down before it has sent 2,100 of them; no answer of a call was needed for that."""
    client = Client()
    for number in range(2100):
        client.say(flood(client, number))

    assert Code.ENHANCE_YOUR_CALM == client.ended()[0]
    assert not client.calls


def test_calls_that_are_given_up_end_no_connection() -> None:
    """Envoy resets as many at once as its own clients give up, and whoever else asks on its connection is answered."""
    client = Client()
    client.say(client.call(1))
    for number in range(3, 20_003, 4):
        client.say(client.call(number), rst_stream(number, Code.NO_ERROR))
        client.say(client.headers(number + 2), rst_stream(number + 2, Code.NO_ERROR))
    client.server.answer(1, b"answer")

    assert ("", message(b"answer")) == (client.server.closed, client.answers()[1][1])


def test_time_makes_up_for_it() -> None:
    """Ten pings in a second for ten minutes are in order."""
    client = Client()
    for tenth in range(6000):
        client.now = tenth / 10
        client.say(frame(frames.PING, 0, 0, b"\0" * 8))

    assert "" == client.server.closed


def test_answers_make_up_for_it() -> None:
    """A client that opens windows and pings with every call is in order at any rate."""
    client = Client()
    for number in range(1, 6001, 2):
        client.say(client.call(number), window_update(0, 100), frame(frames.PING, 0, 0, b"\0" * 8))
        client.server.answer(number, b"x")

    assert "" == client.server.closed


def test_what_is_kept_of_closed_streams_is_bounded() -> None:
    """HEADERS of one that was closed long ago are an error like those of one that was passed over."""
    client = Client()
    for number in range(1, 2001, 2):
        client.say(client.call(number))
        client.server.answer(number, b"")
    client.say(client.headers(1, [("a", "b")], WHOLE | frames.END_STREAM))

    assert Code.PROTOCOL_ERROR == client.ended()[0]


def test_a_connection_is_left_when_its_calls_are_answered() -> None:
    """Calls until the client has heard of it are answered, later ones are not looked at; then it is closed."""
    client = Client()
    client.say(client.call(1))
    client.server.goaway()
    client.server.goaway()
    (away, ping) = client.heard()
    client.say(client.call(3))
    client.say(frame(frames.PING, frames.ACK, 0, ping.payload), client.call(5))
    (last,) = client.heard()
    client.server.answer(1, b"one")
    before = client.server.closed
    client.server.answer(3, b"three")

    assert [(frames.GOAWAY, 2**31 - 1), (frames.GOAWAY, 3)] == [
        (each.kind, int.from_bytes(each.payload[:4])) for each in (away, last)
    ]
    assert [1, 3] == [call.stream for call in client.calls]
    assert ("", "the server goes away") == (before, client.server.closed)
    assert message(b"three") == client.answers()[3][1]


def test_a_connection_without_calls_is_left_at_once() -> None:
    """When the client has heard of it."""
    client = Client()
    client.server.goaway()
    ping = client.heard()[-1]
    client.say(frame(frames.PING, frames.ACK, 0, ping.payload))

    assert (False, "the server goes away") == (client.server.faulty, client.server.closed)
