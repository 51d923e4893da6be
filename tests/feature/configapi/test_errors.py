"""Everything that can be wrong with a call, and the status code and details it is answered with."""

from __future__ import annotations

import json
from typing import Any

import grpc
import pytest
from config_api import RBAC, SERVICE, Api, Refused, binding, reference, role, secret, wait

from controlplane.api.v1 import config_pb2
from controlplane.store.interface import CompactedError, UnavailableError

Code = grpc.StatusCode
SERVICE_OBJECT = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 1}]}}
TYPE = {"api_version": RBAC, "kind": "ClusterRole"}
APPLY = {"field_manager": "test"}
BIG = role("big") | {"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["x" * 1000]}] * 1600}


def _replaced(version: str) -> dict[str, Any]:
    return role("a", "list", resourceVersion=version)


CASES: dict[str, tuple[str, dict[str, Any], grpc.StatusCode, str]] = {
    "get-missing": (
        "Get",
        {"reference": reference("ClusterRole", "b")},
        Code.NOT_FOUND,
        'clusterroles.rbac.authorization.k8s.io "b" not found',
    ),
    "delete-missing": (
        "Delete",
        {"reference": reference("Role", "b", "n")},
        Code.NOT_FOUND,
        'roles.rbac.authorization.k8s.io "b" not found',
    ),
    "patch-missing": (
        "Patch",
        {"reference": reference("ClusterRole", "b"), "form": config_pb2.PatchRequest.FORM_MERGE, "json": "{}"},
        Code.NOT_FOUND,
        'clusterroles.rbac.authorization.k8s.io "b" not found',
    ),
    "create-again": (
        "Create",
        {"json": json.dumps(role("a"))},
        Code.ALREADY_EXISTS,
        'clusterroles.rbac.authorization.k8s.io "a" already exists',
    ),
    "create-again-dry": (
        "Create",
        {"json": json.dumps(role("a")), "options": {"dry_run": True}},
        Code.ALREADY_EXISTS,
        'clusterroles.rbac.authorization.k8s.io "a" already exists',
    ),
    "stale-replace": (
        "Replace",
        {"json": json.dumps(_replaced("1"))},
        Code.ABORTED,
        'cannot be fulfilled on clusterroles.rbac.authorization.k8s.io "a": the object has been modified; please apply',
    ),
    "stale-delete": (
        "Delete",
        {"reference": reference("ClusterRole", "a"), "resource_version": "1"},
        Code.ABORTED,
        "the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (2).",
    ),
    "another-uid": (
        "Delete",
        {"reference": reference("ClusterRole", "a"), "uid": "other"},
        Code.ABORTED,
        "the UID in the precondition (other) does not match the UID in record",
    ),
    "field-of-another": (
        "Apply",
        {"json": json.dumps(role("a", "delete")), "options": {"field_manager": "other"}},
        Code.FAILED_PRECONDITION,
        'Apply failed with 1 conflict: conflict with "test": .rules',
    ),
    "no-manager": ("Apply", {"json": json.dumps(role("a"))}, Code.INVALID_ARGUMENT, "is required for apply patch"),
    "no-json": ("Apply", {"json": "{", "options": APPLY}, Code.INVALID_ARGUMENT, "the JSON cannot be read: Expecting"),
    "half-a-surrogate": (
        "Create",
        {"json": json.dumps(role("a\ud800"))},
        Code.INVALID_ARGUMENT,
        "the JSON cannot be read",
    ),
    "deep": ("Create", {"json": "[" * 100_000}, Code.INVALID_ARGUMENT, "the JSON is nested too deep"),
    "no-object": ("Create", {"json": "[]"}, Code.INVALID_ARGUMENT, "the object is no JSON object"),
    "no-kind": ("Create", {"json": "{}"}, Code.INVALID_ARGUMENT, 'no matches for kind "" in version ""'),
    "other-version": (
        "Get",
        {"reference": reference("ClusterRole", "a", api_version="rbac.authorization.k8s.io/v2")},
        Code.INVALID_ARGUMENT,
        'no matches for kind "ClusterRole" in version "rbac.authorization.k8s.io/v2"',
    ),
    "no-name": (
        "Replace",
        {"json": json.dumps({**role("a"), "metadata": {}})},
        Code.INVALID_ARGUMENT,
        "metadata.name: Required value",
    ),
    "slash-in-name": (
        "Get",
        {"reference": reference("ClusterRole", "a/b")},
        Code.INVALID_ARGUMENT,
        "metadata.name: Invalid value: \"a/b\": may not contain '/'",
    ),
    "nul-in-name": (
        "Create",
        {"json": json.dumps(role("a\0"))},
        Code.INVALID_ARGUMENT,
        "may not contain control characters",
    ),
    "bad-namespace": (
        "Get",
        {"reference": reference("Role", "a", "N")},
        Code.INVALID_ARGUMENT,
        'metadata.namespace: Invalid value: "N"',
    ),
    "invalid": (
        "Create",
        {"json": json.dumps({**SERVICE_OBJECT, "spec": {"ports": [{"port": 0}]}})},
        Code.INVALID_ARGUMENT,
        "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
    ),
    "unknown-field": (
        "Create",
        {
            "json": json.dumps({**SERVICE_OBJECT, "bogus": 1}),
            "options": {"field_validation": config_pb2.FIELD_VALIDATION_STRICT},
        },
        Code.INVALID_ARGUMENT,
        'strict decoding error: unknown field "bogus"',
    ),
    "unknown-field-applied": (
        "Apply",
        {"json": json.dumps({**SERVICE_OBJECT, "bogus": 1}), "options": APPLY},
        Code.INVALID_ARGUMENT,
        "field not declared in schema",
    ),
    "unknown-strictness": (
        "Create",
        {"json": json.dumps(role("b")), "options": {"field_validation": 9}},
        Code.INVALID_ARGUMENT,
        "fieldValidation has the unknown value 9",
    ),
    "unknown-patch": (
        "Patch",
        {"reference": reference("ClusterRole", "a"), "json": "{}"},
        Code.INVALID_ARGUMENT,
        "the form of the patch is not set",
    ),
    "reading-patch": (
        "Patch",
        {"reference": reference("Secret", "s", api_version="v1"), "form": config_pb2.PatchRequest.FORM_JSON},
        Code.INVALID_ARGUMENT,
        "a JSON patch could read what a Secret holds",
    ),
    "long-wait": (
        "Apply",
        {"json": json.dumps(role("a")), "options": {**APPLY, "wait": wait(601)}},
        Code.INVALID_ARGUMENT,
        "options.wait is not between 0 and 600 seconds",
    ),
    "empty-batch": ("BatchApply", {"options": APPLY}, Code.INVALID_ARGUMENT, "the batch is empty"),
    "twice-in-a-batch": (
        "BatchApply",
        {"json": [json.dumps(role("a")), json.dumps(role("a"))], "options": APPLY},
        Code.INVALID_ARGUMENT,
        "object 1: clusterroles.rbac.authorization.k8s.io/a is object 0 of the batch already",
    ),
    "long-batch": (
        "BatchApply",
        {"json": [json.dumps(role(f"r{number}")) for number in range(129)], "options": APPLY},
        Code.RESOURCE_EXHAUSTED,
        "a transaction of 129 writes",
    ),
    "bad-label-selector": (
        "List",
        {"type": TYPE, "label_selector": "a in ("},
        Code.INVALID_ARGUMENT,
        "unable to parse requirement",
    ),
    "bad-field-selector": (
        "List",
        {"type": TYPE, "field_selector": "spec.x=1"},
        Code.INVALID_ARGUMENT,
        '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
    ),
    "bad-token": ("List", {"type": TYPE, "page_token": "x"}, Code.INVALID_ARGUMENT, "continue key is not valid"),
    "namespace-of-none": (
        "List",
        {"type": TYPE, "namespace": "n"},
        Code.INVALID_ARGUMENT,
        "ClusterRole has no namespaces",
    ),
    "big": ("Create", {"json": json.dumps(BIG)}, Code.RESOURCE_EXHAUSTED, "Request entity too large"),
    "bigger": ("Create", {"json": " " * 4_000_000}, Code.RESOURCE_EXHAUSTED, "limit is 3145728"),
    "biggest": ("BatchApply", {"json": [" " * 3_000_000] * 3}, Code.RESOURCE_EXHAUSTED, "limit is 8388608"),
}


@pytest.mark.parametrize("case", CASES)
async def test_what_is_wrong_has_its_code_and_upstreams_message(case: str, api: Api) -> None:
    """Each defect is answered with the code gRPC has for it, and nothing is written."""
    await api.apply(role("a"))
    method, fields, code, message = CASES[case]
    refused = await api.refused(method, **fields)

    assert (code, True) == (refused.code, message in refused.message), refused.message
    assert refused.message == refused.status.message
    assert code.value[0] == refused.status.code
    assert "isthmus.dev" == refused.info["domain"]
    assert 2 == await api.store.revision()


async def test_a_stale_write_tells_the_version_in_force(api: Api) -> None:
    """The caller need not ask again to know what to compare with."""
    await api.apply(role("a"))
    refused = await api.refused("Replace", json=json.dumps(_replaced("1")))

    assert {"reason": "Conflict", "domain": "isthmus.dev", "code": "409", "resourceVersion": "2"} == refused.info


async def test_broken_rules_are_told_field_by_field(api: Api) -> None:
    """BadRequest has a violation for each, with upstream's path and sentence."""
    body = {**SERVICE_OBJECT, "spec": {"ports": [{"port": 0}, {"port": 70000, "name": "UP"}]}}
    refused = await api.refused("Create", json=json.dumps(body))

    assert "Invalid value: 0: must be between 1 and 65535, inclusive" == refused.fields["spec.ports[0].port"]
    assert {"spec.ports[0].name", "spec.ports[0].port", "spec.ports[1].port", "spec.ports[1].name"} <= set(
        refused.fields
    )


async def test_fields_of_others_are_named_with_their_managers(api: Api) -> None:
    """PreconditionFailure says which field it is about, and who holds it."""
    await api.apply(role("a"))
    refused = await api.refused("Apply", json=json.dumps(role("a", "list")), options={"field_manager": "other"})

    assert {".rules": 'conflict with "test"'} == refused.holders


async def test_a_thousand_broken_rules_fit_into_an_answer(api: Api) -> None:
    """What does not fit into gRPC's metadata is counted."""
    body = {**SERVICE_OBJECT, "spec": {"ports": [{"port": 0, "name": f"p{number}"} for number in range(1000)]}}
    refused = await api.refused("Create", json=json.dumps(body))

    assert Code.INVALID_ARGUMENT == refused.code
    assert "and " in refused.fields[""]
    assert refused.fields[""].endswith(" more")
    assert refused.status.ByteSize() < 5000


async def test_what_a_batch_is_refused_for_is_found_by_its_index(api: Api) -> None:
    """Message, metadata and field paths say which object it is."""
    bad = json.dumps(binding("b", "ClusterRole", "x", "u") | {"subjects": [{"kind": "User"}]})
    refused = await api.refused("BatchApply", json=[json.dumps(role("a")), bad], options=APPLY)

    assert refused.message.startswith("object 1: ClusterRoleBinding")
    assert "1" == refused.info["index"]
    assert "objects[1].subjects[0].name" in refused.fields


async def test_garbage_is_the_clients_fault(api: Api) -> None:
    """A message that is none is an invalid argument, in unary calls and in watches."""
    unary = api.channel.unary_unary(f"/{SERVICE}/Get")
    stream = api.channel.unary_stream(f"/{SERVICE}/Watch")
    for call in (unary(b"\xff\xff"), stream(b"\xff\xff").read()):
        with pytest.raises(grpc.aio.AioRpcError, match="cannot be parsed") as caught:
            await call
        assert Code.INVALID_ARGUMENT == caught.value.code()


async def test_a_store_that_fails_is_unavailable(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that the disk does not take is refused with the reason; reads go on."""

    async def refuses(_: object) -> None:
        raise UnavailableError("the disk is full; make room on it")

    await api.apply(role("a"))
    monkeypatch.setattr(api.store, "write", refuses)
    refused = await api.refused("Create", json=json.dumps(role("b")))
    read = await api.call("Get", reference=reference("ClusterRole", "a"))

    assert (Code.UNAVAILABLE, "the disk is full; make room on it") == (refused.code, refused.message)
    assert "a" == read.reference.name


async def test_what_is_forgotten_is_out_of_range(api: Api) -> None:
    """A list or watch that comes too late hears where the history begins."""
    for name in "abc":
        await api.apply(role(name))
    page = await api.call("List", type=TYPE, page_size=1)
    await api.apply(role("d"))
    await api.store.compact(5)
    listed = await api.refused("List", type=TYPE, page_token=page.next_page_token)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await api.watch(type=TYPE, resource_version="2").read()
    watched = Refused(caught.value)

    assert Code.OUT_OF_RANGE == listed.code == watched.code
    assert ("Expired", "5") == (watched.info["reason"], watched.info["oldestResourceVersion"])
    assert str(CompactedError(2, 5)) == watched.message


@pytest.mark.parametrize("version", ["x", "-1", "1" * 40, "٣"])
async def test_a_resource_version_that_nobody_gave_out_is_refused(api: Api, version: str) -> None:
    """A watch begins at none of them."""
    with pytest.raises(grpc.aio.AioRpcError, match="is none that was given out") as caught:
        await api.watch(type=TYPE, resource_version=version).read()

    assert Code.INVALID_ARGUMENT == caught.value.code()


async def test_what_a_secret_holds_is_in_no_message(api: Api) -> None:
    """A Secret that is refused is refused without its values."""
    bad = secret("s", password="hunter2") | {"type": "Opaque", "data": {"b!d": "aHVudGVyMg=="}}
    messages = [
        (await api.refused("Create", json=json.dumps(bad))).message,
        (await api.refused("Apply", json=json.dumps(bad | {"x": "hunter2"}), options=APPLY)).message,
        (await api.refused("Create", json=json.dumps(secret("s", password="hunter2"))[:-3])).message,
    ]

    assert all("hunter2" not in message and "aHVudGVyMg" not in message for message in messages)
