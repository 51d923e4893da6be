from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import MappingProxyType
from urllib.parse import quote

import orjson
import pytest
from clients import authorities
from envoy.service.auth.v3 import external_auth_pb2
from google.protobuf.json_format import MessageToDict
from now import now
from prometheus_client import CollectorRegistry
from ruled import ruling
from structlog.testing import capture_logs

from controlplane.aio import Watchable
from controlplane.auth.authenticate import Anonymous, Authentication
from controlplane.auth.metrics import AuthorizationMetrics
from controlplane.auth.ruling import Ruling
from controlplane.auth.service import Checks, Keeping, allowed_response
from controlplane.auth.tokens import TokenTable
from controlplane.model.identity import UserInfo
from controlplane.model.policy import Policy
from controlplane.model.rbac import BindingKey, Holder, PolicyRule, Role, RoleBinding, RoleKey, Subject
from controlplane.model.revocations import holder_ground, role_ground

IN_2030 = 1900000000.0
NOT_AFTER = datetime(2031, 1, 1, tzinfo=UTC).timestamp()
READER = Role(RoleKey("", "reader"), (PolicyRule(("list",), ("",), ("pods",)),))
GRANT = RoleBinding(BindingKey("", "b"), READER.key, (Subject("User", "alice"),))
POLICY = Policy(
    1, MappingProxyType({READER.key: READER}), MappingProxyType({GRANT.key: GRANT}), authorities=authorities()
)
AUTHENTICATION = Authentication(
    TokenTable(b"k" * 32, {"t-alice": UserInfo("alice")}), anonymous=Anonymous(enabled=False)
)


class Front:
    """A `Checks` with everything it is given within reach, and Check calls made short."""

    def __init__(
        self,
        policy: Policy = POLICY,
        authentication: Authentication | None = AUTHENTICATION,
        *,
        keeping: Keeping | None = None,
        moment: float = IN_2030,
    ) -> None:
        self._moment = moment
        self.rulings = Watchable[Ruling | None](None)
        self.rule(policy, authentication)
        self.registry = CollectorRegistry()
        self.seconds = [0.0]
        self.checks = Checks(
            self.rulings,
            clock=lambda: moment,
            timer=lambda: self.seconds[0],
            metrics=AuthorizationMetrics(self.registry),
            keeping=keeping,
        )

    def rule(self, policy: Policy, authentication: Authentication | None = AUTHENTICATION) -> None:
        """Puts these in force; without an authentication nothing is."""
        made = None if authentication is None else ruling(policy, authentication, lambda: self._moment)
        self.rulings.publish(made)

    def ask(self, request: external_auth_pb2.CheckRequest) -> external_auth_pb2.CheckResponse:
        """The parsed answer to a request."""
        return external_auth_pb2.CheckResponse.FromString(now(self.checks.answer(request.SerializeToString())))

    def count(self, result: str) -> float | None:
        """How many requests the metrics say had this result."""
        return self.registry.get_sample_value("isthmus_authorization_decisions_total", {"result": result})


def check_request(*headers: tuple[str, bytes], path: str = "/api/v1/pods") -> external_auth_pb2.CheckRequest:
    """A GET with these headers as Envoy sends them raw."""
    request = external_auth_pb2.CheckRequest()
    http = request.attributes.request.http
    http.method, http.path = "GET", path
    http.header_map.SetInParent()
    for name, value in headers:
        http.header_map.headers.add(key=name, raw_value=value)
    return request


TOKEN = ("authorization", b"Bearer t-alice")


def status_of(response: external_auth_pb2.CheckResponse) -> tuple[int, str]:
    """The HTTP status and the message of a denial; (0, "") for an answer that allows."""
    if response.WhichOneof("http_response") == "ok_response":
        return 0, ""
    assert response.status.code != 0
    body = orjson.loads(response.denied_response.body)
    assert body["code"] == response.denied_response.status.code
    return body["code"], body["message"]


def test_nothing_is_decided_before_there_is_a_ruling() -> None:
    """Without one everybody is told to come back, and with one the answer is the decision."""
    front = Front(authentication=None)
    before = status_of(front.ask(check_request(TOKEN)))
    count = front.count("unavailable")
    front.rule(POLICY)

    assert [before, 1] == [(503, "the front door is starting, try again"), count]
    assert status_of(front.ask(check_request(TOKEN)))[0] == 0


def test_a_new_policy_rules_from_the_next_request() -> None:
    """A right that was taken away is gone with the request after."""
    front = Front()
    before = status_of(front.ask(check_request(TOKEN)))[0]
    front.rule(Policy(2, POLICY.roles))

    assert [before, status_of(front.ask(check_request(TOKEN)))[0]] == [0, 403]


def test_a_new_token_table_rules_from_the_next_request() -> None:
    """A token that is no longer listed is refused with the request after."""
    front = Front()
    before = status_of(front.ask(check_request(TOKEN)))[0]
    front.rule(POLICY, Authentication())

    assert [before, status_of(front.ask(check_request(TOKEN)))[0]] == [0, 401]


