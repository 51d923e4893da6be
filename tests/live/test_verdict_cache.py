"""Verdicts kept in the real Envoy: what is known is not asked about; what was taken back, and all else, is."""

from __future__ import annotations

import base64
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import urllib3
from backend import Backend
from rbac import grant
from stack import PATIENCE, Stack, registration, until

GROUP = "echo.example.com"
API = f"/apis/{GROUP}/v1"
THINGS = f"{API}/namespaces/default/things"
TOKENS = "secret-of-bob,bob,42,developers\nsecret-of-eve,eve,43,\n"
READ = {"apiGroups": [GROUP], "resources": ["things"], "verbs": ["get", "list", "watch"]}
HITS = "http.front_door.lua.verdicts.hits"
LONG = {"verdictCache": {"ttl": "5m", "debugHeader": True}}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A front door that keeps verdicts for five minutes and says what it knew."""
    with serving(LONG) as running:
        yield running


@pytest.fixture(scope="module")
def backend(stack: Stack) -> Iterator[Backend]:
    """A backend that developers may read."""
    with backend_of(stack) as running:
        yield running


def serving(settings: dict[str, dict[str, object]]) -> Stack:
    """A front door with the tokens of bob and eve."""
    stack = Stack(authentication={"tokenFile": "tokens.csv"}, settings=settings)
    (stack.root / "tokens.csv").write_text(TOKENS)
    return stack


@contextmanager
def backend_of(stack: Stack) -> Iterator[Backend]:
    """A backend of that front door, until it is closed."""
    with Backend(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as running:
        stack.drop("echo.yaml", *registration(GROUP, "v1", running.port, stack.servers.certificate))
        stack.drop("rights.yaml", *grant("reader", READ, groups=["developers"]))
        until(lambda: stack.status(THINGS, stack.http("starter", "developers")) == 200, "the backend is served")
        yield running


def asked(stack: Stack) -> float:
    """How many requests the control plane has decided."""
    return sum(stack.metric("isthmus_authorization_decisions_total").values())


def told(stack: Stack, client: urllib3.PoolManager, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    """The status of a request, and whether its verdict was known."""
    response = client.request(method, stack.url + path, headers=headers)
    return response.status, response.headers.get("X-Isthmus-Verdict", "")


def test_a_hit_is_not_asked_about(stack: Stack, backend: Backend) -> None:
    """A hundred requests of one collection are one decision, and each arrives with the same identity."""
    client = stack.http("one", "developers", "odd,group")
    first = told(stack, client, f"{THINGS}/t0")
    before, seen = asked(stack), len(backend.seen)

    rest = {told(stack, client, f"{THINGS}/t{number}") for number in range(1, 100)}

    assert (first, rest) == ((200, "miss"), {(200, "hit")})
    assert before == asked(stack)
    arrived = {tuple(each.lines("X-Remote-Group")) for each in backend.seen[seen - 1 :]}
    assert arrived == {("developers", "odd,group", "system:authenticated")}
    assert {each.lines("X-Remote-User")[0] for each in backend.seen[seen - 1 :]} == {"one"}


def test_nothing_of_the_cache_reaches_a_backend(stack: Stack, backend: Backend) -> None:
    """Neither a miss nor a hit shows the backend a header of ours, or the client's token."""
    for _ in range(2):
        told(stack, stack.http(), THINGS, Authorization="Bearer secret-of-bob")

        names = {name.lower() for name, _ in backend.seen[-1].headers}
        assert not [name for name in names if name.startswith(("x-isthmus", "authorization"))]


def test_a_verdict_is_for_one_credential(stack: Stack, backend: Backend) -> None:
    """Another certificate of the same user, her token, another user's and none are decided each for themselves."""
    two, again = stack.http("two", "developers"), stack.http("two-again", "developers")
    answers = [told(stack, client, THINGS) for client in (two, two, again)]
    tokens = [
        told(stack, stack.http(), THINGS, Authorization=f"Bearer secret-of-{who}") for who in ("bob", "bob", "eve")
    ]
    nobody = told(stack, stack.http(), THINGS)

    assert answers == [(200, "miss"), (200, "hit"), (200, "miss")]
    assert tokens == [(200, "hit"), (200, "hit"), (403, "miss")]
    assert nobody == (403, "miss")


