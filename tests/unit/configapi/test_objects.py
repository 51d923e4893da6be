from __future__ import annotations

import base64
import json

import pytest

from controlplane.configapi import objects
from controlplane.resources.kinds import KINDS
from controlplane.store.interface import Key, Stored

SECRET, ROLE = KINDS["Secret"], KINDS["Role"]
KEY = Key("roles.rbac.authorization.k8s.io", "n", "a")


def stored(*, padding: int = 0) -> Stored:
    """A Role as the store has it."""
    obj = {"metadata": {"name": "a", "namespace": "n", "labels": {"x": "y" * padding}}, "rules": None}
    return Stored(KEY, objects.value_of(obj), 3, 7)


@pytest.mark.parametrize("size", range(9))
def test_the_sizes_of_a_secret_are_those_of_its_bytes(size: int) -> None:
    """Whatever base64 makes of them."""
    data = {"k": base64.b64encode(b"x" * size).decode()}

    assert {"k": size} == dict(objects.message(SECRET, {"metadata": {"name": "s"}, "data": data}).secret_sizes)


def test_a_secret_loses_what_it_holds_and_nothing_else() -> None:
    """The object that was given keeps all."""
    last = "kubectl.kubernetes.io/last-applied-configuration"
    given = {"metadata": {"name": "s", "annotations": {last: "{}"}}, "data": {"k": "eA=="}, "type": "Opaque"}
    shown = json.loads(objects.message(SECRET, given).json)

    assert {"metadata": {"name": "s"}, "type": "Opaque"} == shown
    assert {"k": "eA=="} == given["data"]
    assert {last: "{}"} == given["metadata"]["annotations"]


def test_the_stores_revision_is_the_resource_version() -> None:
    """It is not among the bytes, whatever was in the object."""
    value = objects.value_of({"metadata": {"name": "a", "resourceVersion": "5"}})

    assert b'{"metadata":{"name":"a"}}' == value
    assert "7" == objects.loaded(stored())["metadata"]["resourceVersion"]
    assert "7" == objects.shown(ROLE, stored()).resource_version


@pytest.mark.parametrize("padding", [0, 20_000])
def test_small_objects_are_shown_once_for_all(padding: int) -> None:
    """The message is the identical one; of big ones none is kept."""
    one = stored(padding=padding)

    assert (padding == 0) == (objects.shown(ROLE, one) is objects.shown(ROLE, one))
    assert objects.shown(ROLE, one) == objects.message(ROLE, objects.loaded(one))
    assert objects.selectable(one) == objects.loaded(one)
