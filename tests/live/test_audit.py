"""The audit log of the real Envoy's requests: known, asked about, refused, unrecognised, impersonating, watching."""

from __future__ import annotations

import json
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
import urllib3
import yaml
from backend import Backend
from kube import KubeApiServer, read_audit
from rbac import grant
from stack import PATIENCE, Stack, registration, until

GROUP = "echo.example.com"
API = f"/apis/{GROUP}/v1"
THINGS = f"{API}/namespaces/default/things"
READ = {"apiGroups": [GROUP], "resources": ["things"], "verbs": ["get", "list", "watch"]}
RULES = [
    {"level": "None", "nonResourceURLs": ["/quiet*"]},
    {"level": "None", "users": ["system:kube-aggregator"]},
    {"level": "RequestResponse", "users": ["early"]},
    {"level": "Metadata", "omitStages": ["RequestReceived"]},
]
REASON = 'RBAC: allowed by ClusterRoleBinding "reader" of ClusterRole "reader" to Group "developers"'


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A front door that audits."""
    with audited(RULES) as running:
        yield running


@pytest.fixture(scope="module")
def backend(stack: Stack) -> Iterator[Backend]:
    """A backend that developers may read."""
    with backend_of(stack) as running:
        yield running


def audited(rules: list[dict[str, object]], kube: KubeApiServer | None = None) -> Stack:
    """A front door with an audit policy of these rules, perhaps with a core API server."""
    core = {"server": kube.url, "caFile": str(kube.ca_file)} if kube else None
    log = {"path": "audit.log", "maxSize": 10, "maxBackup": 2}
    stack = Stack(
        settings={"audit": {"policyFile": "audit.yaml", "log": log}},
        core=core,
        proxies=kube.front_proxy if kube else None,
    )
    policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules}
    (stack.root / "audit.yaml").write_text(yaml.safe_dump(policy))
    return stack


@contextmanager
def backend_of(stack: Stack) -> Iterator[Backend]:
    """A backend of that front door, until it is closed."""
    with Backend(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as running:
        stack.drop("echo.yaml", *registration(GROUP, "v1", running.port, stack.servers.certificate))
        stack.drop("rights.yaml", *grant("reader", READ, groups=["developers"]))
        until(lambda: stack.status(THINGS, stack.http("starter", "developers")) == 200, "the backend is served")
        yield running


def events(stack: Stack, number: int, matches: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """The events that match, once there are so many."""

    def found() -> list[dict[str, Any]]:
        return [event for event in read_audit(stack.root / "audit.log") if matches(event)]

    until(lambda: len(found()) >= number, f"{number} such events are in the audit log of {stack.root}")
    return found()


def of_id(stack: Stack, audit_id: str, number: int = 1) -> list[dict[str, Any]]:
    """The events of the request with that Audit-ID."""
    return events(stack, number, lambda event: event["auditID"] == audit_id)


def told(stack: Stack, client: urllib3.PoolManager, path: str, audit_id: str, **headers: str) -> dict[str, Any]:
    """The one event of a GET."""
    client.request("GET", stack.url + path, headers={"Audit-Id": audit_id, **headers})
    (event,) = of_id(stack, audit_id)
    return event


def test_a_request_that_is_asked_about_is_told_of(stack: Stack, backend: Backend) -> None:
    """An event has every field of audit.k8s.io/v1, with the Audit-ID that the client is told and the backend sees."""
    client = stack.http("asked", "developers")
    client.request("GET", f"{stack.url}{THINGS}/t?x=1", headers={"Audit-Id": "asked", "User-Agent": "tester/1"})

    (event,) = of_id(stack, "asked")

    annotations = event.pop("annotations")
    received, ended = (
        datetime.fromisoformat(event.pop(name)) for name in ("requestReceivedTimestamp", "stageTimestamp")
    )
    fingerprint = event["user"].pop("extra")["authentication.kubernetes.io/credential-id"]
    assert event == {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": "asked",
        "stage": "ResponseComplete",
        "requestURI": f"{THINGS}/t?x=1",
        "verb": "get",
        "user": {"username": "asked", "groups": ["developers", "system:authenticated"]},
        "sourceIPs": ["127.0.0.1"],
        "userAgent": "tester/1",
        "objectRef": {
            "resource": "things",
            "namespace": "default",
            "name": "t",
            "apiGroup": GROUP,
            "apiVersion": "v1",
        },
        "responseStatus": {"metadata": {}, "code": 200},
    }
    assert fingerprint[0].startswith("X509SHA256=")
    assert 0 < (ended - received).total_seconds() < PATIENCE
    assert annotations.pop("isthmus.dev/latency-total").endswith("ms")
    assert annotations.pop("isthmus.dev/latency-backend").endswith("ms")
    assert annotations.pop("isthmus.dev/cluster").startswith("backend/default/backend/443/")
    assert annotations == {
        "authorization.k8s.io/decision": "allow",
        "authorization.k8s.io/reason": REASON,
        "isthmus.dev/verdict": "miss",
        "isthmus.dev/route": "api",
        "isthmus.dev/backend": f"127.0.0.1:{backend.port}",
    }
    assert backend.seen[-1].lines("Audit-Id") == ["asked"]


def test_a_known_verdict_is_told_of_like_one_that_was_asked_about(stack: Stack, backend: Backend) -> None:
    """Ten requests of one collection are ten events, of which nine were never seen by authorization."""
    client = stack.http("known", "developers")
    told_of = [told(stack, client, f"{THINGS}/t{number}", f"known-{number}") for number in range(10)]

    assert [each["annotations"]["isthmus.dev/verdict"] for each in told_of] == ["miss", *9 * ["hit"]]
    assert {each["annotations"]["authorization.k8s.io/reason"] for each in told_of} == {REASON}
    assert {json.dumps(each["user"]) for each in told_of} == {json.dumps(told_of[0]["user"])}
    assert [each["objectRef"]["name"] for each in told_of] == [f"t{number}" for number in range(10)]


def test_a_refusal_is_told_of_with_its_status(stack: Stack, backend: Backend) -> None:
    """403: who, what, the decision and the message that the client got."""
    event = told(stack, stack.http("refused"), THINGS, "refused")

    assert event["user"]["username"] == "refused"
    assert event["responseStatus"] == {
        "metadata": {},
        "status": "Failure",
        "message": f'things.{GROUP} is forbidden: User "refused" cannot list resource "things" in API group "{GROUP}"'
        ' in the namespace "default"',
        "reason": "Forbidden",
        "details": {"group": GROUP, "kind": "things"},
        "code": 403,
    }
    assert event["annotations"]["authorization.k8s.io/decision"] == "forbid"
    assert event["annotations"]["authorization.k8s.io/reason"] == ""
    assert "isthmus.dev/backend" not in event["annotations"]


def test_whoever_is_not_recognised_is_told_of(stack: Stack, backend: Backend) -> None:
    """401: one event at the stage at which kube-apiserver has it, without a user or a word of the token."""
    event = told(stack, stack.http(), THINGS, "unknown", Authorization="Bearer secret-that-nobody-has")

    assert (event["stage"], event["user"], event["responseStatus"]["code"]) == ("ResponseStarted", {}, 401)
    assert "secret-that" not in (stack.root / "audit.log").read_text()


def test_a_path_that_is_refused_is_told_of(stack: Stack, backend: Backend) -> None:
    """400: by authorization, and by Envoy itself before anybody asked who it is."""
    ours = told(stack, stack.http("odd", "system:masters"), f"/apis/{GROUP}/v1%20/things", "odd")
    assert (ours["user"], ours["responseStatus"]["reason"]) == ({}, "BadRequest")

    stack.http("odd").request("GET", f"{stack.url}/apis/odd%2Fb")
    (envoys,) = events(stack, 1, lambda event: "odd/b" in event["requestURI"])
    assert (envoys["user"], envoys["responseStatus"]["code"]) == ({}, 400)
    assert envoys["annotations"]["isthmus.dev/details"] == "path_normalization_failed"
    assert envoys["auditID"] != ""


def test_a_watch_is_told_of_when_it_begins_and_when_it_ends(stack: Stack, backend: Backend) -> None:
    """ResponseStarted while the watch is open, ResponseComplete after it, each once and with its own time."""
    headers = {"Audit-Id": "watch"}
    client = stack.http("early", "developers")
    answer = client.request("GET", f"{stack.url}{THINGS}?watch=1", headers=headers, preload_content=False)
    until(lambda: backend.watchers == 1, "the backend has the watch")

    begun = of_id(stack, "watch", 2)
    answer.close()
    backend.emit("end")
    ended = of_id(stack, "watch", 3)

    assert [each["stage"] for each in begun] == ["RequestReceived", "ResponseStarted"]
    assert [each["stage"] for each in ended] == ["RequestReceived", "ResponseStarted", "ResponseComplete"]
    assert {each["verb"] for each in ended} == {"watch"}
    assert {each["level"] for each in ended} == {"Metadata"}
    received, started, complete = (each["stageTimestamp"] for each in ended)
    assert received == ended[0]["requestReceivedTimestamp"]
    assert received < started < complete
    assert "annotations" not in ended[0]
    assert "responseStatus" not in ended[0]


def test_the_policy_says_what_is_told_of(stack: Stack, backend: Backend) -> None:
    """Nothing of level None, RequestReceived only where it is not left out."""
    stack.status("/quiet/place", stack.http("one"), **{"Audit-Id": "quiet"})
    stack.status("/loud/place", stack.http("one"), **{"Audit-Id": "loud"})
    stack.status(f"{THINGS}/t", stack.http("early", "developers"), **{"Audit-Id": "early"})

    assert [each["stage"] for each in of_id(stack, "early", 2)] == ["RequestReceived", "ResponseComplete"]
    assert [each["verb"] for each in of_id(stack, "loud")] == ["get"]
    assert [each for each in read_audit(stack.root / "audit.log") if each["auditID"] == "quiet"] == []


def test_addresses_are_those_of_the_whole_way(stack: Stack, backend: Backend) -> None:
    """What X-Forwarded-For and X-Real-Ip say, then the address of the connection."""
    forged = {"X-Forwarded-For": "192.0.2.1, nonsense, 192.0.2.2", "X-Real-Ip": "192.0.2.3"}
    client = stack.http("far", "developers")

    assert told(stack, client, THINGS, "far", **forged)["sourceIPs"] == [
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
        "127.0.0.1",
    ]


def test_an_upgrade_is_told_of(stack: Stack, backend: Backend) -> None:
    """A WebSocket is a request with the code 101."""
    certificate, key = stack.user("socket", "developers")
    context = ssl.create_default_context(cadata=stack.servers.certificate.decode())
    context.load_cert_chain(certificate, key)
    with (
        socket.create_connection(("127.0.0.1", stack.port), timeout=PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        handshake = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        keys = "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n"
        tls.sendall(f"GET {THINGS}/t HTTP/1.1\r\nHost: x\r\nAudit-Id: socket\r\n{handshake}{keys}\r\n".encode())
        assert b" 101 " in tls.recv(4096)

    (event,) = of_id(stack, "socket")
    assert (event["responseStatus"]["code"], event["annotations"]["isthmus.dev/verdict"]) == (101, "bypass")


def test_impersonation_is_told_of_with_both_users(stack: Stack, backend: Backend) -> None:
    """Who asked is `user`, whom they became is `impersonatedUser`, and the reason is the latter's right."""
    root = stack.http("root", "system:masters")
    became = {"Impersonate-User": "other", "Impersonate-Group": "developers"}

    event = told(stack, root, THINGS, "became", **became)

    assert event["user"]["username"] == "root"
    assert event["impersonatedUser"] == {"username": "other", "groups": ["developers", "system:authenticated"]}
    assert event["annotations"]["authorization.k8s.io/reason"] == REASON
    refused = told(stack, stack.http("nobody"), THINGS, "refused-to-become", **became)
    assert (refused["user"]["username"], refused["responseStatus"]["code"]) == ("nobody", 403)
    assert "impersonatedUser" not in refused


