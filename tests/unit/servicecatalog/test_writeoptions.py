"""Options of writes and deletions."""

import pytest
from servicecatalog.schemas import JsonObject
from servicecatalog.status import StatusError
from servicecatalog.writeoptions import (
    DeleteOptions,
    FieldValidation,
    WriteOptions,
    parse_delete_options,
    parse_write_options,
)


def test_the_defaults_warn_and_name_the_client() -> None:
    """Without parameters unknown fields are warned about, and the manager is the program of the User-Agent."""
    options = parse_write_options({}, "kubectl/v1.36.3 (linux/amd64)", kind="CreateOptions")

    assert options == WriteOptions(dry_run=False, manager="kubectl", field_validation=FieldValidation.WARN, force=False)


def test_all_parameters_are_read() -> None:
    """Each query parameter has its field."""
    query = {"dryRun": "All", "fieldManager": "me", "fieldValidation": "Strict", "force": "true"}
    options = parse_write_options(query, "", kind="PatchOptions", apply=True)

    assert options == WriteOptions(dry_run=True, manager="me", field_validation=FieldValidation.STRICT, force=True)


@pytest.mark.parametrize(
    ("query", "apply", "field"),
    [
        ({"dryRun": "Some"}, False, "dryRun"),
        ({"fieldValidation": "Loose"}, False, "fieldValidation"),
        ({"fieldManager": "a" * 129}, False, "fieldManager"),
        ({"fieldManager": "a\nb"}, False, "fieldManager"),
        ({}, True, "fieldManager"),
        ({"force": "true"}, False, "force"),
    ],
)
def test_an_option_that_does_not_exist_is_refused(query: dict[str, str], field: str, *, apply: bool) -> None:
    """A wrong value is 422, with a cause that names the parameter."""
    with pytest.raises(StatusError) as caught:
        parse_write_options(query, "", kind="PatchOptions", apply=apply)

    assert caught.value.code == 422
    assert caught.value.details is not None
    assert [cause["field"] for cause in caught.value.details["causes"]] == [field]


def test_delete_options_come_from_body_and_query() -> None:
    """Preconditions are in the body; dryRun may be in either place."""
    body: JsonObject = {"kind": "DeleteOptions", "preconditions": {"uid": "u", "resourceVersion": "7"}}

    expected = DeleteOptions(dry_run=True, uid="u", resource_version="7")
    assert parse_delete_options({"dryRun": "All", "propagationPolicy": "Foreground"}, body) == expected
    assert parse_delete_options({}, {**body, "dryRun": ["All"]}) == expected


@pytest.mark.parametrize(
    ("query", "body", "code"),
    [
        ({}, {"kind": "Pod"}, 400),
        ({}, {"preconditions": []}, 400),
        ({}, {"dryRun": "All"}, 400),
        ({}, {"dryRun": ["Some"]}, 422),
        ({"propagationPolicy": "Sideways"}, {}, 422),
        ({}, {"propagationPolicy": "Orphan", "orphanDependents": True}, 422),
    ],
)
def test_wrong_delete_options_are_refused(query: dict[str, str], body: JsonObject, code: int) -> None:
    """Malformed bodies are 400, values that do not exist 422."""
    with pytest.raises(StatusError) as caught:
        parse_delete_options(query, body)

    assert caught.value.code == code
