"""Header blocks of a connection, decoded once where they are the same."""

from __future__ import annotations

import pytest
from hpack import Encoder, NeverIndexedHeaderTuple
from unary_client import HEADERS, head

from controlplane.faces.unary.heads import Heads


def test_the_same_block_is_decoded_once() -> None:
    """As long as the table it refers to is the same."""
    heads, encoder = Heads(), Encoder()
    heads.head(encoder.encode(HEADERS))
    block = encoder.encode(HEADERS)

    assert heads.head(block) is heads.head(block)
    assert heads.head(block) == heads.head(encoder.encode(HEADERS))


def test_a_block_means_something_else_when_the_table_has_changed() -> None:
    """Each addition counts, also where another entry goes for it, and so does another size."""
    heads, encoder = Heads(), Encoder()
    before = encoder.encode([*HEADERS, ("a", "1")])
    heads.head(before)
    # The newest entry, by its index: what it means is whatever came last.
    newest = Encoder().encode([NeverIndexedHeaderTuple(name, value) for name, value in HEADERS]) + b"\xbe"
    seen = [heads.head(newest).metadata[-1]]
    for value in ("2", "3" * 4000, "4"):
        heads.head(encoder.encode([*HEADERS, ("a", value)]))
        seen.append(heads.head(newest).metadata[-1])

    assert [("a", "1"), ("a", "2"), ("a", "3" * 4000), ("a", "4")] == seen
    encoder.header_table_size = 0
    heads.head(encoder.encode(HEADERS))
    encoder.header_table_size = 4096
    heads.head(encoder.encode([*HEADERS, ("b", "5")]))
    assert ("b", "5") == heads.head(newest).metadata[-1]


def test_a_block_that_changes_the_table_changes_it_each_time() -> None:
    """The same bytes add the same entries again, and later blocks count on them."""
    heads, block = Heads(), Encoder().encode([*HEADERS, ("a", "1")])
    heads.head(block)
    heads.head(block)
    # Five entries were added each time; the sixth is the last one of the first time.
    sixth = Encoder().encode([NeverIndexedHeaderTuple(*each) for each in HEADERS]) + bytes((0x80 | 61 + 6,))

    assert ("a", "1") == heads.head(sixth).metadata[-1]


def test_a_client_that_sends_ever_other_blocks_fills_no_memory() -> None:
    """Of a thousand kinds of blocks a fixed number is remembered."""
    heads, encoder = Heads(), Encoder()
    for number in range(1000):
        heads.head(encoder.encode([NeverIndexedHeaderTuple(*each) for each in head(("a", str(number)))]))

    assert len(heads._known) == 64


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1H", 3600.0), ("2M", 120.0), ("3S", 3.0), ("4m", 0.004), ("5u", 5e-6), ("6n", 6e-9), ("99999999S", 99999999.0)],
)
def test_a_time_limit_is_read(text: str, seconds: float) -> None:
    """In each of gRPC's units."""
    assert pytest.approx(seconds) == Heads().head(Encoder().encode(head(("grpc-timeout", text)))).timeout


@pytest.mark.parametrize("text", ["", "1", "S", "-1S", "1s", "1.5S", "123456789S"])
def test_what_is_no_time_limit_fails_the_call(text: str) -> None:
    """Rather than that it waits for ever."""
    assert Heads().head(Encoder().encode(head(("grpc-timeout", text)))).refusal is not None


@pytest.mark.parametrize(
    ("kind", "good"),
    [
        ("application/grpc", True),
        ("application/grpc+proto", True),
        ("Application/grpc;charset=utf-8", True),
        ("application/grpc-web", False),
        ("application/json", False),
        ("", False),
    ],
)
def test_only_grpc_is_a_call(kind: str, good: bool) -> None:
    """As the content type says."""
    headers = [*HEADERS[:-1], ("content-type", kind)]

    refusal = Heads().head(Encoder().encode(headers)).refusal

    assert (0 if good else 415) == (0 if refusal is None else refusal.http)
