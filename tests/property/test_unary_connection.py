"""Whatever a client sends in whatever pieces, calls are what it said, or the connection ends; nothing is raised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded, TrailersReceived
from h2.settings import SettingCodes
from hypothesis import given, settings
from hypothesis import strategies as st
from unary_client import HEADERS, METHOD, Client, message, split

from controlplane.faces.unary import frames
from controlplane.faces.unary.connection import Connection
from controlplane.faces.unary.frames import Code

# What is between a client and the server is cut anywhere.
CUTS = st.lists(st.integers(1, 40), min_size=1, max_size=20)
KINDS = st.sampled_from([*range(12), frames.HEADERS, frames.HEADERS, frames.DATA, frames.DATA])
FRAMES = st.builds(
    frames.frame,
    KINDS,
    st.sampled_from([0, 1, 4, 5, 8, 0x20, 0x2D, 0xFF]),
    st.integers(0, 9),
    st.one_of(
        st.binary(max_size=40),
        st.just(Client().encoder.encode(HEADERS)),
        st.just(message(b"question")),
        st.sampled_from([b"\0" * 4, b"\0" * 5, b"\0" * 6, b"\0" * 8, b"\xff" * 4]),
    ),
)


def pieces(said: bytes, cuts: list[int]) -> list[bytes]:
    """The same bytes in pieces of these sizes, again and again."""
    found, at, number = [], 0, 0
    while at < len(said):
        size = cuts[number % len(cuts)]
        found.append(said[at : at + size])
        at, number = at + size, number + 1
    return found


def whole_frames(said: bytes) -> list[bytes]:
    """The same bytes, a frame a piece."""
    found = []
    while said:
        end = frames.HEADER_BYTES + int.from_bytes(said[:3])
        found.append(said[:end])
        said = said[end:]
    return found


@given(st.binary(max_size=400), CUTS, st.booleans())
def test_any_bytes_are_survived(said: bytes, cuts: list[int], begun: bool) -> None:
    """What is no frame is not held beyond its limit, and what is sent is always frames."""
    client = Client(begun=begun)
    for piece in pieces(said, cuts):
        client.say(piece)
        split(client.server.outgoing())


@settings(max_examples=300)
@given(st.lists(FRAMES, max_size=30), CUTS)
def test_any_frames_are_survived(said: list[bytes], cuts: list[int]) -> None:
    """Calls that come out can be answered, and after a fault none does; the cuts make no difference."""
    whole, cut = Client(), Client()
    for each in said:
        whole.say(each)
    for piece in pieces(b"".join(said), cuts):
        cut.say(piece)
    for client in (whole, cut):
        for call in client.calls:
            client.server.answer(call.stream, call.message)

    assert whole.server.closed == cut.server.closed
    assert [call for call in cut.calls if call.stream not in cut.cancelled] == [
        call for call in whole.calls if call.stream not in whole.cancelled
    ]
    assert whole.cancelled == cut.cancelled
    sent = whole.server.outgoing()
    assert split(sent) == split(cut.server.outgoing())
    assert bool(whole.server.closed) == any(
        each.kind == frames.GOAWAY and each.code != Code.NO_ERROR for each in split(sent)
    )


@dataclass
class Wanted:
    """A call of the client: what it sends, in which pieces, and what it is to be answered."""

    content: bytes
    answer: bytes
    sizes: list[int]
    padding: int | None
    stream: int = 0
    sent: int = 0
    heard: bytes = b""
    said: dict[str, str] = field(default_factory=dict)
    ended: bool = False


WANTED = st.builds(
    Wanted,
    st.integers(0, 30_000).map(lambda size: (b"%d " % size * size)[:size]),
    st.sampled_from([0, 1, 100, 16_379, 16_380, 70_000, 90_000]).map(lambda size: b"a" * size),
    st.lists(st.integers(1, 20_000), min_size=1, max_size=5),
    st.none() | st.integers(0, 30),
)
TUNING = st.fixed_dictionaries(
    {},
    optional={
        SettingCodes.INITIAL_WINDOW_SIZE: st.integers(0, 100_000),
        SettingCodes.MAX_FRAME_SIZE: st.integers(16_384, 50_000),
        SettingCodes.HEADER_TABLE_SIZE: st.integers(0, 8192),
    },
)


class Peer:
    """python-h2's client, which checks everything that the server sends, and the server."""

    def __init__(self, calls: list[Wanted], tunings: list[dict[SettingCodes, int]], cuts: list[int]) -> None:
        self.left = list(calls)
        self.tunings = list(tunings)
        self.client = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.client.initiate_connection()
        self.server = Connection({METHOD})
        self.cuts = cuts
        self.wanted: dict[int, Wanted] = {}
        self.open: list[int] = []
        self.owed: list[tuple[int, int]] = []

    def exchange(self) -> None:
        """Carries what both have to say, until neither has any more."""
        while (out := self.client.data_to_send()) or self.server_says():
            for piece in pieces(out, [size * 500 for size in self.cuts]):
                calls, _ = self.server.receive(piece, 0.0)
                for call in calls:
                    assert self.wanted[call.stream].content == call.message
                    self.open.append(call.stream)

    def server_says(self) -> bool:
        """Takes what the server says; whether it has said anything."""
        said = self.server.outgoing()
        # python-h2 lets the size of frames that an acknowledgement allows count only from the next piece on.
        for piece in pieces(said, self.cuts) if len(said) < 500 else whole_frames(said):
            for event in self.client.receive_data(piece):
                if isinstance(event, ResponseReceived | TrailersReceived):
                    self.wanted[event.stream_id].said.update(dict(event.headers))
                elif isinstance(event, DataReceived):
                    self.wanted[event.stream_id].heard += event.data
                    self.owed.append((event.stream_id, event.flow_controlled_length))
                elif isinstance(event, StreamEnded):
                    self.wanted[event.stream_id].ended = True
        return bool(said)

    def begin(self) -> None:
        """Opens a call, if there is any left."""
        if self.left:
            wanted = self.left.pop()
            wanted.stream = self.client.get_next_available_stream_id()
            self.wanted[wanted.stream] = wanted
            self.client.send_headers(wanted.stream, HEADERS)

    def send(self, wanted: Wanted | None) -> None:
        """Sends a piece of a call, if there is any left."""
        body = b"" if wanted is None else message(wanted.content)
        if wanted is None or wanted.sent == len(body):
            return
        padding = 0 if wanted.padding is None else wanted.padding + 1
        window = self.client.local_flow_control_window(wanted.stream)
        room = min(window, self.client.max_outbound_frame_size) - padding
        size = min(wanted.sizes[wanted.sent % len(wanted.sizes)], room, len(body) - wanted.sent)
        if size > 0:
            last = wanted.sent + size == len(body)
            part = body[wanted.sent : wanted.sent + size]
            self.client.send_data(wanted.stream, part, end_stream=last, pad_length=wanted.padding)
            wanted.sent += size

    def answer(self, stream: int) -> None:
        """Answers a call whose message has come."""
        if stream in self.open:
            self.open.remove(stream)
            self.server.answer(stream, self.wanted[stream].answer)

    def tune(self) -> None:
        """Changes the client's settings, if they are to be changed again."""
        if self.tunings:
            self.client.update_settings(self.tunings.pop())

    def finish(self) -> None:
        """Does what is left to do, in as few pieces as can be."""
        while self.left:
            self.begin()
        self.client.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 100_000})
        for _ in range(30):
            self.exchange()
            for wanted in self.wanted.values():
                wanted.sizes = [20_000]
                self.send(wanted)
            for stream in list(self.open):
                self.answer(stream)
            self.acknowledge()

    def acknowledge(self) -> None:
        """Lets the server send on."""
        for stream, size in self.owed:
            ended = self.wanted[stream].ended
            self.client.acknowledge_received_data(size, stream)
            if not ended:
                self.client.increment_flow_control_window(100, stream)
        self.owed.clear()


