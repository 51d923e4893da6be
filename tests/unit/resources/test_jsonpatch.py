from __future__ import annotations

import copy
from typing import Any

import pytest

from controlplane.resources.jsonpatch import UnfitError, json_patch

DOCUMENT = {"a": {"b": [1, 2]}, "c~/d": True}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/a/b/1", "value": 9}, {"a": {"b": [1, 9, 2]}, "c~/d": True}),
        ({"op": "add", "path": "/a/b/-", "value": 9}, {"a": {"b": [1, 2, 9]}, "c~/d": True}),
        ({"op": "remove", "path": "/c~0~1d"}, {"a": {"b": [1, 2]}}),
        ({"op": "replace", "path": "/a/b", "value": 0}, {"a": {"b": 0}, "c~/d": True}),
        ({"op": "move", "from": "/a/b", "path": "/e"}, {"a": {}, "c~/d": True, "e": [1, 2]}),
        ({"op": "copy", "from": "/a/b/0", "path": "/a/x"}, {"a": {"b": [1, 2], "x": 1}, "c~/d": True}),
        ({"op": "test", "path": "/a/b/0", "value": 1}, DOCUMENT),
        ({"op": "test", "path": "/nothing", "value": None}, DOCUMENT),
    ],
)
def test_operations_do_what_rfc_6902_says(operation: dict[str, Any], expected: object) -> None:
    """Each operation gives its result and leaves the document given alone."""
    before = copy.deepcopy(DOCUMENT)

    assert expected == json_patch(DOCUMENT, [operation])
    assert before == DOCUMENT


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        ({"op": "test", "path": "/a/b/0", "value": True}, "testing value /a/b/0 failed: test failed"),
        ({"op": "remove", "path": "/x/y"}, "remove operation does not apply: doc is missing path: /x: missing value"),
        ({"op": "add", "path": "/a/b/7", "value": 1}, "Unable to access invalid index: 7: invalid index referenced"),
        ({"op": "leap", "path": "/a"}, "Unexpected kind: leap"),
        ({"op": "add", "path": "a", "value": 1}, "an operation needs a JSON pointer"),
    ],
)
def test_what_does_not_fit_is_refused(operation: dict[str, Any], why: str) -> None:
    """An operation that cannot be done says why."""
    with pytest.raises(UnfitError) as refused:
        json_patch(DOCUMENT, [operation])

    assert why == str(refused.value)
