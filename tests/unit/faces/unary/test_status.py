"""How a failure is written."""

from __future__ import annotations

import pytest
from hpack import Decoder

from controlplane.faces.unary.status import Status, encoded, failure


@pytest.mark.parametrize(
    ("message", "expected"),
    [("plain ~", "plain ~"), ("100 %", "100 %25"), ("a\r\nb: c", "a%0D%0Ab: c"), ("\u00e9", "%C3%A9"), ("\ud800", "?")],
)
def test_a_message_is_percent_encoded(message: str, expected: str) -> None:
    """What is not printable ASCII, so that it can end neither its header nor the status."""
    assert expected == encoded(message)


def test_a_long_message_fits_one_frame() -> None:
    """What is too long is cut, whatever it is made of."""
    block = failure(Status.INTERNAL, "\U0001f600" * 100_000)

    assert len(block) <= 16_384
    assert ("grpc-status", "13") in list(Decoder().decode(block))