STEPS: dict[str, Callable[[Peer, st.DataObject], None]] = {
    "begin": lambda peer, _: peer.begin(),
    "send": lambda peer, data: peer.send(data.draw(st.sampled_from([*peer.wanted.values()] or [None]))),
    "answer": lambda peer, data: peer.answer(data.draw(st.sampled_from(peer.open or [0]))),
    "acknowledge": lambda peer, _: peer.acknowledge(),
    "tune": lambda peer, _: peer.tune(),
    "exchange": lambda peer, _: peer.exchange(),
}


@settings(deadline=None, max_examples=100)
@given(st.lists(WANTED, min_size=1, max_size=8), st.lists(TUNING, max_size=4), CUTS, st.data())
def test_every_call_of_a_proper_client_is_answered(
    calls: list[Wanted], tunings: list[dict[SettingCodes, int]], cuts: list[int], data: st.DataObject
) -> None:
    """In whatever order both speak, whatever windows there are, and however the bytes are cut."""
    peer = Peer(calls, tunings, cuts)
    peer.exchange()
    for step in data.draw(st.lists(st.sampled_from([*STEPS, "send", "send"]), min_size=20, max_size=40)):
        STEPS[step](peer, data)
    peer.finish()

    assert "" == peer.server.closed
    assert [message(each.answer) for each in calls] == [each.heard for each in calls]
    assert ["0"] * len(calls) == [each.said["grpc-status"] for each in calls]
