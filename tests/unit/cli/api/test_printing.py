"""Objects as JSON, YAML and names."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import yaml

from controlplane.api.v1 import config_pb2
from controlplane.cli.api import printing
from controlplane.resources.kinds import KINDS

Make = Callable[..., config_pb2.Object]


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_says_the_same(kind: str, made: Make) -> None:
    """What JSON and YAML say is the object, whatever the form."""
    obj = printing.plain(made(kind), managed_fields=True)

    assert obj == json.loads(made(kind).json)
    assert obj == json.loads(printing.as_json(obj))
    assert obj == json.loads(printing.as_line(obj))
    assert obj == yaml.safe_load(printing.as_yaml(obj))


def test_who_manages_which_field_is_left_out(made: Make) -> None:
    """Unless somebody asks."""
    item = made("Role")
    item.json = json.dumps({**json.loads(item.json), "metadata": {"name": "a", "managedFields": [{}]}})

    assert {"name": "a"} == printing.plain(item, managed_fields=False)["metadata"]
    assert {"name": "a", "managedFields": [{}]} == printing.plain(item, managed_fields=True)["metadata"]


def test_keys_are_sorted() -> None:
    """Whatever order the server writes them in, at every depth."""
    value = {"b": [{"d": "é", "c": 1}], "a": {"f": None, "e": True}}

    assert '{"a":{"e":true,"f":null},"b":[{"c":1,"d":"é"}]}' == printing.as_line(value)
    assert [1, 3, 4, 7] == [printing.as_json(value).split("\n").index(line) for line in (
        '    "a": {', '        "f": null', '    },', '            "c": 1,',
    )]  # fmt: skip
    assert 'a:\n  e: true\n  f: null\nb:\n- c: 1\n  d: "\\xE9"' == printing.as_yaml(value)


def test_nothing_that_a_terminal_obeys_is_printed() -> None:
    """Neither controls, which JSON allows above ASCII, nor what turns the direction of writing; values stay."""
    value = {"a": "\x1b[2J\x7f\x9b2J\u2028\u202e\u2066é"}

    for text in (printing.as_json(value), printing.as_line(value), printing.as_yaml(value)):
        assert text.replace("\n", "").isprintable()
        assert value == yaml.safe_load(text)
    assert value == json.loads(printing.as_json(value)) == json.loads(printing.as_line(value))


def test_several_objects_are_a_list() -> None:
    """Of the kind that kubectl gives it."""
    expected = {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": [{"a": 1}]}

    assert expected == printing.listed(iter([{"a": 1}]))


def test_a_name_has_its_type(made: Make) -> None:
    """As `delete` and `get` take it."""
    assert "apiservice.apiregistration.k8s.io/v1.example.com" == printing.name_of(made("APIService"))
