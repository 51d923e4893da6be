"""The audit log of the config API: each object as if it had been asked for over HTTP, and no secret."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from config_api import RBAC, Api, reference, rights, role, secret

from controlplane.api.v1 import config_pb2, explain_pb2
from controlplane.audit.policy import AuditPolicy, GroupResources, Level, Rule

TYPE = {"api_version": RBAC, "kind": "ClusterRole"}
EVERYTHING = AuditPolicy((Rule(Level.REQUEST_RESPONSE),), frozenset({"RequestReceived"}))
Event = dict[str, Any]


@pytest.fixture
def events(api: Api) -> Iterator[list[Event]]:
    """What is told with bodies, without the beginnings."""
    api.audit.policy.publish(EVERYTHING)
    yield api.audit.events
    assert 0 == api.audit.registry.get_sample_value("isthmus_audit_lost_total", {"reason": "error"})


def written(event: Event) -> tuple[str, str, str, int]:
    """Who did what to what, and how that ended."""
    user, about = event["user"].get("username", ""), event["objectRef"]
    return user, event["verb"], about.get("name", ""), event["responseStatus"]["code"]


async def test_a_write_is_an_event(api: Api) -> None:
    """Its stages, and the fields of kube-apiserver; bodies only where the policy wants them."""
    api.audit.policy.publish(AuditPolicy((Rule(Level.METADATA),)))
    await api.apply(role("a"))

    received, complete = api.audit.events
    assert ["RequestReceived", "ResponseComplete"] == [received["stage"], complete["stage"]]
    assert received["auditID"] == complete["auditID"]
    assert f"/apis/{RBAC}/clusterroles/a" == complete["requestURI"]
    assert {
        "resource": "clusterroles",
        "name": "a",
        "apiGroup": RBAC.partition("/")[0],
        "apiVersion": "v1",
    } == complete["objectRef"]
    assert ("system:admin", "patch", "a", 201) == written(complete)
    assert ["system:masters", "system:authenticated"] == complete["user"]["groups"]
    assert "allow" == complete["annotations"]["authorization.k8s.io/decision"]
    assert "controlplane.api.v1.ConfigService/Apply" == complete["annotations"]["isthmus.dev/call"]
    assert complete["userAgent"].startswith("grpc-python-asyncio/")
    assert "requestObject" not in complete
    assert "isthmus.dev/verdict" not in complete["annotations"]


async def test_bodies_are_told_where_the_policy_wants_them(api: Api, events: list[Event]) -> None:
    """What was sent at Request, what was answered at RequestResponse too, without managed fields if it says so."""
    await api.apply(role("a"))
    rule = Rule(Level.REQUEST, omit_managed_fields=True)
    api.audit.policy.publish(AuditPolicy((rule,), frozenset({"RequestReceived"})))
    await api.call("Get", reference=reference("ClusterRole", "a"))
    read = await api.call("Get", reference=reference("ClusterRole", "a"))
    await api.call("Replace", json=read.json, options={"field_manager": "test"})

    first, *_, last = events
    assert ("RequestResponse", role("a")) == (first["level"], first["requestObject"])
    assert "managedFields" in first["responseObject"]["metadata"]
    assert "Request" == last["level"]
    assert "managedFields" in json.loads(read.json)["metadata"]
    assert "managedFields" not in last["requestObject"]["metadata"]
    assert "responseObject" not in last


async def test_of_a_secret_no_body_is_told(api: Api, events: list[Event]) -> None:
    """Whatever the policy says, and however it is sent or refused; nor of a question with a token."""
    content = "c3dvcmRmaXNo"
    await api.apply(secret("s", password="swordfish"))
    await api.call("Get", reference=reference("Secret", "s", api_version="v1"))
    merge = {"form": config_pb2.PatchRequest.FORM_MERGE, "json": json.dumps({"data": {"password": content}})}
    await api.call("Patch", reference=reference("Secret", "s", api_version="v1"), **merge)
    bodies = [json.dumps(role("a")), json.dumps(secret("t", password="swordfish"))]
    await api.call("BatchApply", json=bodies, options={"field_manager": "test"})
    await api.refused("Apply", json=json.dumps({**secret("u", password="swordfish"), "kind": "Sekret"}))
    question = explain_pb2.ExplainRequest(method="GET", target="/", bearer_token="swordfish")
    await api.channel.unary_unary("/controlplane.api.v1.ExplainService/Explain")(question.SerializeToString())

    assert 7 == len(events)
    assert not any(word in json.dumps(events) for word in ("swordfish", content))
    secrets = [event for event in events if event.get("objectRef", {}).get("resource") == "secrets"]
    assert ["Metadata"] * 4 == [event["level"] for event in secrets]
    assert ["a"] == [event["requestObject"]["metadata"]["name"] for event in events if "requestObject" in event]


async def test_every_object_of_a_batch_is_an_event(api: Api, events: list[Event]) -> None:
    """With the batch's own name, and its end where it was refused, too."""
    done = [json.dumps(role(name)) for name in "ab"]
    await api.call("BatchApply", json=done, options={"field_manager": "test"})
    await api.call("BatchApply", json=[*done, json.dumps(role("c"))], options={"field_manager": "test"})
    refused = [json.dumps(role("d")), json.dumps({**role("e"), "rules": [{"verbs": []}]})]
    await api.refused("BatchApply", json=refused, options={"field_manager": "test"})

    assert [("a", 201), ("b", 201)] == [written(event)[2:] for event in events[:2]]
    assert [("a", 200), ("b", 200), ("c", 201)] == [written(event)[2:] for event in events[2:5]]
    assert [("d", 422), ("e", 422)] == [written(event)[2:] for event in events[5:]]
    assert [2, 3, 2] == [
        sum(event["auditID"] == name for event in events) for name in dict.fromkeys(each["auditID"] for each in events)
    ]
    assert ["a", "b"] == [event["responseObject"]["metadata"]["name"] for event in events[:2]]


