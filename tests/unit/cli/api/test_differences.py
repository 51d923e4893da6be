"""What an apply would change, as text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from controlplane.api.v1 import config_pb2
from controlplane.cli.api.differences import difference
from controlplane.cli.api.manifests import Manifest
from controlplane.resources.kinds import KINDS

Made = Callable[..., config_pb2.Object]
Written = config_pb2.Written


def manifest(kind: str, namespace: str, name: str) -> Manifest:
    """The manifest of an object."""
    return Manifest("a.yaml", KINDS[kind], namespace, name, "{}")


def role(made: Made, verb: str) -> config_pb2.Object:
    """A Role that allows something."""
    rules = [{"verbs": [verb], "apiGroups": [""], "resources": ["things"]}]
    return made("Role", metadata={"name": "r", "namespace": "n"}, rules=rules)


def secret(made: Made, **data: str) -> config_pb2.Object:
    """A Secret."""
    return made("Secret", metadata={"name": "s", "namespace": "n"}, stringData=data)


def test_what_would_change_is_a_unified_diff(made: Made) -> None:
    """Of the object's YAML, with kubectl's names for both sides."""
    lines = difference(manifest("Role", "n", "r"), role(made, "get"), Written(object=role(made, "list")))

    assert ("--- LIVE/rbac.authorization.k8s.io.v1.Role.n.r", "+++ MERGED/rbac.authorization.k8s.io.v1.Role.n.r") == (
        lines[:2]
    )
    assert {"-  - get", "+  - list"} == {line for line in lines[2:] if line[0] in "+-"}


def test_nothing_that_would_change_is_no_line(made: Made) -> None:
    """Who manages which field is compared when that is asked for alone."""
    before, after, other = (role(made, "get") for _ in range(3))
    obj = json.loads(other.json)
    obj["metadata"]["managedFields"][0]["manager"] = "me"
    other.json = json.dumps(obj)
    changed = Written(object=other, outcome=Written.OUTCOME_CHANGED)

    assert () == difference(manifest("Role", "n", "r"), before, Written(object=after))
    assert () == difference(manifest("Role", "n", "r"), before, changed)
    assert "+    manager: me" in difference(manifest("Role", "n", "r"), before, changed, managed_fields=True)


def test_a_new_object_is_all_new(made: Made) -> None:
    """Without what would be another each time; a status is never compared."""
    api: dict[str, Any] = {"status": {"conditions": [{"type": "Available", "status": "True"}]}}
    new = made("APIService", **api)
    lines = difference(manifest("APIService", "", new.reference.name), None, Written(object=new))

    assert f"+++ MERGED/apiregistration.k8s.io.v1.APIService..{new.reference.name}" == lines[1]
    assert "+kind: APIService" in lines
    assert not any("uid" in line or "creationTimestamp" in line or "conditions" in line for line in lines)
    assert not any(line.startswith("-") for line in lines[2:])
    assert () == difference(manifest("APIService", "", "x"), made("APIService"), Written(object=new))


def test_a_secret_shows_sizes(made: Made) -> None:
    """A change that changes no size is said, and none is none."""
    where = manifest("Secret", "n", "s")
    longer = difference(where, secret(made, a="1234"), Written(object=secret(made, a="12345")))
    same = secret(made, a="1234")
    other = difference(where, secret(made, a="1234"), Written(object=same, outcome=Written.OUTCOME_CHANGED))

    assert {"-  a: '*** 4 bytes'", "+  a: '*** 5 bytes'"} == {line for line in longer[2:] if line[0] in "+-"}
    assert {"-  a: '*** 4 bytes (before)'", "+  a: '*** 4 bytes (after)'"} == {
        line for line in other[2:] if line[0] in "+-"
    }
    assert () == difference(where, secret(made, a="1234"), Written(object=same, outcome=Written.OUTCOME_UNCHANGED))
