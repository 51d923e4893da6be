"""The OpenAPI document: complete, closed, and fit for what kubectl reads from it."""

from collections.abc import Iterator

import pytest
from servicecatalog.openapi import openapi_document, openapi_index
from servicecatalog.resources import GROUP, RESOURCES, VERSION, Resource
from servicecatalog.schemas import REF_PREFIX, JsonObject, JsonValue

DOCUMENT = openapi_document()


def references(value: JsonValue) -> Iterator[str]:
    """Every `$ref` within a value."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def operations() -> list[tuple[str, str, JsonObject]]:
    """Every operation with its path and method."""
    return [
        (path, method, operation)
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]


def test_every_reference_has_a_target() -> None:
    """No `$ref` points outside the document."""
    missing = {
        ref for ref in references(DOCUMENT) if ref.removeprefix(REF_PREFIX) not in DOCUMENT["components"]["schemas"]
    }

    assert missing == set()


def test_operation_ids_are_unique() -> None:
    """An operation ID names one operation."""
    ids = [operation["operationId"] for _, _, operation in operations()]

    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.plural)
def test_patch_names_its_kind_and_honours_the_write_parameters(resource: Resource) -> None:
    """The client (kubectl) asks the PATCH operation of a kind whether dryRun and fieldValidation are supported."""
    kind = {"group": GROUP, "version": VERSION, "kind": resource.kind}
    found = [
        {parameter["name"] for parameter in operation["parameters"]}
        for _, method, operation in operations()
        if method == "patch" and operation["x-kubernetes-group-version-kind"] == kind
    ]

    assert len(found) == 2
    assert all({"dryRun", "fieldValidation", "fieldManager", "force"} <= names for names in found)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.plural)
def test_the_schema_of_a_kind_is_found_by_its_kind(resource: Resource) -> None:
    """`kubectl explain` looks a schema up by the group-version-kind it carries."""
    kind = {"group": GROUP, "version": VERSION, "kind": resource.kind}
    carriers = [
        schema
        for schema in DOCUMENT["components"]["schemas"].values()
        if kind in schema.get("x-kubernetes-group-version-kind", [])
    ]

    assert len(carriers) == 1
    assert {"apiVersion", "kind", "metadata", "spec", "status"} == set(carriers[0]["properties"])


def test_path_parameters_are_declared() -> None:
    """Every placeholder of a path is a required path parameter."""
    for path, item in DOCUMENT["paths"].items():
        placeholders = {part[1:-1] for part in path.split("/") if part.startswith("{")}

        assert {parameter["name"] for parameter in item.get("parameters", [])} == placeholders


def test_strategic_merge_patch_is_not_offered() -> None:
    """A client (kubectl apply) falls back to a merge patch, since the document does not list the strategic one."""
    types = {
        media
        for _, method, operation in operations()
        if method == "patch"
        for media in operation["requestBody"]["content"]
    }

    assert types == {"application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"}


def test_the_index_carries_the_hash() -> None:
    """The address in the index changes with the document."""
    url = openapi_index("ABC")["paths"]["apis/servicecatalog.k8s.io/v1beta1"]["serverRelativeURL"]

    assert url == "/openapi/v3/apis/servicecatalog.k8s.io/v1beta1?hash=ABC"