def test_bytes_that_are_no_check_request_are_refused() -> None:
    """A request that cannot be parsed is answered 500 and counted as an error."""
    front = Front()

    response = external_auth_pb2.CheckResponse.FromString(now(front.checks.answer(b"\xff\xff")))

    assert status_of(response) == (500, "Internal error occurred: the request could not be authorized")
    assert front.count("error") == 1


def test_without_raw_headers_nothing_is_allowed() -> None:
    """A CheckRequest without header_map might hide impersonation headers, so it is refused."""
    front = Front()
    request = check_request()
    request.attributes.request.http.ClearField("header_map")
    request.attributes.request.http.headers["authorization"] = "Bearer t-alice"

    message = "Internal error occurred: ext_authz is not configured with encode_raw_headers"
    assert (500, message) == status_of(front.ask(request))


@pytest.mark.parametrize(
    ("raw", "code"), [(b"/api/v1/pods", 0), (b"/api/v1/pods?\xff", 400), (b"/api/v1/secrets", 400)]
)
def test_a_path_that_differs_from_what_is_routed_is_refused(raw: bytes, code: int) -> None:
    """The path attribute must be the :path that Envoy routes by, byte for byte."""
    actual = status_of(Front().ask(check_request(TOKEN, (":path", raw))))

    assert code == actual[0]


def test_an_error_shows_neither_exception_nor_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong is answered 500 and logged by the exception's class and place, never by its text."""

    def broken(*_: object) -> None:
        raise RuntimeError("Bearer t-alice")

    monkeypatch.setattr("controlplane.auth.service.decide", broken)
    front = Front()
    with capture_logs() as logs:
        actual = status_of(front.ask(check_request(TOKEN, ("audit-id", b"a-1"))))

    assert actual == (500, "Internal error occurred: the request could not be authorized")
    expected = [("authorization failed", "RuntimeError", "a-1")]
    assert expected == [(log["event"], log["error"], log["audit_id"]) for log in logs]
    assert "t-alice" not in repr(logs)


def test_a_failed_authentication_is_logged_without_its_token() -> None:
    """The reason of a 401 is in the log at level debug, with the identifier that the audit log has too."""
    with capture_logs() as logs:
        request = check_request(("authorization", b"Bearer s3cr3t"), ("audit-id", b"a-1"))
        actual = status_of(Front().ask(request))

    assert actual == (401, "Unauthorized")
    expected = {"event": "request not authenticated", "reason": "invalid bearer token", "log_level": "debug"}
    assert [{**expected, "audit_id": "a-1"}] == logs


def test_what_cannot_be_parsed_is_logged_without_an_identifier() -> None:
    """Bytes that are no CheckRequest are answered 500, and looking for their Audit-ID harms nothing."""
    front = Front()
    with capture_logs() as logs:
        answer = external_auth_pb2.CheckResponse.FromString(now(front.checks.answer(b"\xff")))

    assert status_of(answer)[0] == 500
    assert [""] == [log["audit_id"] for log in logs]


def test_the_answer_for_an_identity_is_made_once() -> None:
    """The second request of a user is answered with the very same bytes object."""
    front = Front()
    request = check_request(TOKEN).SerializeToString()

    assert now(front.checks.answer(request)) is now(front.checks.answer(request))


def test_an_answer_for_somebody_else_is_not_remembered() -> None:
    """A client may become thousands of users with long extras, and none of them takes memory or anybody's place."""
    impersonator = Role(READER.key, (*READER.rules, PolicyRule(("impersonate",), ("",), ("users",), ("alice",))))
    front = Front(Policy(1, MappingProxyType({READER.key: impersonator}), POLICY.bindings, authorities=authorities()))
    request = check_request(TOKEN, ("impersonate-user", b"alice")).SerializeToString()
    first, second = (now(front.checks.answer(request)) for _ in range(2))

    assert status_of(external_auth_pb2.CheckResponse.FromString(first))[0] == 0
    assert first == second
    assert first is not second


def test_header_values_may_come_as_text() -> None:
    """A header in `value` instead of `raw_value` counts the same."""
    request = check_request()
    request.attributes.request.http.header_map.headers.add(key="Authorization", value="Bearer t-alice")

    assert status_of(Front().ask(request))[0] == 0


@pytest.mark.parametrize(
    ("namespace", "field", "value", "code"),
    [
        ("isthmus.tls", "client_certificate_verified", True, 0),
        ("isthmus.tls", "client_certificate_verified", False, 401),
        ("isthmus.tls", "client_certificate_verified", "true", 401),
        ("isthmus.tls", "client_certificate_verified", 1, 401),
        ("isthmus.tls", "verified", True, 401),
        ("other", "client_certificate_verified", True, 401),
    ],
)
def test_only_envoys_own_word_makes_a_certificate_count(
    make_certificate: Callable[..., str], namespace: str, field: str, value: object, code: int
) -> None:
    """A certificate counts only when the filter's metadata says `true` in the agreed place."""
    request = check_request()
    request.attributes.source.certificate = quote(make_certificate("alice"), safe="")
    request.attributes.metadata_context.filter_metadata[namespace].update({field: value})

    assert code == status_of(Front().ask(request))[0]


