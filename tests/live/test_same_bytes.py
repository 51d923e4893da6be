"""Requests as no client library writes them: what a backend reads of them, and what becomes of their neighbours."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import pytest
from aiohttp import web
from backend import Backend
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, Event, ResponseReceived, StreamReset
from rbac import grant
from stack import PATIENCE, Stack, registration, until

GROUP = "echo.example.com"
THINGS = f"/apis/{GROUP}/v1/namespaces/default/things"
EVERYTHING = {"apiGroups": [GROUP], "resources": ["things"], "verbs": ["*"]}
CORE = {"apiGroups": [""], "resources": ["*"], "verbs": ["get", "list", "create", "update"]}
IMPERSONATE = {"apiGroups": [""], "resources": ["users", "groups"], "verbs": ["impersonate"]}
TOKENS = "secret-of-bob,bob,42,developers\nsecret-of-imp,imp,43,\n"
BOB, IMP = (("authorization", f"Bearer secret-of-{who}") for who in ("bob", "imp"))


class Talkative(Backend):
    """A backend that has more to say of some things than Envoy by itself would read."""

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        response = await super()._handle(request)
        if request.path.endswith("/many"):
            response.headers.update({f"X-Said-{number}": "y" for number in range(150)})
        elif request.path.endswith("/large"):
            response.headers["X-Said"] = 70 * 1024 * "y"
        return response


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A front door that says which verdicts it knew."""
    door = Stack(
        authentication={"tokenFile": "tokens.csv"}, settings={"verdictCache": {"ttl": "5m", "debugHeader": True}}
    )
    (door.root / "tokens.csv").write_text(TOKENS)
    with door as running:
        yield running