def test_kubectl_is_told_of(stack: Stack, backend: Backend) -> None:
    """A kubectl request, by HTTP/2, has the user agent and the Audit-ID that Envoy gave it."""
    stack.kubectl("get", "--raw", f"{THINGS}/from-kubectl", user="carol")

    (event,) = events(stack, 1, lambda event: event.get("objectRef", {}).get("name") == "from-kubectl")

    assert event["user"]["username"] == "carol"
    assert event["userAgent"].startswith("kubectl/")
    assert len(event["auditID"]) == 36


def test_nothing_is_lost_when_the_control_plane_ends(backend: Backend) -> None:
    """What was told before SIGTERM is in the file; the next life goes on in the same one."""
    with audited(RULES) as stack, backend_of(stack):
        client = stack.http("lives", "developers")
        assert stack.control_plane is not None
        for number in range(20):
            stack.status(f"{THINGS}/{number}", client, **{"Audit-Id": f"first-{number}"})
        events(stack, 20, lambda event: event["auditID"].startswith("first-"))
        stack.control_plane.stop(signal.SIGTERM)
        stack.start_control_plane()
        until(lambda: stack.status(THINGS, stack.http("new", "developers")) == 200, "it decides again")

        told(stack, client, THINGS, "second")
        assert len(events(stack, 20, lambda event: event["auditID"].startswith("first-"))) == 20
        assert stack.metric("isthmus_audit_lost_total") == {"full": 0, "write": 0, "error": 0}
        assert stack.metric("isthmus_audit_events_total")[""] >= 1


