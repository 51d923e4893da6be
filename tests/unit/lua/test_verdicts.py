from __future__ import annotations

from itertools import pairwise

import pytest
from lua import POLICY, Verdicts, verdict

LIST, THING = "/apis/a.io/v1/things", "/apis/a.io/v1/namespaces/n/things/t"
COLLECTION = "list a.io/v1  things/"
NAMED = "get a.io/v1 n things/"


@pytest.mark.parametrize(
    ("method", "target", "narrowest"),
    [
        ("GET", LIST, "list a.io/v1  things/ "),
        ("HEAD", LIST, "list a.io/v1  things/ "),
        ("GET", f"{LIST}?limit=500&continue=abc%3D&labelSelector=a%3Db", "list a.io/v1  things/ "),
        ("GET", f"{LIST}?watch=true&allowWatchBookmarks=true", "watch a.io/v1  things/ "),
        ("GET", f"{LIST}?resourceVersion=5&watch=1", "watch a.io/v1  things/ "),
        ("POST", LIST, "create a.io/v1  things/ "),
        ("DELETE", LIST, "deletecollection a.io/v1  things/ "),
        ("GET", THING, "get a.io/v1 n things/ t"),
        ("GET", f"{THING}?watch=true", "get a.io/v1 n things/ t"),
        ("PUT", f"{THING}/status", "update a.io/v1 n things/status t"),
        ("PATCH", "/api/v1/namespaces/n", "patch /v1 n namespaces/ n"),
        ("PUT", "/api/v1/namespaces/n/finalize", "update /v1 n namespaces/finalize n"),
        ("GET", "/api/v1/namespaces/n/pods/p/log/deeper", "get /v1 n pods/log p"),
        ("GET", "/api/v1/namespaces", "list /v1  namespaces/ "),
        ("GET", "/apis/a.io/v1", "path get /apis/a.io/v1"),
        ("HEAD", "/version", "path head /version"),
    ],
)
def test_a_plain_request_lies_in_nested_scopes(method: str, target: str, narrowest: str) -> None:
    """From everything to the request itself, each scope's text begins with the wider one's."""
    scopes = Verdicts().scopes(method, target)

    assert scopes is not None
    assert scopes[0] == "*"
    assert narrowest == scopes[-1]
    assert all(narrow.startswith(wide) for wide, narrow in pairwise(scopes[1:]))


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("OPTIONS", LIST),
        ("CONNECT", LIST),
        ("get", LIST),
        ("GET", "/"),
        ("GET", f"{LIST}/"),
        ("GET", "/apis//v1/things"),
        ("GET", "/apis/a.io/v1/../things"),
        ("GET", "/apis/a.io/v1/./things"),
        ("GET", "/apis/a.io/v1/.."),
        ("GET", "/apis/a.io/v1/th%69ngs"),
        ("GET", "/apis/a.io/v1/things;x"),
        ("GET", "/apis/a.io/v1/things#x"),
        ("GET", f"{LIST}?a=b#x"),
        ("GET", f"{LIST}?a=b;watch=true"),
        ("GET", "/apis/a.io/v1/th ings"),
        ("GET", "/apis/a.io/v1/thing\xe9"),
        ("GET", "/apis/a.io/v1/things\x00"),
        ("GET", "/apis/a.io/v1/watch/things"),
        ("GET", "/api/v1/proxy/nodes/n"),
        ("GET", "/api/v1/watch"),
        ("GET", f"{LIST}?watch"),
        ("GET", f"{LIST}?watch=yes"),
        ("GET", f"{LIST}?watch=true&watch=false"),
        ("GET", f"{LIST}?w%61tch=true"),
        ("GET", f"{LIST}?fieldSelector=metadata.name%3Dt"),
        ("GET", "/apis/a.io/v1/" + 512 * "x"),
        ("GET", "apis/a.io/v1/things"),
        ("GET", "http://host/apis/a.io/v1/things"),
    ],
)
def test_a_request_that_might_be_read_otherwise_lies_in_no_scope(method: str, target: str) -> None:
    """Not even in that of everything: it is always asked about, and never remembered."""
    cache = Verdicts()
    cache.keep("alice", "GET", LIST, verdict("*"))

    assert cache.scopes(method, target) is None
    assert cache.find("alice", method, target) is None
    assert cache.ask("alice", method, target) is None


def test_a_verdict_answers_the_next_request_of_its_scope() -> None:
    """What was allowed for one object of a collection is known for another."""
    cache = Verdicts()

    assert cache.keep("alice", "GET", THING, verdict(NAMED))
    assert cache.find("alice", "GET", f"{THING}2", 9_999) == ["x-remote-user", "alice"]