@pytest.fixture(scope="module")
def backend(stack: Stack) -> Iterator[Backend]:
    """A backend on which developers may do everything, as whom imp may act."""
    with Talkative(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as running:
        rights = [*grant("writer", EVERYTHING, CORE, groups=["developers"]), *grant("imp", IMPERSONATE, users=["imp"])]
        stack.drop("echo.yaml", *registration(GROUP, "v1", running.port, stack.servers.certificate), *rights)
        until(lambda: stack.status(THINGS, stack.http("starter", "developers")) == 200, "the backend is served")
        yield running


def connected(stack: Stack, protocol: str) -> ssl.SSLSocket:
    """A connection that speaks `protocol`."""
    context = ssl.create_default_context(cadata=stack.servers.certificate.decode())
    context.set_alpn_protocols([protocol])
    plain = socket.create_connection(("127.0.0.1", stack.port), timeout=PATIENCE)
    return context.wrap_socket(plain, server_hostname="127.0.0.1")


def answered(stack: Stack, *lines: str) -> str:
    """The status line that these lines are answered with in HTTP/1, sent as they are."""
    with connected(stack, "http/1.1") as connection:
        connection.sendall("\r\n".join((*lines, "", "")).encode())
        return connection.makefile("rb").readline().decode().strip()


class Http2:
    """A connection of HTTP/2 that sends headers as they are."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self._connection = connection
        self._http2 = H2Connection(H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False))
        self._http2.initiate_connection()
        self._events: list[Event] = []

    def send(
        self, *headers: tuple[str, str], method: str = "GET", path: str = THINGS, who: tuple[str, str] = BOB
    ) -> int:
        """Sends a request; its stream."""
        stream = self._http2.get_next_available_stream_id()
        first = [(":method", method), (":scheme", "https"), (":authority", "x"), (":path", path), who]
        self._http2.send_headers(stream, [*first, *headers], end_stream=True)
        self._connection.sendall(self._http2.data_to_send())
        return stream

    def next(self, stream: int, *kinds: type[Event]) -> Event:
        """The next event of those kinds on a stream; the connection must not end before."""
        while True:
            for event in self._events:
                assert not isinstance(event, ConnectionTerminated)
                if isinstance(event, kinds) and getattr(event, "stream_id", None) == stream:
                    self._events.remove(event)
                    return event
            received = self._connection.recv(65536)
            assert received, "the connection has ended"
            self._events += self._http2.receive_data(received)
            self._connection.sendall(self._http2.data_to_send())

    def outcome(
        self, *headers: tuple[str, str], method: str = "GET", path: str = THINGS, who: tuple[str, str] = BOB
    ) -> tuple[str, str]:
        """The status of a request and what became of its verdict; "reset" when its stream is."""
        event = self.next(self.send(*headers, method=method, path=path, who=who), ResponseReceived, StreamReset)
        if not isinstance(event, ResponseReceived):
            return "reset", ""
        found = {name.decode(): value.decode() for name, value in event.headers}
        return found[":status"], found["x-isthmus-verdict"]


@pytest.mark.parametrize(
    ("bad", "path"),
    [
        (("te", "gzip"), THINGS),
        (("connection", "close"), THINGS),
        (("X-Upper", "case"), THINGS),
        (("x-lines", "one\r\nx-remote-user: root"), THINGS),
        (("content-length", "7"), THINGS),
        (("x-a", "b"), f"{THINGS}/a b"),
    ],
)
def test_a_request_that_is_none_ends_alone(stack: Stack, backend: Backend, bad: tuple[str, str], path: str) -> None:
    """Watches on the same connection go on, and so does the connection."""
    with connected(stack, "h2") as connection:
        client, before = Http2(connection), backend.watchers
        watch = client.send(path=f"{THINGS}?watch=1")
        until(lambda: backend.watchers == before + 1, "it is watched")
        seen = len(backend.seen)

        assert client.outcome(bad, path=path) == ("reset", "")
        assert len(backend.seen) == seen
        backend.emit("still here")
        arrived = client.next(watch, DataReceived)
        assert isinstance(arrived, DataReceived)
        assert arrived.data == b"still here\n"
        assert client.outcome()[0] == "200"


@pytest.mark.parametrize(
    ("verb", "method", "path"),
    [("get", "GET", "/api/v1/things/x"), ("list", "GET", "/api/v1/things"), ("create", "POST", "/api/v1/things")],
)
def test_a_method_of_the_clients_own_is_never_known(
    stack: Stack, backend: Backend, verb: str, method: str, path: str
) -> None:
    """A method and a path that together spell the scope of a known verdict are decided, and refused."""
    with connected(stack, "h2") as connection:
        client = Http2(connection)
        client.outcome(method=method, path=path)
        assert client.outcome(method=method, path=path) == ("404", "hit")

        assert client.outcome(method=verb, path="/v1") == ("403", "bypass")


def test_a_user_of_many_groups_can_be_impersonated(stack: Stack, backend: Backend) -> None:
    """Each group has a line of its own, both ways, in either protocol; Envoy alone would take a hundred lines."""
    groups = ["developers", *(f"CN=group {number},OU=one of many,DC=example,DC=com" for number in range(105))]
    headers = [("impersonate-user", "alice"), *(("impersonate-group", group) for group in groups)]
    lines = [f"{name}: {value}" for name, value in (IMP, *headers)]
    with connected(stack, "h2") as connection:
        assert Http2(connection).outcome(*headers, who=IMP) == ("200", "bypass")
    arrived = [backend.seen[-1].lines("X-Remote-Group")]
    assert answered(stack, f"GET {THINGS} HTTP/1.1", "Host: x", "Connection: close", *lines) == "HTTP/1.1 200 OK"
    arrived.append(backend.seen[-1].lines("X-Remote-Group"))

    assert arrived == [[*groups, "system:authenticated"]] * 2


def test_headers_without_end_are_refused(stack: Stack, backend: Backend) -> None:
    """Above the limits of size and number the answer is 431."""
    large = f"X-Large: {300 * 1024 * 'x'}"
    many = [f"X-{number}: y" for number in range(2500)]
    asked = (f"GET {THINGS} HTTP/1.1", "Host: x")

    assert "431" in answered(stack, *asked, large)
    assert "431" in answered(stack, *asked, *many)


@pytest.mark.parametrize("more", [(), ("Host: x",), ("Connection: keep-alive",)])
def test_load_balancers_may_ask_for_health_in_http_1_0(stack: Stack, more: tuple[str, ...]) -> None:
    """HAProxy's checks do, and name no host."""
    assert answered(stack, "GET /healthz HTTP/1.0", *more) == "HTTP/1.0 200 OK"


@pytest.mark.parametrize(
    "name", ["X-Forwarded-Host", "X-Forwarded-Uri", "X_Forwarded_Host", "x-forwarded_uri", "Proxy-Authorization"]
)
def test_what_is_a_proxys_to_say_or_to_read_goes_no_further(stack: Stack, backend: Backend, name: str) -> None:
    """A backend that believes its front proxy is not told a client's words as the proxy's."""
    asked = (f"GET {THINGS} HTTP/1.1", "Host: x", "Authorization: Bearer secret-of-bob", "Connection: close")

    assert answered(stack, *asked, f"{name}: evil", "X-Other: good") == "HTTP/1.1 200 OK"
    assert "evil" not in dict(backend.seen[-1].headers).values()
    assert backend.seen[-1].lines("X-Other") == ["good"]


@pytest.mark.parametrize("thing", ["many", "large"])
def test_a_backend_may_answer_with_many_headers(stack: Stack, backend: Backend, thing: str) -> None:
    """More than a hundred lines, or 60 KiB, as kube-aggregator passes them on."""
    asked = ("Host: x", "Authorization: Bearer secret-of-bob", "Connection: close")

    assert answered(stack, f"GET {THINGS}/{thing} HTTP/1.1", *asked) == "HTTP/1.1 200 OK"