def test_a_verdict_is_for_its_scope(stack: Stack, backend: Backend) -> None:
    """Another verb, namespace, subresource, version or group is asked about, and refused where there is no right."""
    client = stack.http("three", "developers")
    assert [told(stack, client, f"{THINGS}/t") for _ in range(2)] == [(200, "miss"), (200, "hit")]

    assert told(stack, client, f"{THINGS}/t", "DELETE") == (403, "miss")
    assert told(stack, client, f"{THINGS}/t", "PUT") == (403, "miss")
    assert told(stack, client, THINGS, "DELETE") == (403, "miss")
    assert told(stack, client, f"{THINGS}/t/status") == (403, "miss")
    assert told(stack, client, f"{API}/namespaces/default/secrets/t") == (403, "miss")
    assert told(stack, client, "/apis/other.example.com/v1/namespaces/default/things/t") == (403, "miss")
    assert told(stack, client, f"{API}/namespaces/other/things/t") == (200, "miss")
    assert told(stack, client, f"{THINGS}/t?x=%00") == (200, "hit")
    assert told(stack, client, f"{THINGS}/%C3%A9") == (200, "bypass")


def test_a_refusal_is_asked_about_every_time(stack: Stack, backend: Backend) -> None:
    """Ten times no are ten decisions, and a right that is granted counts at once."""
    client, before = stack.http("four"), asked(stack)
    assert {told(stack, client, THINGS) for _ in range(10)} == {(403, "miss")}
    assert before + 10 == asked(stack)

    stack.drop("four.yaml", *grant("four", READ, users=["four"]))

    until(lambda: told(stack, client, THINGS) == (200, "miss"), "the right counts")
    assert told(stack, client, THINGS) == (200, "hit")


def test_a_right_that_is_taken_is_gone_and_others_stay_known(stack: Stack, backend: Backend) -> None:
    """The revoked user is refused as soon as Envoy has been told; the other's verdict goes on being known."""
    stack.drop("taken.yaml", *grant("taken", READ, users=["taken"]))
    taken, other = stack.http("taken"), stack.http("other", "developers")
    until(lambda: told(stack, taken, THINGS)[0] == 200, "the right counts")
    assert [told(stack, client, THINGS)[1] for client in (taken, other, other)] == ["hit", "miss", "hit"]

    started = time.monotonic()
    stack.drop("taken.yaml", *grant("taken", READ, users=["somebody-else"]))
    until(lambda: told(stack, taken, THINGS) == (403, "miss"), "the right is gone")
    passed = time.monotonic() - started

    assert told(stack, other, THINGS) == (200, "hit")
    print(f"gone {passed * 1000:.1f} ms after the file was written")
    assert passed < 2


def test_a_role_that_loses_a_rule_takes_its_verdicts_along(stack: Stack, backend: Backend) -> None:
    """A changed ClusterRole is refused at once to everybody who was allowed by it."""
    stack.drop("role.yaml", *grant("role", READ, users=["role"]))
    client = stack.http("role")
    until(lambda: told(stack, client, THINGS) == (200, "hit"), "the verdict is known")

    stack.drop("role.yaml", *grant("role", {**READ, "verbs": ["get"]}, users=["role"]))

    until(lambda: told(stack, client, THINGS) == (403, "miss"), "the right is gone")


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("Impersonate-User", 403),
        ("Impersonate-Group", 400),
        ("Impersonate-Uid", 400),
        ("Impersonate-Extra-Scopes", 400),
        ("Impersonate_User", 200),
    ],
)
def test_impersonation_is_never_a_hit(name: str, status: int, stack: Stack, backend: Backend) -> None:
    """Whatever is known of the credential, a request that impersonates, or seems to, is asked about."""
    client = stack.http("five", "developers")
    until(lambda: told(stack, client, THINGS) == (200, "hit"), "the verdict is known")

    assert told(stack, client, THINGS, **{name: "root"}) == (status, "bypass")
    assert told(stack, client, THINGS) == (200, "hit")


def test_forged_verdicts_are_worth_nothing(stack: Stack, backend: Backend) -> None:
    """A client's own headers of that name neither make a hit nor reach the filters."""
    forged = {"X-Isthmus-Verdicts": "e 0 1 1 0", "X-Isthmus-Verdict": "hit", "X-Remote-User": "root"}

    assert told(stack, stack.http("six"), THINGS, **forged) == (403, "miss")


def test_a_certificate_and_a_token_together_are_asked_about(stack: Stack, backend: Backend) -> None:
    """Which of the two counts is for authorization to say, each time."""
    client = stack.http("seven", "developers")

    answers = {told(stack, client, THINGS, Authorization="Bearer secret-of-eve") for _ in range(3)}

    assert answers == {(200, "bypass")}
    assert backend.seen[-1].lines("X-Remote-User") == ["seven"]