@pytest.mark.parametrize(
    ("credential", "method", "target"),
    [
        ("bob", "GET", THING),
        ("", "GET", THING),
        ("alice", "PUT", THING),
        ("alice", "GET", "/apis/a.io/v1/namespaces/n/things"),
        ("alice", "GET", f"{THING}/status"),
        ("alice", "GET", "/apis/a.io/v1/namespaces/m/things/t"),
        ("alice", "GET", "/apis/a.io/v1/namespaces/n/others/t"),
        ("alice", "GET", "/apis/a.io/v1/things/t"),
        ("alice", "GET", "/apis/a.io/v2/namespaces/n/things/t"),
        ("alice", "GET", "/apis/b.io/v1/namespaces/n/things/t"),
        ("alice", "GET", "/api/v1/namespaces/n/things/t"),
    ],
)
def test_a_verdict_answers_nothing_outside_its_scope(credential: str, method: str, target: str) -> None:
    """Another user, verb, subresource, namespace, resource, version or group is asked about."""
    cache = Verdicts()
    cache.keep("alice", "GET", THING, verdict(NAMED))

    assert cache.find(credential, method, target) is None


@pytest.mark.parametrize("now", [-1, 10_000, 10_001])
def test_a_verdict_holds_from_the_question_until_its_time_is_over(now: int) -> None:
    """Neither after its seconds, counted from the question, nor when the clock has gone back."""
    cache = Verdicts()
    cache.keep("alice", "GET", LIST, verdict(COLLECTION))

    assert cache.find("alice", "GET", LIST, 9_999) is not None
    assert cache.find("alice", "GET", LIST, now) is None


def test_a_request_line_that_is_remembered_ends_with_its_verdict() -> None:
    """Asking for the same object again and again does not make the collection's verdict live longer."""
    cache = Verdicts()
    cache.keep("alice", "GET", THING, verdict(NAMED))
    for now in range(0, 10_000, 100):
        assert cache.find("alice", "GET", f"{THING}2", now) is not None

    assert cache.find("alice", "GET", f"{THING}2", 10_000) is None


def test_no_verdict_lives_longer_than_the_policy_lets_any() -> None:
    """An answer that asks for more is held to the longest life."""
    cache = Verdicts()
    cache.keep("alice", "GET", LIST, verdict(COLLECTION, seconds=1e9))

    assert cache.find("alice", "GET", LIST, 10_000) is None


@pytest.mark.parametrize(
    ("policy", "known"),
    [
        ("e1 1 1000 10000 0", True),
        ("e1 2 1000 10000 0", False),
        ("e2 0 1000 10000 0", False),
        ("e1 0 1000 10000 0 g1=1", True),
        ("e1 0 1000 10000 0 g1=2", False),
        ("e1 0 1000 10000 0 g2=9 g3=9", True),
        ("e1 0 1000 10000 0 g2=9 g1=9", False),
        ("e1 0 1000 10000", False),
        ("e1 0 1000 10000 0 g1", False),
        ("e1 0 1000 10000 0 g1=x", False),
        ("e1 -1 1000 10000 0", False),
        ("", False),
        (None, False),
    ],
)
def test_a_verdict_holds_while_the_policy_has_not_taken_it_back(policy: str | None, known: bool) -> None:
    """Not below the floor, not when its ground was taken later, not in another epoch, not without a readable policy."""
    cache = Verdicts()
    cache.keep("alice", "GET", LIST, verdict(COLLECTION))
    cache.find("alice", "GET", LIST)

    readable = cache.adopt(policy)

    assert known == (readable and cache.find("alice", "GET", LIST) is not None)


def test_a_verdict_given_before_a_revocation_and_kept_after_it_does_not_hold() -> None:
    """The answer's generation counts, not the moment it came."""
    cache = Verdicts()
    number = cache.ask("alice", "GET", LIST)
    cache.adopt("e1 0 1000 10000 0 g1=2")

    assert cache.answer(number, ["x-remote-user", "alice"], verdict(COLLECTION, generation=1))
    assert cache.find("alice", "GET", LIST) is None


def test_a_verdict_given_after_a_revocation_and_before_envoy_knew_of_it_holds() -> None:
    """An answer under generation 2 is not taken back by what generation 2 took."""
    cache = Verdicts()
    cache.keep("alice", "GET", LIST, verdict(COLLECTION, generation=2))
    cache.adopt("e1 0 1000 10000 0 g1=2")

    assert cache.find("alice", "GET", LIST) is not None


def test_one_revocation_leaves_other_verdicts_alone() -> None:
    """What rests on another ground goes on being known."""
    cache = Verdicts()
    cache.keep("alice", "GET", LIST, verdict(COLLECTION))
    cache.keep("bob", "GET", LIST, verdict(COLLECTION, grounds=["g2"]))
    cache.adopt("e1 0 1000 10000 0 g1=2")

    assert [cache.find("alice", "GET", LIST), cache.find("bob", "GET", LIST)] == [None, ["x-remote-user", "bob"]]


