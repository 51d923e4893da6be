from __future__ import annotations

from urllib.parse import unquote

import pytest
from lua import Filters, Reader, Stream, source, verdict

from controlplane.translation.request_headers import RequestHeaders

DIGEST = 64 * "a"
HEADERS = RequestHeaders(
    source("request_headers"), ("x-remote-user", "gate_user"), ("x-remote-group",), ("x-remote-extra-",)
)
ALICE = ("x-remote-user", "alice")


def read(*headers: tuple[str, str], certificate: str | None = DIGEST, validated: bool = True) -> Stream:
    """A request after it has been read."""
    return Reader(HEADERS.reader).send(Stream(headers, certificate=certificate, validated=validated))


def told(stream: Stream) -> list[str] | None:
    """What authorization is told of it: name, value, name, value."""
    lines: list[str] | None = stream.metadata.get("isthmus.request_headers", {}).get("lines")
    return lines


def test_authorization_is_told_of_every_line() -> None:
    """Of every header that counts, each line by itself and in order; of others nothing."""
    lines = (ALICE, ("x-remote-group", "a"), ("accept", "*/*"), ("x-remote-group", "b,c"), ("x-remote-extra-s", ""))

    stream = read(*lines, ("x-remote-uid", "7"), ("x_remote_user", "root"), ("gate-user", "root"), ("gate_user", "bob"))

    assert told(stream) == [*(text for line in lines if line[0] != "accept" for text in line), "gate_user", "bob"]
    assert stream.values("x-isthmus-asserted") == ["1"]


def test_any_byte_comes_through() -> None:
    """Values are escaped, since metadata hold nothing but UTF-8."""
    value = "100% Ünïcode \t~ !#$&"

    (_, escaped) = told(read(("x-remote-user", value))) or ["", ""]

    assert escaped.isascii()
    assert escaped.isprintable()
    assert unquote(escaped) == value


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("x-remote-group", "system:masters"), ("x-remote-extra-s", "v")),
        (("x-remote-user", ""), ("x-remote-group", "system:masters")),
        (("x_remote_user", "root"),),
        (("gate-user", "root"),),
    ],
)
def test_without_a_name_nothing_is_told(headers: tuple[tuple[str, str], ...]) -> None:
    """The others mean nothing without it, and the verdict cache may do its work."""
    stream = read(*headers)

    assert told(stream) is None
    assert stream.values("x-isthmus-asserted") == []


@pytest.mark.parametrize(("certificate", "validated"), [(None, True), ("", True), (DIGEST, False)])
def test_whoever_shows_no_verified_certificate_tells_nothing(certificate: str | None, validated: bool) -> None:
    """Without TLS, without a certificate, or with one that Envoy could not verify."""
    assert told(read(ALICE, certificate=certificate, validated=validated)) is None


def test_what_is_said_of_others_is_neither_known_nor_kept() -> None:
    """The mark of the reader makes every such request one that is asked about."""
    filters = Filters()
    answer = {"identity": ["x-remote-user", "alice"], "verdict": verdict("list a.io/v1  things/")}
    filters.send(Stream(certificate=DIGEST), answer)
    for _ in range(2):
        filters.send(Stream([("x-isthmus-asserted", "1")], certificate=DIGEST), answer)
    filters.send(Stream(certificate=DIGEST), None)

    assert filters.asked == 3
