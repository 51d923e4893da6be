from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resource_cases import BASES

from controlplane.resources import operations
from controlplane.resources.finish import Written
from controlplane.resources.kinds import KINDS
from controlplane.resources.operations import Call, Target
from controlplane.resources.patch import Patch, PatchType
from controlplane.resources.status import Status

CALL = Call("2030-01-01T00:00:00Z", "uid", "abcde", "tester")
_NAMES = sorted(
    {name for kind in KINDS.values() for name in kind.schema.fields}
    | {
        name
        for kind in KINDS.values()
        for field in kind.schema.fields.values()
        for name in getattr(field.shape, "fields", ())
    }
    | {
        "port",
        "protocol",
        "verbs",
        "addresses",
        "uid",
        "op",
        "path",
        "from",
        "value",
        "$patch",
        "$setElementOrder/ports",
    }
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 70000)
    | st.sampled_from(["", "a", "TCP", "/metadata/labels", "add", "Role"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4),
    max_leaves=12,
)


def laid(base: Any, over: Any) -> Any:  # noqa: ANN401 - any JSON
    """The object with others' fields over it."""
    if isinstance(base, dict) and isinstance(over, dict):
        return {**base, **{name: laid(base.get(name), value) for name, value in over.items()}}
    return over


@pytest.mark.parametrize("kind", list(BASES))
@settings(max_examples=60, deadline=None)
@given(value=_JSON)
def test_nothing_that_is_sent_raises(kind: str, value: Any) -> None:  # noqa: ANN401 - any JSON
    """Whatever JSON a client sends, each operation gives a result or a refusal."""
    one = KINDS[kind]
    target = Target(one, "default" if one.namespaced else "", BASES[kind]["metadata"]["name"])
    made = operations.create(target, BASES[kind], CALL)
    assert isinstance(made, Written)
    live = copy.deepcopy(made.object)
    live["metadata"]["resourceVersion"] = "7"
    typed = {"apiVersion": one.api_version, "kind": kind, **BASES[kind]}
    results = [
        operations.create(target, value, CALL),
        operations.create(target, laid(BASES[kind], value), CALL),
        operations.update(target, live, laid(live, value), CALL),
        operations.apply(target, live, laid(typed, value), CALL, force=True),
        operations.apply(target, None, laid(typed, value), CALL),
        *(operations.patch(target, live, Patch(form, value), CALL) for form in PatchType),
        operations.patch(target, live, Patch(PatchType.JSON, [value]), CALL),
    ]

    assert all(isinstance(result, Written | Status) for result in results)
