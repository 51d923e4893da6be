"""Writes: what they make of objects, together and one by one, and what they leave alone."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import grpc
import pytest
from config_api import RBAC, Answer, Api, reference, role, secret, write

from controlplane.api.v1 import config_pb2
from controlplane.model.rbac import RoleKey

Outcome = config_pb2.Written
KEY = RoleKey("", "a")


def _object(written: Answer) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(written.object.json)
    return read


async def test_apply_makes_then_leaves_then_changes(api: Api) -> None:
    """The first is a new object, the same again is nothing, another is a new version with its managers."""
    made = await api.apply(role("a"))
    same = await api.apply(role("a"))
    changed = await api.apply(role("a", "list"))

    outcomes = [answer.written.outcome for answer in (made, same, changed)]
    assert [Outcome.OUTCOME_CREATED, Outcome.OUTCOME_UNCHANGED, Outcome.OUTCOME_CHANGED] == outcomes
    assert ["2", "2", "3"] == [answer.written.object.resource_version for answer in (made, same, changed)]
    assert [2, 2, 3] == [answer.revision for answer in (made, same, changed)]
    metadata = _object(changed.written)["metadata"]
    assert ("3", made.written.object.uid) == (metadata["resourceVersion"], metadata["uid"])
    assert [("test", "Apply")] == [(one["manager"], one["operation"]) for one in metadata["managedFields"]]


async def test_a_forced_apply_takes_the_field(api: Api) -> None:
    """With force the conflict is settled for the one who comes later."""
    await api.apply(role("a"))
    taken = await api.apply(role("a", "delete"), force=True, field_manager="other")

    assert [["delete"]] == [rule["verbs"] for rule in _object(taken.written)["rules"]]


async def test_what_is_written_is_in_force(api: Api) -> None:
    """The pipeline has the object when it has come to the revision of the answer."""
    made = await api.apply(role("a"))
    await api.in_force(made.revision)
    assert KEY in api.registry.topology.policy.roles

    gone = await api.call("Delete", reference=reference("ClusterRole", "a"))
    await api.in_force(gone.revision)
    assert KEY not in api.registry.topology.policy.roles


@pytest.mark.parametrize("method", ["Apply", "BatchApply", "Create", "Replace", "Patch", "Delete"])
async def test_a_dry_run_writes_nothing(method: str, api: Api) -> None:
    """The answer is what it would be, and there is no revision."""
    await api.apply(role("a"))
    name = "b" if method == "Create" else "a"
    body = json.dumps(role(name, "list"))
    form = config_pb2.PatchRequest.FORM_MERGE
    fields = {
        "Apply": {"json": body},
        "BatchApply": {"json": [body]},
        "Create": {"json": body},
        "Replace": {"json": body},
        "Patch": {"reference": reference("ClusterRole", "a"), "form": form, "json": '{"rules": []}'},
        "Delete": {"reference": reference("ClusterRole", "a")},
    }
    answer = await api.call(method, **fields[method], options={"field_manager": "test", "dry_run": True})
    written = answer.written[0] if method == "BatchApply" else answer.written

    expected = {"Create": Outcome.OUTCOME_CREATED, "Delete": Outcome.OUTCOME_DELETED}
    assert expected.get(method, Outcome.OUTCOME_CHANGED) == written.outcome
    assert (0, 2) == (answer.revision, await api.store.revision())


async def test_create_makes_up_a_name(api: Api) -> None:
    """Each of two objects of one generateName has a name of its own."""
    body = json.dumps({**role("x"), "metadata": {"generateName": "reader-"}})
    names = {(await api.call("Create", json=body)).written.object.reference.name for _ in range(2)}

    assert 2 == len(names)
    assert all(name.startswith("reader-") and len(name) == len("reader-") + 5 for name in names)


async def test_replace_and_patch_and_delete(api: Api) -> None:
    """An update is of the version it was made from, a patch of whatever is there, a deletion of the uid it names."""
    made = await api.call("Create", json=json.dumps(role("a")), options={"field_manager": "one"})
    version = made.written.object.resource_version
    replaced = await api.call("Replace", json=json.dumps(role("a", "list", resourceVersion=version)))
    merge = {"form": config_pb2.PatchRequest.FORM_MERGE, "json": '{"metadata": {"labels": {"a": "b"}}}'}
    merged = await api.call("Patch", reference=reference("ClusterRole", "a"), **merge)
    operations = '[{"op": "replace", "path": "/rules/0/verbs", "value": ["watch"]}]'
    patch = {"form": config_pb2.PatchRequest.FORM_JSON, "json": operations}
    patched = await api.call("Patch", reference=reference("ClusterRole", "a"), **patch)
    deleted = await api.call("Delete", reference=reference("ClusterRole", "a"), uid=made.written.object.uid)

    assert ["list"] == _object(replaced.written)["rules"][0]["verbs"]
    assert {"a": "b"} == _object(merged.written)["metadata"]["labels"]
    assert ["watch"] == _object(patched.written)["rules"][0]["verbs"]
    assert Outcome.OUTCOME_DELETED == deleted.written.outcome
    assert _object(patched.written) == _object(deleted.written)


async def test_an_object_with_finalizers_waits_for_them(api: Api) -> None:
    """A deletion marks it; taking the last finalizer away removes it."""
    await api.apply(role("a", finalizers=["example.com/x"]))
    marked = await api.call("Delete", reference=reference("ClusterRole", "a"))
    patch = {"form": config_pb2.PatchRequest.FORM_MERGE, "json": '{"metadata": {"finalizers": null}}'}
    gone = await api.call("Patch", reference=reference("ClusterRole", "a"), **patch)
    refused = await api.refused("Get", reference=reference("ClusterRole", "a"))

    assert Outcome.OUTCOME_CHANGED == marked.written.outcome
    assert "deletionTimestamp" in _object(marked.written)["metadata"]
    assert Outcome.OUTCOME_DELETED == gone.written.outcome
    assert grpc.StatusCode.NOT_FOUND == refused.code


async def test_unknown_fields_are_warned_of(api: Api) -> None:
    """They are dropped, and the answer says so, unless they are to be ignored."""
    body = json.dumps({**role("a"), "bogus": 1})
    warned = await api.call("Create", json=body)
    ignored = await api.call("Replace", json=body, options={"field_validation": config_pb2.FIELD_VALIDATION_IGNORE})

    assert ['unknown field "bogus"'] == list(warned.written.warnings)
    assert [] == list(ignored.written.warnings)
    assert "bogus" not in warned.written.object.json


async def test_an_unknown_field_of_a_rule_is_told_and_not_stored(api: Api) -> None:
    """What is stored is read with the fields that are known, so nobody relies on one that is not."""
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], "resourceName": "web"}
    body = json.dumps({**role("a"), "rules": [rule]})
    warned = await api.call("Create", json=body)
    strict = {"field_validation": config_pb2.FIELD_VALIDATION_STRICT}
    refused = await api.refused("Replace", json=body, options=strict)

    assert ['unknown field "rules[0].resourceName"'] == list(warned.written.warnings)
    assert "resourceName" not in warned.written.object.json
    assert 'unknown field "rules[0].resourceName"' in refused.message


async def test_a_batch_is_one_transaction(api: Api) -> None:
    """All objects have one revision; those that were so already keep theirs."""
    await api.apply(role("a"))
    bodies = [json.dumps(body) for body in (role("a"), role("b"), role("c", kind="Role"))]
    done = await api.call("BatchApply", json=bodies, options={"field_manager": "test"})

    assert ["2", "3", "3"] == [one.object.resource_version for one in done.written]
    assert (3, 3) == (done.revision, await api.store.revision())
    assert "default" == done.written[2].object.reference.namespace


@pytest.mark.parametrize("bad", [0, 1, 49])
async def test_a_batch_with_one_bad_object_writes_none(bad: int, api: Api) -> None:
    """Wherever the bad one is."""
    bodies = [role(f"r{number}") for number in range(50)]
    bodies[bad]["rules"] = [{"verbs": ["get"]}]
    texts = [json.dumps(body) for body in bodies]
    refused = await api.refused("BatchApply", json=texts, options={"field_manager": "test"})

    assert (grpc.StatusCode.INVALID_ARGUMENT, str(bad)) == (refused.code, refused.info["index"])
    assert 1 == await api.store.revision()


async def test_writers_of_one_object_never_lose_what_others_wrote(api: Api) -> None:
    """Twenty managers each apply a label of their own at the same time; all labels are there."""
    await api.apply(role("a"))

    async def label(number: int) -> None:
        metadata = {"name": "a", "labels": {f"l{number}": "x"}}
        body = {"apiVersion": RBAC, "kind": "ClusterRole", "metadata": metadata}
        await api.apply(body, field_manager=f"m{number}")

    await asyncio.gather(*(label(number) for number in range(20)))
    found = await api.call("Get", reference=reference("ClusterRole", "a"))

    assert {f"l{number}" for number in range(20)} == set(json.loads(found.json)["metadata"]["labels"])


async def test_a_replace_that_loses_the_race_is_aborted(api: Api) -> None:
    """Of two made from the same version one is written."""
    made = await api.apply(role("a"))
    version = made.written.object.resource_version
    texts = [json.dumps(role("a", verb, resourceVersion=version)) for verb in ("list", "watch")]
    outcomes = await asyncio.gather(*(api.call("Replace", json=text) for text in texts), return_exceptions=True)
    codes = [outcome.code() for outcome in outcomes if isinstance(outcome, grpc.aio.AioRpcError)]

    assert [grpc.StatusCode.ABORTED] == codes


async def test_secrets_are_only_written(api: Api) -> None:
    """No answer, read, list or watch has what is in them, not even as an annotation of kubectl's."""
    body = secret("s", password="hunter2", empty="")
    body["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps(body),
        "kept": "yes",
    }
    named = {"type": {"api_version": "v1", "kind": "Secret"}}
    watch = api.watch(**named)
    # A bookmark says that there is nothing yet: from here on the watch is told what happens.
    await watch.read()
    answers = [
        (await api.apply(body)).written.object,
        await api.call("Get", reference=reference("Secret", "s", api_version="v1")),
        (await api.call("List", **named)).objects[0],
        (await watch.read()).object,
        (await api.call("Delete", reference=reference("Secret", "s", api_version="v1"))).written.object,
    ]
    watch.cancel()

    for answer in answers:
        assert {"password": 7, "empty": 0} == dict(answer.secret_sizes)
        assert {"kept": "yes"} == json.loads(answer.json)["metadata"]["annotations"]
        assert "hunter2" not in str(answer)
        assert "aHVudGVyMg==" not in str(answer)