@pytest.mark.parametrize(
    "answered",
    [
        None,
        {},
        "yes",
        verdict("list a.io/v1  others/"),
        verdict("create a.io/v1  things/"),
        verdict(""),
        verdict(COLLECTION, seconds="10"),
        verdict(COLLECTION, seconds=0),
        verdict(COLLECTION, generation="1"),
        verdict(COLLECTION, epoch=1),
        verdict(COLLECTION, epoch="e0"),
        verdict(COLLECTION, grounds=None),
        verdict(COLLECTION, grounds="g1"),
        verdict(COLLECTION, grounds=[1]),
        verdict(COLLECTION, grounds=[]),
        verdict(COLLECTION, grounds={"g1": "g1"}),
        {key: value for key, value in verdict(COLLECTION).items() if key != "scope"},
    ],
)
def test_an_answer_that_is_not_as_it_should_be_answers_nothing_later(answered: object) -> None:
    """No verdict, a wrong kind of value, or a scope that the request itself does not lie in."""
    cache = Verdicts()
    cache.answer(cache.ask("alice", "GET", LIST), ["x-remote-user", "alice"], answered)

    assert cache.find("alice", "GET", LIST) is None


@pytest.mark.parametrize("identity", [None, [], ["x-remote-user"], ["x-remote-user", 1], "alice"])
def test_a_verdict_without_an_identity_is_not_kept(identity: object) -> None:
    """Whoever is let through by a known verdict has headers that say who it is."""
    cache = Verdicts()

    assert not cache.answer(cache.ask("alice", "GET", LIST), identity, verdict(COLLECTION))
    assert cache.find("alice", "GET", LIST) is None


def test_an_answer_counts_once() -> None:
    """The same number again, or one that was never given out, is no question."""
    cache = Verdicts()
    number = cache.ask("alice", "GET", LIST)
    cache.answer(number, ["x-remote-user", "alice"], None)

    assert not cache.answer(number, ["x-remote-user", "alice"], verdict(COLLECTION))
    assert not cache.answer(99, ["x-remote-user", "alice"], verdict(COLLECTION))
    assert not cache.waiting


def test_entries_are_bounded() -> None:
    """However many requests there are, no more is held than the policy allows, and the latest is among it."""
    cache = Verdicts("e1 0 100 10000 0")
    cache.keep("alice", "GET", THING, verdict(NAMED))
    for number in range(1000):
        cache.keep(f"user-{number}", "GET", THING, verdict(NAMED))
        cache.find("alice", "GET", f"{THING}{number}")
        assert cache.held <= 100

    assert cache.find("user-999", "GET", THING) is not None


@pytest.mark.parametrize(("entries", "share"), [(100, 25), (1000, 64), (16_384, 1024)])
def test_no_credential_pushes_out_what_others_are_known_by(entries: int, share: int) -> None:
    """Of one credential no more scopes are kept than its share, be they as many as there are names to make up."""
    cache = Verdicts(f"e1 0 {entries} 10000 0")
    cache.keep("alice", "GET", THING, verdict(NAMED))
    paths = [f"/apis/x{number}" for number in range(2001)]
    kept = [cache.keep("mallory", "GET", path, verdict(f"path get {path}")) for path in paths]

    assert kept == [True] * share + [False] * (2001 - share)
    for number in range(1000):
        cache.find("mallory", "GET", f"{paths[0]}?n={number}", 1)
    assert cache.find("alice", "GET", THING) is not None
    assert cache.keep("mallory", "GET", paths[0], verdict(f"path get {paths[0]}"))
    cache.find("mallory", "GET", paths[0], 10_000)
    assert cache.keep("mallory", "GET", paths[-1], verdict(f"path get {paths[-1]}"), 10_000)


def test_questions_are_bounded() -> None:
    """Of requests that are never answered the oldest are forgotten first, and all of them in the end."""
    cache = Verdicts()
    numbers = [cache.ask("alice", "GET", LIST) for _ in range(5000)]

    kept = [cache.answer(number, ["x-remote-user", "alice"], verdict(COLLECTION)) for number in numbers[:-1]]
    assert kept == sorted(kept)
    assert 1024 <= sum(kept) < 2048
    for now in (10_000, 20_000):
        assert cache.waiting
        cache.find("alice", "GET", LIST, now)
    assert not cache.waiting


@pytest.mark.parametrize(
    ("verb", "method", "target"),
    [
        ("get", "GET", "/api/v1/pods/p"),
        ("list", "GET", "/api/v1/pods"),
        ("create", "POST", "/api/v1/pods"),
        ("update", "PUT", "/api/v1/pods/p"),
    ],
)
def test_a_request_line_never_reads_like_a_scope(verb: str, method: str, target: str) -> None:
    """A method of the client's own and a path that together spell a scope are asked about, whatever is known."""
    cache = Verdicts()

    assert cache.keep("alice", method, target, verdict(f"{verb} /v1"))
    assert cache.find("alice", method, target) is not None
    assert cache.find("alice", verb, "/v1") is None


def test_expired_entries_are_dropped() -> None:
    """After twice the longest life nothing is left of a verdict, nor of the credential it was for."""
    cache = Verdicts()
    cache.keep("alice", "GET", LIST, verdict(COLLECTION))
    for now in (10_000, 20_000):
        cache.find("bob", "GET", LIST, now)

    assert cache.held == 0


def test_an_endless_credential_is_not_kept() -> None:
    """Above 8 KiB a token is asked about each time."""
    cache = Verdicts()

    assert cache.ask(8193 * "x", "GET", LIST) is None


def test_the_policy_of_the_tests_can_be_read() -> None:
    """What the other tests stand on."""
    assert Verdicts().adopt(POLICY)
