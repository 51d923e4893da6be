"""The few bytes of protobuf wire format that joining pre-serialised messages takes.

In: field numbers and payloads. Out: fields as they stand in a serialised message. Law: only length-delimited fields,
because nothing else is ever joined.
"""

from __future__ import annotations


def varint(number: int) -> bytes:
    """The base-128 form of a number that is not negative."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def length_delimited(field: int, payload: bytes) -> bytes:
    """One field of wire type 2 (string, bytes, message): tag, length, payload."""
    return varint(field << 3 | 2) + varint(len(payload)) + payload
