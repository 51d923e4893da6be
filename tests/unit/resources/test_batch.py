from __future__ import annotations

from functools import partial

from resource_cases import BASES

from controlplane.resources import operations
from controlplane.resources.batch import Refused, write_all
from controlplane.resources.kinds import KINDS
from controlplane.resources.operations import Call, Target

CALL = Call("2030-01-01T00:00:00Z", "u", manager="one")
ROLE = Target(KINDS["Role"], "default", "reader")
BASE = {"apiVersion": ROLE.kind.api_version, "kind": "Role", **BASES["Role"]}


def applying(config: dict[str, object], call: Call = CALL) -> partial:  # type: ignore[type-arg]  # of operations.apply
    """An apply that waits for the stored object."""
    return partial(lambda live: operations.apply(ROLE, live, config, call))


def test_writes_see_the_writes_before_them() -> None:
    """The second of two equal applies finds the first one's object and changes nothing."""
    results = write_all({}, [(ROLE, applying(BASE)), (ROLE, applying(BASE))])

    assert isinstance(results, tuple)
    assert [(True, True), (False, False)] == [(one.created, one.changed) for one in results]


def test_one_refusal_spoils_all() -> None:
    """The batch tells which write was refused and why, and gives no result."""
    refused = write_all({}, [(ROLE, applying(BASE)), (ROLE, applying({**BASE, "bogus": 1}))])

    assert isinstance(refused, Refused)
    assert 1 == refused.index
    assert refused.status.message.endswith(".bogus: field not declared in schema")
