from __future__ import annotations

import copy
from typing import Any

import pytest

from controlplane.resources.schemas import SCHEMAS
from controlplane.resources.strategic import UnmergeableError, strategic_merge

SERVICE = SCHEMAS["Service"]
LIVE = {"metadata": {"finalizers": ["a"]}, "spec": {"ports": [{"port": 1}, {"port": 2, "name": "x"}], "type": "T"}}


def ports(patch: list[Any], **directives: Any) -> list[Any]:  # noqa: ANN401 - any JSON
    """The ports after a patch of them."""
    merged = strategic_merge(LIVE, {"spec": {"ports": patch, **directives}}, SERVICE)
    result: list[Any] = merged["spec"]["ports"]
    return result


def test_entries_merge_by_their_key() -> None:
    """A port is merged into the one of its number, a new one comes where the patch has it, others keep their place."""
    before = copy.deepcopy(LIVE)

    expected = [{"port": 3}, {"port": 1}, {"port": 2, "name": "x", "nodePort": 5}]
    assert expected == ports([{"port": 3}, {"port": 2, "nodePort": 5}])
    assert before == LIVE


def test_directives_delete_replace_and_order() -> None:
    """The $-directives do what Kubernetes says."""
    order = {"$setElementOrder/ports": [{"port": 2}, {"port": 1}]}
    finalizers = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["b"]}}

    assert [{"port": 2, "name": "x"}] == ports([{"port": 1, "$patch": "delete"}])
    assert [{"port": 9}] == ports([{"$patch": "replace"}, {"port": 9}])
    assert [2, 1] == [port["port"] for port in ports([{"port": 1}], **order)]
    assert ["b"] == strategic_merge(LIVE, finalizers, SERVICE)["metadata"]["finalizers"]
    assert {"type": "U"} == strategic_merge(LIVE, {"spec": {"$retainKeys": ["type"], "type": "U"}}, SERVICE)["spec"]
    assert {"type": "U"} == strategic_merge(LIVE, {"spec": {"$patch": "replace", "type": "U"}}, SERVICE)["spec"]


@pytest.mark.parametrize(
    "patch",
    [{"spec": {"ports": [{"name": "x"}]}}, {"spec": {"ports": [3]}}, {"$patch": "x"}, {"$retainKeys": 1}],
)
def test_what_cannot_be_merged_is_refused(patch: dict[str, Any]) -> None:
    """An entry without its key and a directive that is none are told."""
    with pytest.raises(UnmergeableError):
        strategic_merge(LIVE, patch, SERVICE)
