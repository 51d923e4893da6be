"""One call on its way, and how much of everything a client may still make us do.

In: what of a call's messages has come. Out: its one message, or why there is none. Law: no client makes us hold, or do
for nothing, more than is set here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from controlplane.faces.unary.heads import Head, Metadata
from controlplane.faces.unary.status import Status

PREFIX_BYTES: Final = 5
"""Before each message: whether it is compressed, and its length."""
MESSAGE_BYTES: Final = 4 << 20
"""The longest message taken, as with gRPC by default."""
STREAM_WINDOW: Final = 1 << 20
"""How many bytes of one call may be on their way, as SETTINGS_INITIAL_WINDOW_SIZE says."""

# Of what costs us something and brings no call further: so many at once, and so many in a second. A client whose calls
# are answered may send some more of it: acknowledgements, windows, pings.
_CREDIT: Final = 2000
_CREDIT_PER_SECOND: Final = 200
_CREDIT_PER_ANSWER: Final = 8


@dataclass(frozen=True, slots=True)
class Call:
    """A call whose message has come; `timeout` is how many seconds the client waits, None for ever."""

    stream: int
    path: str
    message: bytes
    timeout: float | None
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Defect:
    """Why a call fails."""

    status: Status
    message: str


@dataclass(slots=True)
class Stream:
    """An open stream: what has come of its message, or what of its answer has not gone yet."""

    number: int
    head: Head
    window: int
    """How many bytes the client lets us send; less than none when it took some back."""
    body: bytes | bytearray = b""
    ended: bool = False
    """Whether the client has sent everything."""
    called: bool = False
    """Whether its call has come."""
    came: int = 0
    """Bytes of content that came."""
    owed: int = 0
    """Bytes that came and of which the client has not been told that it may send as many more."""
    rest: memoryview | None = None
    """What of an answer waits for the client's windows; None while there is no answer."""

    def take(self, payload: bytes) -> Defect | None:
        """Adds what came; not None when the call fails for it."""
        self.came += len(payload)
        if not self.body:
            self.body = payload
        elif isinstance(self.body, bytearray):
            self.body += payload
        else:
            self.body = bytearray(self.body) + payload
        if len(self.body) < PREFIX_BYTES:
            return None
        size = int.from_bytes(self.body[1:PREFIX_BYTES])
        if self.body[0]:
            if self.head.encoded:
                return Defect(Status.UNIMPLEMENTED, "messages must not be compressed")
            return Defect(Status.INTERNAL, "a message is flagged as compressed, and grpc-encoding does not say how")
        if size > MESSAGE_BYTES:
            return Defect(Status.RESOURCE_EXHAUSTED, f"a message of {size} bytes is longer than {MESSAGE_BYTES}")
        if len(self.body) > PREFIX_BYTES + size:
            return Defect(Status.INTERNAL, "a unary call has one message")
        return None

    def call(self) -> Call | Defect:
        """The call, once everything has come; what came is given away with it."""
        body, self.body = self.body, b""
        if len(body) < PREFIX_BYTES or len(body) != PREFIX_BYTES + int.from_bytes(body[1:PREFIX_BYTES]):
            return Defect(Status.INTERNAL, "a unary call has one message, and it did not come")
        head = self.head
        return Call(self.number, head.path, bytes(body[PREFIX_BYTES:]), head.timeout, head.metadata)


class Credit:
    """How much a client may still send that brings no call further."""

    def __init__(self) -> None:
        self._left = float(_CREDIT)
        self._since: float | None = None

    def answered(self) -> None:
        """A call was answered."""
        self._left = min(self._left + _CREDIT_PER_ANSWER, _CREDIT)

    def spend(self, now: float) -> bool:
        """Whether one thing more is in order; `now` is in seconds."""
        if self._since is not None:
            self._left = min(self._left + (now - self._since) * _CREDIT_PER_SECOND, _CREDIT)
        self._since = now
        self._left -= 1
        return self._left >= 0
