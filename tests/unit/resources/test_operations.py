from __future__ import annotations

import copy
from typing import Any

import pytest
from resource_cases import BASES

from controlplane.resources import operations
from controlplane.resources.deletion import Preconditions, delete
from controlplane.resources.finish import Written
from controlplane.resources.kinds import KINDS
from controlplane.resources.operations import Call, Target
from controlplane.resources.patch import Patch, PatchType
from controlplane.resources.reading import Strictness
from controlplane.resources.status import Status

NOW = "2030-01-01T00:00:00Z"
LATER = "2030-01-02T00:00:00Z"
CALL = Call(NOW, "some-uid", "abcde", "tester")


def target(kind: str) -> Target:
    """Where the plain object of a kind is."""
    one = KINDS[kind]
    return Target(one, "default" if one.namespaced else "", BASES[kind]["metadata"]["name"])


def good(result: Written | Status) -> Written:
    """The result, which must be no refusal."""
    assert isinstance(result, Written), result
    return result


def bad(result: Written | Status) -> Status:
    """The refusal."""
    assert isinstance(result, Status)
    return result


def made(kind: str) -> dict[str, Any]:
    """The plain object of a kind, stored at version 7."""
    obj = copy.deepcopy(good(operations.create(target(kind), BASES[kind], CALL)).object)
    obj["metadata"]["resourceVersion"] = "7"
    return obj


@pytest.mark.parametrize("kind", list(BASES))
def test_a_new_object_has_its_metadata(kind: str) -> None:
    """Every kind gets uid, time, first generation and managed fields."""
    meta = made(kind)["metadata"]

    assert ("some-uid", NOW, 1) == (meta["uid"], meta["creationTimestamp"], meta["generation"])
    assert [("tester", "Update", NOW)] == [
        (one["manager"], one["operation"], one["time"]) for one in meta["managedFields"]
    ]


@pytest.mark.parametrize("kind", list(BASES))
def test_an_update_with_the_same_is_no_change(kind: str) -> None:
    """Writing what is stored changes nothing, to the times of managed fields."""
    live = made(kind)
    result = good(operations.update(target(kind), live, copy.deepcopy(live), Call(LATER, manager="tester")))

    assert not result.changed
    assert live == result.object


def test_a_name_is_generated() -> None:
    """A generateName is completed by the suffix that is passed in."""
    body = {**BASES["Role"], "metadata": {"generateName": "reader-"}}

    assert "reader-abcde" == good(operations.create(target("Role"), body, CALL)).object["metadata"]["name"]


def test_a_local_apiservice_is_available_at_once() -> None:
    """An APIService without a Service gets its condition when it is made; what the client says of it is dropped."""
    spec = {"group": "example.com", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1}
    body = {**BASES["APIService"], "spec": spec, "status": {"conditions": [{"type": "Other", "status": "True"}]}}
    [condition] = good(operations.create(target("APIService"), body, CALL)).object["status"]["conditions"]

    assert ("Available", "True", "Local", NOW) == tuple(
        condition[name] for name in ("type", "status", "reason", "lastTransitionTime")
    )


