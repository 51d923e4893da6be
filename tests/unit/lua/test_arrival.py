from __future__ import annotations

import pytest
from lua import Filters, Stream, verdict

SCOPE = "list a.io/v1  things/"
TOKEN = ("authorization", "Bearer t-alice")
DIGEST = 64 * "a"
ALICE = ["x-remote-user", "alice", "x-remote-group", "dev", "x-remote-group", "qa"]
ANSWER = {"identity": ALICE, "verdict": verdict(SCOPE)}
SHOWN = "e1 0 1000 10000 1"


def test_a_known_verdict_leaves_authorization_out() -> None:
    """The second request is not asked about and has the same identity, one line a group."""
    filters = Filters()
    first = filters.send(Stream([TOKEN]), ANSWER)
    second = filters.send(Stream([TOKEN]), None)

    assert filters.asked == 1
    assert first.values("x-remote-group") == second.values("x-remote-group") == ["dev", "qa"]
    assert second.values("x-remote-user") == ["alice"]
    assert second.responded is None


def test_a_refusal_is_never_kept() -> None:
    """Refused twice is asked twice."""
    filters = Filters()
    for _ in range(2):
        filters.send(Stream([TOKEN]), None)

    assert filters.asked == 2


def test_an_answer_without_a_verdict_is_not_kept() -> None:
    """Allowed for this request only is asked about again."""
    filters = Filters()
    for _ in range(2):
        filters.send(Stream([TOKEN]), {"identity": ALICE})

    assert filters.asked == 2


@pytest.mark.parametrize(
    "headers",
    [
        [TOKEN, ("impersonate-user", "root")],
        [TOKEN, ("impersonate-group", "x")],
        [TOKEN, ("impersonate-uid", "x")],
        [TOKEN, ("impersonate-extra-scopes", "x")],
        [("impersonate_user", ""), TOKEN],
        [TOKEN, ("sec-websocket-protocol", "v4")],
        [TOKEN, ("upgrade", "websocket"), ("sec-websocket-protocol", "base64url.bearer.authorization.k8s.io.x, v4")],
        [TOKEN, TOKEN],
        [("authorization", "Bearer t-alice,Bearer t-bob")],
        [("authorization", "Bearer t-bob")],
        [("authorization", "bearer t-alice")],
        [("authorization", "")],
        [],
    ],
)
def test_what_differs_in_what_it_shows_is_asked_about(headers: list[tuple[str, str]]) -> None:
    """Impersonation in any spelling, upgrades, another token, two or none: neither known nor kept for the plain one."""
    filters = Filters()
    filters.send(Stream([TOKEN]), ANSWER)
    asked_before = filters.asked
    filters.send(Stream(headers), None)

    assert asked_before + 1 == filters.asked


@pytest.mark.parametrize(
    ("headers", "certificate", "validated"),
    [
        ([TOKEN], DIGEST, True),
        ([], DIGEST, False),
        ([TOKEN, ("impersonate-user", "root")], "", True),
        ([("upgrade", "SPDY/3.1")], DIGEST, True),
    ],
)
def test_what_shows_no_single_credential_is_not_kept(
    headers: list[tuple[str, str]], certificate: str, validated: bool
) -> None:
    """Token and certificate together, an unverified certificate, impersonation and upgrades are asked each time."""
    filters = Filters()
    for _ in range(2):
        filters.send(Stream(headers, certificate=certificate, validated=validated), ANSWER)

    assert filters.asked == 2


def test_a_certificate_is_known_by_its_digest() -> None:
    """Another certificate, none, or the digest shown as a token, is another credential."""
    filters = Filters()
    filters.send(Stream(certificate=DIGEST), ANSWER)
    filters.send(Stream(certificate=DIGEST), None)
    assert filters.asked == 1
    for stream in (Stream(certificate=64 * "b"), Stream(), Stream(certificate=None)):
        filters.send(stream, None)

    assert filters.asked == 4


def test_anonymous_requests_are_known_by_showing_nothing() -> None:
    """What was allowed to nobody in particular is allowed to the next who shows nothing."""
    filters = Filters()
    filters.send(Stream(), ANSWER)
    filters.send(Stream(certificate=None), None)

    assert filters.asked == 1


def test_authorization_is_told_of_a_verified_certificate() -> None:
    """Only of one that Envoy has verified, and only when it is asked."""
    filters = Filters()
    verified = filters.send(Stream(certificate=DIGEST), ANSWER)
    known = filters.send(Stream(certificate=DIGEST), None)
    forged = filters.send(Stream(certificate=DIGEST, validated=False), None)

    said = [stream.metadata.get("isthmus.tls") for stream in (verified, known, forged)]
    assert said == [{"client_certificate_verified": True}, None, None]


@pytest.mark.parametrize(("chain", "told"), [("leaf,ca", "leaf,ca"), ("leaf", None)])
def test_authorization_is_told_of_a_chain(chain: str, told: str | None) -> None:
    """Only where the client showed more than its own certificate."""
    filters = Filters()
    asked = filters.send(Stream(certificate="leaf", chain=chain), ANSWER)
    known = filters.send(Stream(certificate="leaf", chain=chain), None)
    forged = filters.send(Stream(certificate="leaf", chain=chain, validated=False), None)

    assert asked.metadata["isthmus.tls"].get("client_certificate_chain") == told
    assert [stream.metadata.get("isthmus.tls") for stream in (known, forged)] == [None, None]


