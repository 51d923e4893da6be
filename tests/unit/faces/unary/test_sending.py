"""What an answer may take of the client's windows, and what waits."""

from __future__ import annotations

import pytest
from unary_client import Client, Sent, message

from controlplane.faces.unary import frames
from controlplane.faces.unary.frames import Code, ConnectionFault, rst_stream, settings, window_update
from controlplane.faces.unary.heads import Head
from controlplane.faces.unary.sending import FIRST_WINDOW, Sending
from controlplane.faces.unary.status import Status
from controlplane.faces.unary.stream import Stream


def sizes(sent: list[Sent], stream: int) -> list[int]:
    """How long the DATA frames of a stream are, and -1 for the trailers."""
    after_head = [each for each in sent if each.stream == stream and each.flags != frames.END_HEADERS]
    return [len(each.payload) if each.kind == frames.DATA else -1 for each in after_head]


def called(*streams: int, **set_to: int) -> Client:
    """A client that has called on these streams, with settings of its own."""
    client = Client()
    client.say(settings({getattr(frames, name): value for name, value in set_to.items()}))
    client.say(*(client.call(stream) for stream in streams))
    client.heard()
    return client


def test_a_long_answer_goes_in_frames_that_the_client_takes() -> None:
    """16,384 bytes unless its settings say more."""
    client = called(1)
    client.server.answer(1, b"x" * 20_000)
    larger = called(1, MAX_FRAME_SIZE=32_768)
    larger.server.answer(1, b"x" * 20_000)

    assert [16_384, 20_005 - 16_384, -1] == sizes(client.heard(), 1)
    assert [20_005, -1] == sizes(larger.heard(), 1)


def test_what_does_not_fit_a_streams_window_waits() -> None:
    """The rest goes when the window opens, and an answer of another stream does not wait for it."""
    client = called(1, 3, INITIAL_WINDOW_SIZE=100)
    client.server.answer(1, b"x" * 200)
    client.server.answer(3, b"y" * 20)
    sent = client.heard()
    client.say(window_update(1, 50))
    more = client.heard()
    client.say(window_update(1, 1000))

    assert ([100], [25, -1]) == (sizes(sent, 1), sizes(sent, 3))
    assert [50] == sizes(more, 1)
    assert [55, -1] == sizes(client.heard(), 1)


def test_what_does_not_fit_the_connections_window_waits_in_order() -> None:
    """The answer that waits first goes on first."""
    client = called(1, 3)
    client.say(window_update(1, 100_000), window_update(3, 100_000))
    client.server.answer(1, b"x" * FIRST_WINDOW)
    client.server.answer(3, b"y")
    sent = client.heard()
    client.say(window_update(0, 5))
    first = client.heard()
    client.say(window_update(0, 100))

    assert FIRST_WINDOW == sum(sizes(sent, 1))
    assert [] == sizes(sent, 3)
    assert ([5, -1], []) == (sizes(first, 1), sizes(first, 3))
    assert [6, -1] == sizes(client.heard(), 3)


def test_settings_change_open_windows() -> None:
    """A smaller one can leave less than nothing, a larger one lets go what waits, after the acknowledgement."""
    client = called(1, INITIAL_WINDOW_SIZE=100)
    client.server.answer(1, b"x" * 200)
    client.server.outgoing()
    client.say(settings({frames.INITIAL_WINDOW_SIZE: 0}), window_update(1, 100))
    shut = client.heard()
    client.say(settings({frames.INITIAL_WINDOW_SIZE: 105}))
    opened = client.heard()

    assert [frames.SETTINGS] == [each.kind for each in shut]
    assert [frames.SETTINGS, frames.DATA, frames.HEADERS] == [each.kind for each in opened]
    assert [105, -1] == sizes(opened[1:], 1)


def test_streams_are_gone_through_once_for_a_frame_of_settings() -> None:
    """However many windows it has: the last one holds, and any of them can be too large."""

    def said(*windows: int) -> bytes:
        return b"".join(frames.INITIAL_WINDOW_SIZE.to_bytes(2) + window.to_bytes(4) for window in windows)

    stream = Stream(1, Head(), window=FIRST_WINDOW + 10)
    # An iterator gives what it has only once.
    Sending().settings(said(0, 70_000, 105), iter([stream]))

    assert 115 == stream.window
    with pytest.raises(ConnectionFault, match="too large"):
        Sending().settings(said(2**31 - 1, 105), iter([Stream(1, Head(), window=FIRST_WINDOW + 10)]))


@pytest.mark.parametrize("window", [0, 4, 100_000])
def test_a_reset_forgets_what_waits(window: int) -> None:
    """Nothing more of the answer goes, its call is not cancelled, and the next answer is as ever."""
    client = called(1, 3, INITIAL_WINDOW_SIZE=window)
    client.server.answer(1, b"x" * 70_000)
    client.server.fail(1, Status.INTERNAL, "too late")
    client.server.outgoing()
    client.say(rst_stream(1, Code.NO_ERROR), window_update(0, 1000), window_update(3, 1000))
    client.server.answer(3, b"y")

    assert {3} == {each.stream for each in client.heard()}
    assert not client.cancelled


def test_the_first_header_block_gives_up_the_table() -> None:
    """So a client that allows none can decode every one of them; failures and refusals do it as answers do."""
    client = called(1, 3)
    client.decoder.header_table_size = 0
    client.decoder.max_allowed_table_size = 0
    client.server.fail(1, Status.NOT_FOUND, "no 100 % of \u00fc")
    client.server.answer(3, b"")
    answers = client.answers()

    assert "no 100 %25 of %C3%BC" == answers[1][0]["grpc-message"]
    assert ("0", message(b"")) == (answers[3][0]["grpc-status"], answers[3][1])
