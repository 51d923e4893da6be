"""Frames, and what is none."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.workers.frames import FrameError, framed, parsed
from controlplane.workers.reading import read

TEXTS = st.text(st.characters(codec=None), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


async def heard(data: bytes, limit: int = 1000) -> list[object]:
    """The messages in a stream of bytes that ends."""
    reader, messages = asyncio.StreamReader(), list[object]()
    reader.feed_data(data)
    reader.feed_eof()
    while (message := await read(reader, limit)) is not None:
        messages.append(message)
    return messages


@given(st.dictionaries(TEXTS, VALUES, max_size=3))
def test_a_message_arrives_as_it_was_sent(said: dict[str, object]) -> None:
    """Whatever JSON can say comes out again, text that is no Unicode included."""
    message = {**said, "kind": "test"}

    assert message == parsed(framed(message)[4:])


async def test_messages_follow_one_another() -> None:
    """Two frames are two messages, and an end between them is an end."""
    first, second = {"kind": "a", "x": "é\udc80"}, {"kind": "b"}

    assert [first, second] == await heard(framed(first) + framed(second))
    assert [] == await heard(b"")


@pytest.mark.parametrize("length", range(1, len(framed({"kind": "a"}))))
async def test_a_truncated_frame_is_an_error(length: int) -> None:
    """Wherever a frame is cut off, the conversation has not ended well."""
    with pytest.raises(FrameError, match="ends within a frame"):
        await heard(framed({"kind": "a"})[:length])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xff\xff\xff\xff", "longer than 1000"),
        ((1001).to_bytes(4), "longer than 1000"),
        (b"\0\0\0\1{", "no JSON"),
        (b"\0\0\0\2\xff\xfe", "no JSON"),
        (b"\0\0\0\0", "no JSON"),
        (b"\0\0\0\2[]", "no message"),
        (b"\0\0\0\2{}", "no message"),
        (b'\0\0\0\x0a{"kind":1}', "no message"),
        (b"\0\0\3\xe8" + b"[" * 1000, "no JSON"),
    ],
)
async def test_garbage_is_an_error(data: bytes, why: str) -> None:
    """What is no frame, or holds no message, ends the conversation with a reason that quotes nothing of it."""
    with pytest.raises(FrameError, match=why):
        await heard(data)


@given(st.binary(max_size=40))
def test_no_bytes_are_anything_but_messages_or_an_error(data: bytes) -> None:
    """Garbage is told from messages without any other exception."""
    try:
        messages = asyncio.run(heard(data))
    except FrameError:
        return
    assert all(isinstance(message, dict) for message in messages)


def test_a_message_that_is_too_long_is_not_sent() -> None:
    """Rather than have the other side end the conversation again and again."""
    with pytest.raises(FrameError, match="longer than 30"):
        framed({"kind": "a", "text": "x" * 30}, limit=30)