def test_the_metrics_count_results_and_time() -> None:
    """Every answer is counted under its result, and its time is observed."""
    front = Front()
    front.ask(check_request(TOKEN))
    front.ask(check_request(TOKEN, path="/api/v1/nodes"))
    front.ask(check_request(TOKEN, path="/api/v1/.."))
    front.ask(check_request())

    results = ("allowed", "forbidden", "bad_request", "unauthenticated", "error", "unavailable")
    assert [front.count(result) for result in results] == [1, 1, 1, 1, 0, 0]
    assert front.registry.get_sample_value("isthmus_authorization_seconds_count") == 4


def test_what_kube_apiserver_counts_is_counted_as_it_does() -> None:
    """Once a request by who it is, and once by whether it may if it comes so far; not again for an impersonation."""
    front = Front()
    bob = ("impersonate-user", b"bob")
    for request in (
        check_request(TOKEN),
        check_request(TOKEN, path="/api/v1/nodes"),
        check_request(TOKEN, bob),
        check_request(TOKEN, path="/api/v1/.."),
        check_request(),
        check_request(("authorization", b"Bearer unknown")),
    ):
        front.ask(request)

    def counted(name: str, label: str = "result") -> dict[str, float]:
        samples = [sample for family in front.registry.collect() for sample in family.samples if sample.name == name]
        return {sample.labels[label]: sample.value for sample in samples}

    assert counted("authentication_attempts") == {"success": 3, "failure": 1, "error": 1}
    assert counted("authentication_duration_seconds_count") == {"success": 3, "failure": 1, "error": 1}
    assert counted("authenticated_user_requests", "username") == {"other": 3}
    assert counted("authorization_attempts_total") == {"allowed": 1, "no-opinion": 1}
    assert counted("authorization_duration_seconds_count") == {"allowed": 1, "no-opinion": 1}


def test_an_identity_that_no_header_can_carry_is_not_allowed() -> None:
    """A user whose name a header would change makes no allowing answer at all."""
    with pytest.raises(ValueError, match="x-remote-user holds a control character"):
        allowed_response(UserInfo("a\nb"))


def verdict_of(response: external_auth_pb2.CheckResponse) -> dict[str, object] | None:
    """What Envoy may keep of an answer."""
    if "verdict" not in response.dynamic_metadata.fields:
        return None
    return MessageToDict(response.dynamic_metadata.fields["verdict"].struct_value)


KEEPING = Keeping("e1", 10.0)


def test_an_allowing_answer_says_how_far_it_reaches() -> None:
    """Scope, grounds, seconds, and the generation of the very policy that decided."""
    front = Front(keeping=KEEPING)
    first = verdict_of(front.ask(check_request(TOKEN)))
    front.rule(Policy(2, POLICY.roles, POLICY.bindings))
    second = verdict_of(front.ask(check_request(TOKEN)))

    grounds = [holder_ground(Holder("User", "alice", "")), role_ground(READER.key)]
    expected = {"scope": "list /v1  pods/", "seconds": 10.0, "epoch": "e1", "generation": 1.0, "grounds": grounds}
    assert [expected, {**expected, "generation": 2.0}] == [first, second]


def test_without_keeping_no_answer_reaches_further() -> None:
    """Switched off, an allowing answer holds the identity and nothing else."""
    assert list(Front().ask(check_request(TOKEN)).dynamic_metadata.fields) == ["identity"]


@pytest.mark.parametrize(
    "request_", [check_request(), check_request(TOKEN, path="/api/v1/secrets"), check_request(TOKEN, path="/a/../b")]
)
def test_a_refusal_says_nothing_to_be_kept(request_: external_auth_pb2.CheckRequest) -> None:
    """No denial, of whatever kind, has metadata."""
    response = Front(keeping=KEEPING).ask(request_)

    assert response.status.code != 0
    assert not response.dynamic_metadata.fields


@pytest.mark.parametrize(("lifetime", "seconds"), [(3600, 10.0), (7.9, 7.0), (0.5, None), (0, None)])
def test_no_verdict_outlives_the_certificate(
    make_certificate: Callable[..., str], lifetime: float, seconds: float | None
) -> None:
    """What is left of the certificate's period, in whole seconds, bounds the time; in its last nothing is kept."""
    front = Front(keeping=KEEPING, moment=NOT_AFTER - lifetime)
    request = check_request()
    request.attributes.source.certificate = quote(make_certificate("alice"), safe="")
    request.attributes.metadata_context.filter_metadata["isthmus.tls"].update({"client_certificate_verified": True})

    response = front.ask(request)

    assert status_of(response)[0] == 0
    assert seconds == (verdict_of(response) or {}).get("seconds")