def test_a_token_in_a_subprotocol_is_asked_about(stack: Stack, backend: Backend) -> None:
    """An upgrade is never a hit, although showing nothing else might be."""
    token = base64.urlsafe_b64encode(b"secret-of-bob").decode().rstrip("=")
    protocols = f"base64url.bearer.authorization.k8s.io.{token}, v4.channel.k8s.io"
    headers = f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {protocols}\r\n"
    context = ssl.create_default_context(cadata=stack.servers.certificate.decode())
    for _ in range(2):
        before = asked(stack)
        with (
            socket.create_connection(("127.0.0.1", stack.port), timeout=PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as tls,
        ):
            key = "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nConnection: Upgrade\r\n"
            tls.sendall(f"GET {API}/things HTTP/1.1\r\nHost: x\r\n{key}{headers}\r\n".encode())
            answer = tls.recv(4096).decode()
        assert " 101 " in answer.partition("\r\n")[0]
        assert "x-isthmus-verdict: bypass" in answer.lower()
        assert before + 1 == asked(stack)


def test_a_path_that_can_be_read_in_two_ways_is_refused_to_those_who_may_do_everything(
    stack: Stack, backend: Backend
) -> None:
    """The widest scope holds no request that authorization would answer with 400 or 500."""
    admin = stack.http("root", "system:masters")
    until(lambda: told(stack, admin, "/version") == (200, "hit"), "everything is known")

    assert told(stack, admin, f"/apis/{GROUP}/v1/watch") == (500, "bypass")
    assert told(stack, admin, f"/apis/{GROUP}/v1%20/things") == (400, "bypass")


def test_envoy_counts_what_the_cache_does(stack: Stack, backend: Backend) -> None:
    """Hits, misses, bypasses, invalidations and entries are the script's numbers."""
    client = stack.http("counted")
    stack.drop("counted.yaml", *grant("counted", READ, users=["counted"]))
    until(lambda: told(stack, client, THINGS) == (200, "hit"), "the verdict is known")
    before = stack.stats(HITS)[HITS]
    assert [told(stack, client, THINGS)[1] for _ in range(3)] == 3 * ["hit"]
    assert told(stack, client, THINGS, **{"Impersonate-User": "root"})[1] == "bypass"
    stack.remove("counted.yaml")
    until(lambda: told(stack, client, THINGS) == (403, "miss"), "the right is gone")
    counted = stack.stats(r"lua\.verdicts")

    numbers = {name.rpartition(".")[2]: value for name, value in counted.items()}
    assert (0, 0) == (numbers["errors"], numbers.get("failures", 0))
    assert all(numbers[name] > 0 for name in ("misses", "bypasses", "invalidations", "entries"))
    assert before + 3 <= stack.stats(HITS)[HITS]


def test_a_verdict_ends_with_its_time() -> None:
    """After a second it is asked about again, and by default no header tells of it."""
    with serving({"verdictCache": {"ttl": "1s"}}) as stack, backend_of(stack):
        client, before = stack.http("late", "developers"), asked(stack)
        started = time.monotonic()
        assert told(stack, client, THINGS) == (200, "")
        until(lambda: told(stack, client, THINGS) == (200, "") and asked(stack) > before + 1, "it is asked again")

        assert 0.9 < time.monotonic() - started < 5


def test_switched_off_every_request_is_asked_about() -> None:
    """With the switch off there is neither the filter that tells of the policy nor a hit."""
    with serving({"verdictCache": {"enabled": False, "debugHeader": True}}) as stack, backend_of(stack):
        client, before = stack.http("off", "developers"), asked(stack)

        assert {told(stack, client, THINGS) for _ in range(5)} == {(200, "")}
        assert before + 5 == asked(stack)
        assert stack.stats("isthmus.verdicts") == {}


def test_without_a_control_plane_what_is_known_goes_on() -> None:
    """Killed: known requests are served, all others get a 503 Status; the next control plane decides anew."""
    with serving(LONG) as stack, backend_of(stack) as backend:
        assert stack.control_plane is not None
        known, unknown = stack.http("known", "developers"), stack.http("unknown", "developers")
        until(lambda: told(stack, known, THINGS) == (200, "hit"), "the verdict is known")
        stack.control_plane.stop(signal.SIGKILL)

        assert {told(stack, known, f"{THINGS}?limit={number}") for number in range(50)} == {(200, "hit")}
        assert {told(stack, unknown, THINGS)[0] for _ in range(3)} == {503}
        assert {told(stack, known, f"{THINGS}/t")[0] for _ in range(3)} == {503}
        assert backend.seen[-1].lines("X-Remote-User") == ["known"]

        stack.start_control_plane()
        until(lambda: told(stack, unknown, THINGS)[0] == 200, "it decides again")
        # Generations of one life say nothing about another's: what was known before is asked about once more.
        until(lambda: told(stack, known, THINGS) == (200, "miss"), "the old verdict is void")
        assert told(stack, known, THINGS) == (200, "hit")
        assert told(stack, unknown, THINGS)[0] == 200