def test_a_stale_version_is_a_conflict_that_tells_the_current_one() -> None:
    """The refusal has upstream's sentence, and the version in force."""
    live = made("Role")
    stale = {**live, "metadata": {**live["metadata"], "resourceVersion": "6"}}
    refused = bad(operations.update(target("Role"), live, stale, CALL))

    sentence = (
        'Operation cannot be fulfilled on roles.rbac.authorization.k8s.io "reader": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert (409, "Conflict", sentence, "7") == (refused.code, refused.reason, refused.message, refused.current)


def test_an_apiservice_is_never_updated_without_a_version() -> None:
    """An update that leaves the version out is refused for APIServices and taken for Roles."""
    refused = bad(operations.update(target("APIService"), made("APIService"), BASES["APIService"], CALL))

    assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in refused.message
    assert not good(operations.update(target("Role"), made("Role"), BASES["Role"], CALL)).changed


def test_the_generation_counts_changes_of_the_spec() -> None:
    """Labels leave the generation alone, rules do not."""
    live = made("Role")
    labelled = good(
        operations.patch(target("Role"), live, Patch(PatchType.MERGE, {"metadata": {"labels": {"a": "b"}}}), CALL)
    )
    emptied = good(operations.patch(target("Role"), live, Patch(PatchType.MERGE, {"rules": []}), CALL))

    assert (1, 2) == (labelled.object["metadata"]["generation"], emptied.object["metadata"]["generation"])


@pytest.mark.parametrize(
    ("strictness", "refused", "warnings"),
    [
        (Strictness.STRICT, True, ()),
        (Strictness.WARN, False, ('unknown field "spec.bogus"',)),
        (Strictness.IGNORE, False, ()),
    ],
)
def test_unknown_fields_are_the_callers_choice(
    strictness: Strictness, refused: bool, warnings: tuple[str, ...]
) -> None:
    """Strict refuses, Warn tells, Ignore drops in silence."""
    body = copy.deepcopy(BASES["Service"])
    body["spec"]["bogus"] = 1
    result = operations.create(target("Service"), body, Call(NOW, "u", strictness=strictness))

    if refused:
        sentence = (
            'Service in version "v1" cannot be handled as a Service: strict decoding error: unknown field "spec.bogus"'
        )
        assert sentence == bad(result).message
    else:
        assert warnings == good(result).warnings
        assert "bogus" not in good(result).object["spec"]


def test_an_object_bigger_than_a_store_takes_is_refused() -> None:
    """1.5 MiB is the limit."""
    rules = [{"verbs": ["get"], "apiGroups": [""], "resources": ["x" * 1000]}] * 1600

    assert 413 == bad(operations.create(target("Role"), {**BASES["Role"], "rules": rules}, CALL)).code


def test_applying_needs_a_manager() -> None:
    """Nobody cannot apply."""
    refused = bad(operations.apply(target("Role"), None, {**made("Role"), "metadata": {"name": "reader"}}, Call(NOW)))

    assert ' "" is invalid: fieldManager: Required value: is required for apply patch' in refused.message


def test_an_object_with_finalizers_is_marked_and_goes_with_the_last_one() -> None:
    """Deletion waits for finalizers; the update that removes the last one removes the object."""
    live = made("Role")
    live["metadata"]["finalizers"] = ["example.com/a"]
    marked = good(delete(KINDS["Role"], live, LATER, Preconditions()))
    freed = Patch(PatchType.MERGE, {"metadata": {"finalizers": None}})
    extended = Patch(PatchType.MERGE, {"metadata": {"finalizers": ["example.com/a", "example.com/b"]}})

    assert (LATER, 0, 2) == tuple(
        marked.object["metadata"][name] for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "generation")
    )
    assert not good(delete(KINDS["Role"], marked.object, LATER, Preconditions())).changed
    assert good(operations.patch(target("Role"), marked.object, freed, CALL)).deleted
    assert (
        "no new finalizers can be added" in bad(operations.patch(target("Role"), marked.object, extended, CALL)).message
    )


def test_deletion_keeps_its_preconditions() -> None:
    """Another uid or version than the caller's is a conflict; the right ones delete."""
    live, kind = made("Role"), KINDS["Role"]

    assert 409 == bad(delete(kind, live, NOW, Preconditions(uid="other"))).code
    assert "7" == bad(delete(kind, live, NOW, Preconditions(resource_version="6"))).current
    assert good(delete(kind, live, NOW, Preconditions("some-uid", "7"))).deleted


def test_what_a_secret_holds_is_in_no_message_and_no_repr() -> None:
    """Neither results nor refusals of Secrets show their data."""
    result = operations.create(target("Secret"), {**BASES["Secret"], "stringData": {"b": "hidden"}}, CALL)
    patch = Patch(PatchType.MERGE, {"stringData": {"c": 5}, "data": {"d": "aGlkZGVu"}})
    refused = bad(operations.patch(target("Secret"), good(result).object, patch, CALL))
    config = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"}, "stringData": {"b": ["hidden"]}}
    unfit = bad(operations.apply(target("Secret"), None, config, CALL))

    for shown in (repr(result), repr(patch), refused.message, unfit.message):
        assert "hidden" not in shown
        assert "aGlkZGVu" not in shown
    assert unfit.message.endswith(".stringData.b: expected string")