async def test_what_a_manifest_defines_is_not_for_clients(api: Api) -> None:
    """It is refused with the file's name, and free when the file lets go of it."""
    write(api.folder, "a.yaml", role("other"), role("a"))
    async with asyncio.timeout(10):
        while KEY not in api.registry.topology.policy.roles:
            await api.rulings.changed(api.rulings.value)
    refused = await api.refused("Apply", json=json.dumps(role("a", "list")), options={"field_manager": "test"})
    write(api.folder, "a.yaml", role("other"))
    async with asyncio.timeout(10):
        while KEY in api.registry.topology.policy.roles:
            await api.rulings.changed(api.rulings.value)
    made = await api.apply(role("a", "list"))

    assert grpc.StatusCode.FAILED_PRECONDITION == refused.code
    assert f"is defined in {api.folder}/a.yaml, document 2, which clients cannot change" in refused.message
    assert "DefinedInManifests" == refused.info["reason"]
    assert Outcome.OUTCOME_CREATED == made.written.outcome


async def test_a_manifest_over_what_a_client_wrote_counts(api: Api) -> None:
    """The file is in force, and a Problem names both; without the file the client's object is in force again."""
    made = await api.apply(role("a", "list"))
    await api.in_force(made.revision)
    write(api.folder, "a.yaml", role("a", "get"))
    verbs = [await _verbs_other_than(api, ("list",))]
    problems = [str(problem) for problem in api.problems["layers"]]
    (api.folder / "a.yaml").unlink()
    verbs.append(await _verbs_other_than(api, ("get",)))

    assert [("get",), ("list",)] == verbs
    sentence = (
        "store clusterroles.rbac.authorization.k8s.io/a: ClusterRole a: is defined in "
        f"{api.folder}/a.yaml, document 1 too, and that one counts; remove one of the two"
    )
    assert [sentence] == problems
    assert () == api.problems["layers"]


async def _verbs_other_than(api: Api, verbs: tuple[str, ...]) -> tuple[str, ...]:
    async with asyncio.timeout(10):
        while (found := api.registry.topology.policy.roles[KEY].rules[0].verbs) == verbs:
            await api.rulings.changed(api.rulings.value)
    return found
