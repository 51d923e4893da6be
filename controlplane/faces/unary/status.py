"""How calls end, in gRPC's words.

In: a status and a sentence. Out: the header blocks and frames of an answer. Law: an answer is the same bytes on every
connection: nothing in it depends on what was sent before.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from typing import Final

from hpack import Encoder, NeverIndexedHeaderTuple

COMPRESSIONS: Final = "identity"
"""What messages may be encoded with."""

# Longer than any sentence of ours; a header block must fit one frame.
_MOST_CHARACTERS: Final = 1024


class Status(IntEnum):
    """The statuses that this server gives by itself or its methods may give (grpc.StatusCode)."""

    OK = 0
    UNKNOWN = 2
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13


def block(*headers: tuple[str, str]) -> bytes:
    """The header block of these headers, whatever came before it."""
    # What is never indexed leaves nothing in the table of whoever decodes it.
    return bytes(Encoder().encode([NeverIndexedHeaderTuple(name, value) for name, value in headers], huffman=False))


@lru_cache(maxsize=256)
def failure(status: Status, message: str) -> bytes:
    """The only header block of a call that fails."""
    return block(
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("grpc-status", str(int(status))),
        ("grpc-message", encoded(message[:_MOST_CHARACTERS])),
        *((("grpc-accept-encoding", COMPRESSIONS),) if status is Status.UNIMPLEMENTED else ()),
    )


def encoded(message: str) -> str:
    """A message as grpc-message carries it: UTF-8, with all but printable ASCII as %XX."""
    return "".join(
        chr(byte) if 0x20 <= byte <= 0x7E and byte != 0x25 else f"%{byte:02X}"
        for byte in message.encode(errors="replace")
    )