@pytest.mark.parametrize("value", [DIGEST, f"\n{DIGEST}", f"Bearer {DIGEST}", f"bearer {DIGEST}", "Basic Zm9v"])
def test_the_digest_of_a_certificate_is_no_credential(value: str) -> None:
    """A digest is told to backends and logs: who sends one instead of the certificate is asked about."""
    filters = Filters()
    filters.send(Stream(certificate=DIGEST), ANSWER)
    filters.send(Stream([("authorization", value)]), None)

    assert filters.asked == 2


def test_without_a_policy_everything_is_asked_about() -> None:
    """Switched off, or not yet told, the cache neither knows nor keeps."""
    filters = Filters()
    for _ in range(2):
        stream = filters.send(Stream([TOKEN], policy=None), ANSWER)

    assert filters.asked == 2
    assert stream.metadata.get("isthmus.verdict") is None


@pytest.mark.parametrize(
    "answer",
    [{}, {"identity": []}, {"identity": ["x-remote-user"]}, {"identity": "alice"}, {"verdict": verdict(SCOPE)}],
)
def test_no_identity_is_no_backend(answer: dict[str, object]) -> None:
    """What authorization let through without saying who it is, is answered 500 and not kept."""
    filters = Filters()
    stream = filters.send(Stream([TOKEN]), answer)
    filters.send(Stream([TOKEN]), None)

    assert stream.responded == "500"
    assert filters.asked == 2


def test_an_identity_that_somebody_else_wrote_is_no_identity() -> None:
    """Were a client's own X-Remote-User ever left standing, the request would end with 500."""
    stream = Filters().send(Stream([TOKEN, ("x-remote-user", "root")]), ANSWER)

    assert stream.responded == "500"


def test_an_error_on_the_way_to_a_verdict_is_none() -> None:
    """When the script fails, here because there is no time, the request is asked about like any other."""
    filters = Filters()
    filters.send(Stream([TOKEN]), ANSWER)
    stream = filters.send(Stream([TOKEN], now=None), ANSWER)

    assert filters.asked == 2
    assert stream.values("x-remote-user") == ["alice"]
    assert filters.stats["failures"] == 1


def test_misses_and_what_is_never_kept_are_counted() -> None:
    """A request that is no hit is a miss or a bypass; entries follow what is held."""
    filters = Filters()
    for _ in range(3):
        filters.send(Stream([TOKEN]), ANSWER)
    filters.send(Stream([TOKEN, ("upgrade", "websocket")]), ANSWER)
    filters.send(Stream([TOKEN], policy="e1 0 1000 10000 0 g1=5"), ANSWER)

    counted = filters.stats
    assert {name: counted[name] for name in ("misses", "bypasses", "invalidations")} == {
        "misses": 2,
        "bypasses": 1,
        "invalidations": 1,
    }
    assert counted["entries"] == 2


def test_hits_are_counted_a_hundred_at_a_time_or_with_the_next_request_that_is_none() -> None:
    """Nothing is lost, and nothing counted twice."""
    filters = Filters()
    filters.send(Stream([TOKEN]), ANSWER)
    told = []
    for number in range(1, 151):
        filters.send(Stream([TOKEN]), None)
        if number in {99, 100, 150}:
            told.append(filters.stats.get("hits", 0))
    filters.send(Stream([TOKEN, ("upgrade", "websocket")]), None)

    assert told == [0, 100, 100]
    assert filters.stats["hits"] == 150


def test_the_response_says_what_became_of_the_request_when_asked_to() -> None:
    """With the flag in the policy there is a header, without it there is none."""
    filters = Filters()
    streams = [Stream([TOKEN], policy=SHOWN), Stream([TOKEN], policy=SHOWN)]
    streams += [Stream([TOKEN, ("upgrade", "x")], policy=SHOWN), Stream([TOKEN])]

    assert [filters.send(stream, ANSWER).shown for stream in streams] == ["miss", "hit", "bypass", None]


def test_a_known_verdict_brings_what_authorization_said_for_the_audit_log() -> None:
    """The text of the answer that was kept; without an audit log there is none, and no metadata are written."""
    for said in ("said of alice", None):
        filters, answer = Filters(), ANSWER if said is None else {**ANSWER, "audit": said}
        filters.send(Stream([TOKEN]), answer)
        known = filters.send(Stream([TOKEN]), None)

        assert known.known
        assert known.metadata.get("isthmus.verdict") == (said and {"audit": said, "hit": True})


@pytest.mark.parametrize("header", [("impersonate-user", "bob"), ("upgrade", "websocket")])
def test_what_is_always_asked_about_gets_its_route(header: tuple[str, str]) -> None:
    """Headers can be changed after the walk over them, also where it has found what it looks for."""
    sent = Filters().send(Stream([header, ("accept", "*/*")], route=""), ANSWER)

    assert sent.values("x-isthmus-route") == ["/-/isthmus-core/-"]
    assert sent.responded is None