def test_without_the_setting_nothing_is_told() -> None:
    """No audit section: Envoy has no access log, and authorization says nothing for one."""
    with Stack() as stack:
        stack.status("/version", stack.http("one", "system:masters"))

        assert stack.stats("access_logs") == {}
        assert not (stack.root / "audit.log").exists()


def test_events_are_those_that_kube_apiserver_writes(kube: KubeApiServer) -> None:
    """The same requests to kube-apiserver and through the front door give the same events, where both know."""
    rules: list[dict[str, object]] = [{"level": "Metadata", "omitStages": ["RequestReceived"]}]
    config_maps = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}
    rights = grant("audit-maps", config_maps, users=["alice"])
    kube.apply(*rights)
    with audited(rules, kube) as stack:
        stack.drop("rights.yaml", *rights)
        client = stack.http("alice", "developers")
        base = f"{stack.url}/api/v1/namespaces/default/configmaps"
        until(lambda: stack.status("/api/v1/namespaces/default/configmaps", client) == 200, "rights count")
        made = json.dumps({"metadata": {"name": "audited"}, "data": {"a": "b"}})
        json_type = {"Content-Type": "application/json", "User-Agent": "tester/1"}
        requests = [
            ("POST", "", made),
            ("GET", "/audited?x=1&y=%20", None),
            ("PUT", "/audited", made),
            ("GET", "?limit=5", None),
            ("GET", "?fieldSelector=metadata.name%3Daudited", None),
            ("GET", "?watch=true&timeoutSeconds=1", None),
            ("GET", "/missing", None),
            ("DELETE", "/audited", None),
            ("DELETE", "?labelSelector=none%3Dsuch", None),
        ]
        for number, (method, rest, body) in enumerate(requests):
            client.request(method, base + rest, body=body, headers={**json_type, "Audit-Id": f"same-{number}"})

        def relevant(event: dict[str, Any]) -> dict[str, Any]:
            kept = {name: event[name] for name in ("kind", "apiVersion", "level", "auditID", "stage", "requestURI")}
            kept |= {name: event.get(name) for name in ("verb", "user", "userAgent")}
            # Only kube-apiserver reads bodies, and only it says more of a status than the code.
            reference = event.get("objectRef", {})
            kept["objectRef"] = {
                name: reference.get(name) for name in ("resource", "namespace", "apiGroup", "apiVersion")
            }
            kept["code"] = event["responseStatus"]["code"]
            said = event["annotations"]
            kept["said"] = {name: said[name] for name in said if name.startswith("authorization.k8s.io/")}
            return kept

        def same(event: dict[str, Any]) -> bool:
            return str(event["auditID"]).startswith("same-")

        expected = [event for event in kube.audit() if same(event)]
        ours = events(stack, len(expected), same)
        assert len(expected) == len(requests) + 1  # the watch has two
        order = lambda event: (event["auditID"], event["stage"])  # noqa: E731 - named for two uses in a line
        assert sorted(map(relevant, ours), key=order) == sorted(map(relevant, expected), key=order)


