"""A client that asks and gives up thousands of times at once, beside others of the same backend, over the real Envoy.

Envoy ends a connection to a backend on which more than so many frames wait to be sent, and everybody's requests with
it. One connection of a client cannot bring that about: Envoy closes it at its 250th reset within a second. Several can,
since what they send reaches the backend's one connection in a single turn of Envoy's event loop.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from backend import Backend
from hpack import Encoder
from http2_backend import HELD, Http2Backend
from hyperframe.frame import HeadersFrame, RstStreamFrame, SettingsFrame
from rbac import grant
from stack import PATIENCE, Stack, registration, until

GROUP = "echo.example.com"
THINGS = f"/apis/{GROUP}/v1/namespaces/default/things"
EVERYTHING = {"apiGroups": [GROUP], "resources": ["things"], "verbs": ["*"]}
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CONNECTIONS = 40
RESETS = 250
"""After so many, within a second, Envoy closes a client's connection."""
CANCEL = 8
RESET, CLOSED = (f"http.front_door.downstream_rq_{what}" for what in ("rx_reset", "too_many_premature_resets"))


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A front door with known verdicts: a request goes on to its backend at once."""
    with Stack(settings={"verdictCache": {"ttl": "5m"}}) as running:
        running.drop("rights.yaml", *grant("writer", EVERYTHING, groups=["developers"]))
        yield running


@dataclass
class Ordinary:
    """Another client, which asks for one thing after the other; `answers` counts its statuses."""

    stack: Stack
    answers: Counter[int] = field(default_factory=Counter)

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """While it asks; it has been answered before this begins, and once more after it ends."""
        over = False

        def ask() -> None:
            client = self.stack.http("ordinary", "developers")
            while True:
                last = over
                self.answers[self.stack.status(THINGS, client)] += 1
                if last:
                    return

        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ask)
            until(lambda: self.answers, "the other client is answered")
            try:
                yield
            finally:
                over = True
                asked.result(PATIENCE)


def served(stack: Stack, port: int) -> None:
    """Waits until the backend is served, and the verdict on the one who floods is known."""
    stack.drop("echo.yaml", *registration(GROUP, "v1", port, stack.servers.certificate))
    client = stack.http("flooder", "developers")
    until(lambda: stack.status(THINGS, client) == 200, "the backend is served")
    assert stack.status(THINGS, client) == 200


def flood(stack: Stack) -> None:
    """Asks and gives up on 40 connections as often as one may, so that Envoy finds it all when it next looks."""
    before = stack.stats("front_door.downstream_rq")
    with contextlib.ExitStack() as opened:
        connections = [opened.enter_context(_connection(stack)) for _ in range(CONNECTIONS)]
        assert stack.envoy is not None
        with _stopped(stack.envoy.pid):
            for connection in connections:
                connection.sendall(_requests())
        count = CONNECTIONS * RESETS
        until(lambda: stack.stats("front_door.downstream_rq")[RESET] - before[RESET] == count, "the flood is over")
    assert stack.stats("front_door.downstream_rq")[CLOSED] - before[CLOSED] == CONNECTIONS


def _connection(stack: Stack) -> ssl.SSLSocket:
    context = ssl.create_default_context(cadata=stack.servers.certificate.decode())
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(*stack.user("flooder", "developers"))
    plain = socket.create_connection(("127.0.0.1", stack.port), timeout=PATIENCE)
    connection = context.wrap_socket(plain, server_hostname="127.0.0.1")
    connection.sendall(PREFACE + SettingsFrame(0).serialize())
    return connection


def _requests() -> bytes:
    encoder, frames = Encoder(), bytearray()
    headers = [(":method", "GET"), (":scheme", "https"), (":authority", "front"), (":path", THINGS)]
    for stream in range(1, 2 * RESETS, 2):
        request = HeadersFrame(stream, data=encoder.encode(headers), flags=["END_HEADERS", "END_STREAM"])
        frames += request.serialize() + RstStreamFrame(stream, error_code=CANCEL).serialize()
    return bytes(frames)


@contextlib.contextmanager
def _stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def read_at_once(stack: Stack, backend: Http2Backend) -> None:
    """A flood at a backend that takes whatever it is sent."""
    flood(stack)


def read_later(stack: Stack, backend: Http2Backend) -> None:
    """A flood at a backend that reads nothing until it is over."""
    backend.stop_reading()
    flood(stack)


@pytest.mark.parametrize("flooded", [read_at_once, read_later])
def test_resets_on_a_shared_connection_cut_nobody_off(
    stack: Stack, flooded: Callable[[Stack, Http2Backend], None]
) -> None:
    """10,000 requests and resets in one turn of Envoy's event loop leave the backend's connection as it was.

    With Envoy's own limits (1,000 resets and 10,000 frames waiting) all that others wait for failed with 503.
    """
    with Http2Backend(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as backend:
        served(stack, backend.port)
        ordinary = Ordinary(stack)
        with ThreadPoolExecutor(5) as pool:
            waiting = [pool.submit(stack.status, THINGS + HELD, stack.http("ordinary", "developers")) for _ in range(5)]
            until(lambda: len(backend.held) == 5, "requests of others are under way")
            with ordinary.asking():
                flooded(stack, backend)
                backend.release()
            statuses = [each.result(PATIENCE) for each in waiting]

        floods = {name: count for name, count in stack.stats("backend.*outbound.*flood").items() if count}
    assert (statuses, set(ordinary.answers), floods) == ([200] * 5, {200}, {})


def test_requests_over_http_1_are_given_up_one_by_one(stack: Stack) -> None:
    """A backend without HTTP/2 has a connection for each request; those of others live on."""
    with Backend(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as backend:
        served(stack, backend.port)
        ordinary = Ordinary(stack)
        with ordinary.asking():
            flood(stack)

    assert set(ordinary.answers) == {200}


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_who_connects_and_does_not_shake_hands_is_cut_off(stack: Stack, said: bytes) -> None:
    """Ten seconds are enough for TLS; Envoy by itself would wait as long as the client does."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=PATIENCE) as silent:
        silent.sendall(said)
        assert silent.recv(1) == b""