async def test_refusals_are_told_in_their_own_words(api: Api, events: list[Event]) -> None:
    """What is not there, what nobody may do, what escalates, who is unknown, and what cannot be read."""
    rule = {"verbs": ["create", "patch", "get"], "apiGroups": [RBAC.partition("/")[0]], "resources": ["clusterroles"]}
    bodies = [json.dumps(body) for body in rights("r", "alice", rule)]
    done = await api.call("BatchApply", json=bodies, options={"field_manager": "test"})
    await api.in_force(done.revision)
    events.clear()
    await api.refused("Get", reference=reference("ClusterRole", "x"))
    await api.refused("Get", "t-bob", reference=reference("ClusterRole", "x"))
    await api.refused("Apply", "t-alice", json=json.dumps(role("x")), options={"field_manager": "test"})
    await api.refused("Get", "t-nobody", reference=reference("ClusterRole", "x"))
    await api.refused("Get", reference=reference("Flower", "x"))

    missing, forbidden, escalating, unknown, unread = events
    assert ("system:admin", "get", "x", 404) == written(missing)
    assert {"reason": "NotFound", "status": "Failure"}.items() <= missing["responseStatus"].items()
    assert ("bob", "get", "x", 403) == written(forbidden)
    assert "forbid" == forbidden["annotations"]["authorization.k8s.io/decision"]
    assert ("alice", "patch", "x", 403) == written(escalating)
    assert "allow" == escalating["annotations"]["authorization.k8s.io/decision"]
    assert ("ResponseStarted", {}, 401) == (unknown["stage"], unknown["user"], unknown["responseStatus"]["code"])
    assert ("/controlplane.api.v1.ConfigService/Get", "post", 400) == (
        unread["requestURI"],
        unread["verb"],
        unread["responseStatus"]["code"],
    )


async def test_the_right_that_was_missing_is_told(api: Api, events: list[Event]) -> None:
    """Who may patch and not create is refused for creating, in a batch for the object that is new."""
    rule = {"verbs": ["patch"], "apiGroups": [RBAC.partition("/")[0]], "resources": ["clusterroles"]}
    garden = {"verbs": ["get"], "apiGroups": ["garden.io"], "resources": ["roses"]}
    bodies = [json.dumps(body) for body in (role("a"), *rights("r", "alice", rule, garden))]
    done = await api.call("BatchApply", json=bodies, options={"field_manager": "test"})
    await api.in_force(done.revision)
    events.clear()
    both = [json.dumps(role(name)) for name in "ab"]
    await api.refused("BatchApply", "t-alice", json=both, options={"field_manager": "test"}, force=True)

    assert ["allow", "forbid"] == [event["annotations"]["authorization.k8s.io/decision"] for event in events]
    assert [("alice", "patch", "a", 403), ("alice", "patch", "b", 403)] == [written(event) for event in events]


async def test_a_watch_is_told_of_when_it_begins_and_when_it_ends(api: Api, events: list[Event]) -> None:
    """With the same name and the code of its beginning."""
    watch = api.watch(type=TYPE)
    await watch.read()
    began = [event["stage"] for event in events]
    api.audit.told.clear()
    watch.cancel()
    async with asyncio.timeout(20):
        await api.audit.told.wait()

    assert ["ResponseStarted"] == began
    assert ["ResponseStarted", "ResponseComplete"] == [event["stage"] for event in events]
    assert ["watch", "watch"] == [event["verb"] for event in events]
    assert [200, 200] == [event["responseStatus"]["code"] for event in events]
    assert events[0]["auditID"] == events[1]["auditID"]


async def test_the_policy_chooses_by_resource(api: Api) -> None:
    """What it does not name is not told; the name that the client gives the request is kept."""
    rule = Rule(Level.METADATA, resources=(GroupResources("", ("secrets",)),))
    api.audit.policy.publish(AuditPolicy((rule,), frozenset({"RequestReceived"})))
    await api.apply(role("a"))
    body = config_pb2.CreateRequest(json=json.dumps(secret("s")))
    call = api.channel.unary_unary("/controlplane.api.v1.ConfigService/Create")
    await call(body.SerializeToString(), metadata=(("audit-id", "mine"),), timeout=20)

    assert [("mine", "create", 201)] == [
        (event["auditID"], event["verb"], event["responseStatus"]["code"]) for event in api.audit.events
    ]


async def test_calls_are_counted(api: Api) -> None:
    """By method and code, watches while they are open."""

    def value(name: str, **labels: str) -> float | None:
        return api.metrics.get_sample_value(f"isthmus_config_{name}", labels)

    await api.apply(role("a"))
    await api.refused("Get", reference=reference("ClusterRole", "none"))
    await api.refused("Get", "t-nobody", reference=reference("ClusterRole", "a"))
    watch = api.watch(type=TYPE)
    await watch.read()
    open_now = value("streams", method="Watch")
    with pytest.raises(grpc.aio.AioRpcError):
        await api.watch("t-nobody", type=TYPE).read()

    assert 1 == value("calls_total", method="Apply", code="OK")
    assert 1 == value("calls_total", method="Get", code="NOT_FOUND")
    assert 1 == value("calls_total", method="Get", code="UNAUTHENTICATED")
    assert 2 == value("call_seconds_count", method="Get")
    assert 1 == open_now
    assert 1 == value("calls_total", method="Watch", code="UNAUTHENTICATED")
    assert 1 == value("streams", method="Watch")
    watch.cancel()
