"""Messages over the socket between the control plane and a worker.

In: messages, which are JSON objects with a "kind". Out: frames, four bytes of length (big-endian) and as many of JSON,
and back. Law: whatever is not a whole frame with such an object in it ends the conversation; nothing is skipped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from controlplane.errors import IsthmusError

Message: TypeAlias = Mapping[str, Any]
"""What one frame says."""

HEADER_BYTES: Final = 4
LIMIT: Final = 1 << 28
"""The longest frame, in bytes: far more than any object of Kubernetes, far less than a length read from garbage."""


class FrameError(IsthmusError):
    """What came is no conversation; the text says why and quotes nothing of it."""


def whole(value: object, least: int = 0) -> int:
    """The whole number that a field of a message holds.

    Raises:
        FrameError: when it holds anything else, or less than `least`.
    """
    # Text, true and 1e999 can be made numbers, and none of them was one.
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise FrameError("a message holds what is no number that can be")
    return value


def framed(message: Message, limit: int = LIMIT) -> bytes:
    """The frame of a message.

    Raises:
        FrameError: when it is longer than `limit` bytes.
    """
    # ASCII with escapes: text that is no Unicode (lone surrogates) arrives as it was.
    content = json.dumps(message, separators=(",", ":")).encode()
    if len(content) > limit:
        raise FrameError(f"a message of {len(content)} bytes is longer than {limit}")
    return len(content).to_bytes(HEADER_BYTES) + content


def length_of(header: bytes, limit: int = LIMIT) -> int:
    """How many bytes follow the header of a frame.

    Raises:
        FrameError: when they are more than `limit`.
    """
    length = int.from_bytes(header)
    if length > limit:
        raise FrameError(f"a frame of {length} bytes is longer than {limit}")
    return length


def parsed(content: bytes) -> Message:
    """The message in a frame.

    Raises:
        FrameError: when there is none.
    """
    try:
        message = json.loads(content)
    except (ValueError, RecursionError):
        raise FrameError("a frame holds no JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("kind"), str):
        raise FrameError("a frame holds no message")
    return message
