"""JSON Patch and JSON Merge Patch, by the examples of their specifications."""

import pytest
from servicecatalog.patch import MAX_OPERATIONS, json_patch, merge_patch
from servicecatalog.schemas import JsonValue
from servicecatalog.status import StatusError


@pytest.mark.parametrize(
    ("document", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_gives_the_results_of_its_specification(
    document: JsonValue, patch: JsonValue, expected: JsonValue
) -> None:
    """The test cases of RFC 7386, appendix A, come out as printed there."""
    assert merge_patch(document, patch) == expected


@pytest.mark.parametrize(
    ("document", "operation", "expected"),
    [
        ({"foo": "bar"}, {"op": "add", "path": "/baz", "value": "qux"}, {"baz": "qux", "foo": "bar"}),
        ({"foo": ["bar", "baz"]}, {"op": "add", "path": "/foo/1", "value": "qux"}, {"foo": ["bar", "qux", "baz"]}),
        ({"foo": ["bar"]}, {"op": "add", "path": "/foo/-", "value": ["abc"]}, {"foo": ["bar", ["abc"]]}),
        ({"baz": "qux", "foo": "bar"}, {"op": "remove", "path": "/baz"}, {"foo": "bar"}),
        ({"foo": ["bar", "qux"]}, {"op": "remove", "path": "/foo/1"}, {"foo": ["bar"]}),
        ({"baz": "qux"}, {"op": "replace", "path": "/baz", "value": "boo"}, {"baz": "boo"}),
        ({"a": [1, 2]}, {"op": "replace", "path": "/a/0", "value": 3}, {"a": [3, 2]}),
        ({"a": 1}, {"op": "replace", "path": "", "value": {"b": 2}}, {"b": 2}),
        ({"a": {"w": 1}, "b": {}}, {"op": "move", "from": "/a/w", "path": "/b/t"}, {"a": {}, "b": {"t": 1}}),
        ({"foo": ["a", "b", "c"]}, {"op": "move", "from": "/foo/1", "path": "/foo/2"}, {"foo": ["a", "c", "b"]}),
        ({"a": {"x": 1}}, {"op": "copy", "from": "/a", "path": "/b"}, {"a": {"x": 1}, "b": {"x": 1}}),
        ({"/": 9, "~1": 10}, {"op": "test", "path": "/~01", "value": 10}, {"/": 9, "~1": 10}),
        ({"a/b": 1}, {"op": "remove", "path": "/a~1b"}, {}),
    ],
)
def test_json_patch_gives_the_results_of_its_specification(
    document: JsonValue, operation: JsonValue, expected: JsonValue
) -> None:
    """Every operation does what RFC 6902, appendix A, shows."""
    assert json_patch(document, [operation]) == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/b"},
        {"op": "replace", "path": "/b", "value": 1},
        {"op": "add", "path": "/b/c", "value": 1},
        {"op": "add", "path": "/a/c", "value": 1},
        {"op": "add", "path": "/list/3", "value": 1},
        {"op": "add", "path": "/list/01", "value": 1},
        {"op": "remove", "path": "/list/-"},
        {"op": "remove", "path": ""},
        {"op": "test", "path": "/a", "value": "1"},
        {"op": "test", "path": "/yes", "value": 1},
        {"op": "copy", "from": "/nowhere", "path": "/b"},
        {"op": "move", "from": "/deep", "path": "/deep/er"},
    ],
)
def test_an_operation_that_does_not_fit_is_unprocessable(operation: JsonValue) -> None:
    """A well formed operation that the document does not allow is 422 and changes nothing."""
    document = {"a": 1, "yes": True, "list": [1, 2], "deep": {"er": {}}}
    with pytest.raises(StatusError) as caught:
        json_patch(document, [{"op": "add", "path": "/new", "value": 1}, operation])

    assert caught.value.code == 422
    assert document == {"a": 1, "yes": True, "list": [1, 2], "deep": {"er": {}}}


@pytest.mark.parametrize(
    "patch",
    [
        {},
        [1],
        [{"op": "add"}],
        [{"op": "nope", "path": "/a"}],
        [{"op": "add", "path": "/a"}],
        [{"op": "remove", "path": "a"}],
    ],
)
def test_a_malformed_patch_is_a_bad_request(patch: JsonValue) -> None:
    """A patch that is not RFC 6902 is 400."""
    with pytest.raises(StatusError) as caught:
        json_patch({"a": 1}, patch)

    assert caught.value.code == 400


def test_a_patch_of_too_many_operations_is_too_large() -> None:
    """The number of operations is bounded, as in kube-apiserver."""
    with pytest.raises(StatusError) as caught:
        json_patch({"a": 1}, [{"op": "test", "path": "/a", "value": 1}] * (MAX_OPERATIONS + 1))

    assert caught.value.code == 413