def test_refusals_and_impersonations_are_told_of_as_kube_apiserver_does(kube: KubeApiServer) -> None:
    """What never gets to kube-apiserver by way of the front door gives the event that kube-apiserver would write."""
    rules: list[dict[str, object]] = [{"level": "Metadata", "omitStages": ["RequestReceived"]}]
    as_nobody, as_master = ["--as=nobody"], ["--as=somebody", "--as-group=system:masters", "--as-group=more"]
    calls = {
        "/api/v1/namespaces/default/secrets?case=1": as_nobody,
        "/apis/apps/v1/namespaces/default/deployments/a/scale?case=2": as_nobody,
        "/metrics?case=3": as_nobody,
        "/api/v1/namespaces/default?case=4": as_master,
    }
    unknown = "/api/v1/nodes?case=5"
    with audited(rules, kube) as stack:
        until(lambda: stack.status("/version", stack.http("admin", "system:masters")) == 200, "it serves")
        for path, arguments in calls.items():
            stack.kubectl("get", "--raw", path, *arguments)
            kube.kubectl("get", "--raw", path, *arguments)
        direct = urllib3.PoolManager(ca_certs=str(kube.ca_file), retries=False)
        for url, client in ((stack.url, stack.http()), (kube.url, direct)):
            client.request("GET", url + unknown, headers={"Authorization": "Bearer wrong", "User-Agent": "tester/1"})
        direct.clear()

        def wanted(event: dict[str, Any]) -> bool:
            # What the front door lets through arrives as a plain request of whoever was impersonated.
            return "case=" in event["requestURI"] and event["user"].get("username") in {"admin", None}

        def relevant(event: dict[str, Any]) -> dict[str, Any]:
            kept = {name: value for name, value in event.items() if name not in _OF_ITS_OWN}
            said = event.get("annotations", {})
            kept["said"] = {name: said[name] for name in said if name.startswith("authorization.k8s.io/")}
            kept["user"] = {name: value for name, value in event["user"].items() if name != "extra"}
            return kept

        until(lambda: len(list(filter(wanted, kube.audit()))) == 5, "kube-apiserver has told of all")
        expected = sorted(filter(wanted, kube.audit()), key=_uri)
        ours = sorted(events(stack, 5, wanted), key=_uri)
        assert list(map(relevant, ours)) == list(map(relevant, expected))


