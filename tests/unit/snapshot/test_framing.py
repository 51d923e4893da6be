"""Wire format by hand."""

import pytest
from envoy.config.core.v3.base_pb2 import Node

from controlplane.snapshot.framing import length_delimited, varint


@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        (0, b"\x00"),
        (1, b"\x01"),
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (300, b"\xac\x02"),
        (2**32, b"\x80\x80\x80\x80\x10"),
    ],
)
def test_varint_is_base_128(number: int, encoded: bytes) -> None:
    """Seven bits a byte, least significant first, the high bit says that more follow."""
    assert encoded == varint(number)


@pytest.mark.parametrize("size", [0, 1, 127, 128, 20000])
def test_length_delimited_is_read_by_protobuf(size: int) -> None:
    """Protobuf reads the field back, whatever its length."""
    text = "x" * size

    assert text == Node.FromString(length_delimited(1, text.encode())).id
