"""What the headers of a call say.

In: header blocks (RFC 7541) in the order they came in. Out: heads, and whether HTTP/2 and gRPC allow them. Law: every
block is decoded, also that of a call nobody wants, because the next ones build on it; none grows without end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from hpack import Decoder, HPACKError, OversizedHeaderListError
from hpack.table import HeaderTable

from controlplane.faces.unary.frames import Code, ConnectionFault
from controlplane.faces.unary.status import Status

LIST_BYTES: Final = 1 << 14
"""The most a header list may come to, as SETTINGS_MAX_HEADER_LIST_SIZE counts it."""

Metadata: TypeAlias = Sequence[tuple[str, str]]
"""Names and values of a call's headers; values of binary metadata are the base64 that came."""

_CONTENT_TYPE: Final = b"application/grpc"
_PSEUDO: Final = frozenset({b":method", b":scheme", b":path", b":authority"})
_NEEDED: Final = frozenset({b":method", b":scheme", b":path"})
_OF_CONNECTIONS: Final = frozenset(
    {b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"}
)
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_VALUE: Final = re.compile(rb"[^\0\r\n \t]?|[^\0\r\n \t][^\0\r\n]*[^\0\r\n \t]")
_TIMEOUT: Final = re.compile(rb"([0-9]{1,8})([HMSmun])")
_SECONDS: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
# Callers send few kinds of blocks; one that sends ever others must not fill the memory.
_KEPT: Final = 64


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call is answered at once: by an HTTP status other than 200, or by a status of gRPC and a sentence."""

    http: int
    status: Status = Status.INTERNAL
    message: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """The headers of a call. `malformed`: they are none, and nothing else of them counts."""

    path: str = ""
    malformed: bool = False
    refusal: Refusal | None = None
    timeout: float | None = None
    """Seconds the client waits; None: as long as it takes."""
    encoded: bool = False
    """Whether messages may be compressed, which we cannot read."""
    length: int | None = None
    """What content-length announces, in bytes."""
    metadata: Metadata = ()


class Heads:
    """The header blocks of one connection."""

    def __init__(self) -> None:
        self._table = _Table()
        self._decoder = Decoder(LIST_BYTES)
        self._decoder.header_table = self._table
        self._known: dict[bytes, Head] = {}

    def head(self, block: bytes) -> Head:
        """The head that a block is.

        Raises:
            ConnectionFault: when it cannot be decoded, or is too large, and so nothing after it can be decoded either.
        """
        known = self._known.get(block)
        if known is None:
            before = self._table.version
            known = _head(self._decoded(block))
            # The same bytes mean the same again, until the table they refer to is another.
            if before == self._table.version and len(self._known) < _KEPT:
                self._known[block] = known
        return known

    def trailers(self, block: bytes) -> bool:
        """Whether a block can be the trailers of a call.

        Raises:
            ConnectionFault: as `head` does.
        """
        return all(not name.startswith(b":") and _is_field(name, value) for name, value in self._decoded(block))

    def _decoded(self, block: bytes) -> list[tuple[bytes, bytes]]:
        before = self._table.version
        try:
            return [(bytes(name), bytes(value)) for name, value in self._decoder.decode(block, raw=True)]
        except OversizedHeaderListError:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "a header list that is too large") from None
        except HPACKError:
            raise ConnectionFault(Code.COMPRESSION_ERROR, "a header block that cannot be decoded") from None
        finally:
            if before != self._table.version:
                self._known.clear()


class _Table(HeaderTable):
    """A dynamic table that can be seen to have changed."""

    def __init__(self) -> None:
        super().__init__()
        self._added = 0

    def add(self, name: bytes, value: bytes) -> None:
        self._added += 1
        super().add(name, value)

    @property
    def version(self) -> tuple[int, int, int]:
        """Another one whenever an entry came or went, or the size is another."""
        return self._added, len(self.dynamic_entries), self.maxsize


def _is_field(name: bytes, value: bytes) -> bool:
    return bool(
        _NAME.fullmatch(name)
        and _VALUE.fullmatch(value)
        and name not in _OF_CONNECTIONS
        and (name != b"te" or value == b"trailers")
    )


def _head(headers: Sequence[tuple[bytes, bytes]]) -> Head:
    pseudo = {name: value for name, value in headers if name.startswith(b":")}
    fields = headers[len(pseudo) :]
    named = dict(fields)
    length = named.get(b"content-length")
    if (
        not all(pseudo.get(name) for name in _NEEDED)
        or not pseudo.keys() <= _PSEUDO
        # One that came twice, or after a field, is among the fields now, where no name begins with a colon.
        or not all(_is_field(name, value) for name, value in fields)
        or not all(_VALUE.fullmatch(value) for value in pseudo.values())
        or not (length is None or (length.isdigit() and len(length) < 20))
    ):
        return Head(malformed=True)
    seconds, refusal = _timeout(named.get(b"grpc-timeout"))
    kind = named.get(b"content-type", b"").lower()
    if pseudo[b":method"] != b"POST":
        refusal = Refusal(405)
    elif not kind.startswith(_CONTENT_TYPE) or kind[len(_CONTENT_TYPE) :][:1] not in {b"", b"+", b";"}:
        refusal = Refusal(415)
    return Head(
        path=pseudo[b":path"].decode("latin-1"),
        refusal=refusal,
        timeout=seconds,
        encoded=named.get(b"grpc-encoding", b"identity") != b"identity",
        length=None if length is None else int(length),
        metadata=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in fields),
    )


def _timeout(value: bytes | None) -> tuple[float | None, Refusal | None]:
    if value is None:
        return None, None
    match = _TIMEOUT.fullmatch(value)
    if match is None:
        return None, Refusal(200, Status.INTERNAL, "grpc-timeout is no time")
    return int(match[1]) * _SECONDS[match[2]], None