_OF_ITS_OWN = {"auditID", "sourceIPs", "requestReceivedTimestamp", "stageTimestamp", "annotations"}


def _uri(event: dict[str, Any]) -> str:
    return str(event["requestURI"])


def test_what_envoy_serves_alone_is_missing_in_the_count(backend: Backend) -> None:
    """Without a control plane Envoy's records are lost, and its count of records tells how many."""
    with audited(RULES) as stack, backend_of(stack):
        client, written = stack.http("alone", "developers"), "access_logs.grpc_access_log.logs_written"

        def missing() -> float:
            return stack.stats("logs_written")[written] - stack.metric("isthmus_audit_records_total")[""]

        told(stack, client, THINGS, "before")
        until(lambda: missing() == 0, "all that Envoy wrote has come")
        assert stack.control_plane is not None
        before = stack.stats("logs_written")[written]
        stack.control_plane.stop(signal.SIGKILL)
        assert stack.status(f"{THINGS}/t", client) in {200, 503}
        until(lambda: stack.stats("logs_written")[written] > before, "Envoy has written its record")

        stack.start_control_plane()
        until(lambda: stack.status(THINGS, stack.http("new", "developers")) == 200, "it decides again")
        # What comes on a stream comes in order: with this one, all of the new life's have.
        told(stack, client, THINGS, "after")
        assert missing() > before
