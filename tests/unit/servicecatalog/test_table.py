"""Tables: columns, cells and ages."""

from datetime import UTC, datetime

import pytest
from servicecatalog.resources import RESOURCES, Resource, find_resource
from servicecatalog.schemas import JsonObject
from servicecatalog.status import StatusError
from servicecatalog.table import IncludeObject, age, parse_include_object, partial, partial_list, table

NOW = datetime(2030, 1, 1, 0, 5, 30, tzinfo=UTC)
BROKER: JsonObject = {
    "apiVersion": "servicecatalog.k8s.io/v1beta1",
    "kind": "ClusterServiceBroker",
    "metadata": {"name": "b", "creationTimestamp": "2030-01-01T00:00:00Z"},
    "spec": {"url": "https://b"},
}


def brokers() -> Resource:
    """The ClusterServiceBroker resource."""
    found = find_resource("clusterservicebrokers")
    assert found is not None
    return found


def test_a_row_has_name_own_columns_and_age() -> None:
    """The cells follow the column definitions, name first and age last."""
    body = table(brokers(), [BROKER], {"resourceVersion": "7"}, include=IncludeObject.METADATA, now=NOW)

    assert [column["name"] for column in body["columnDefinitions"]] == ["Name", "URL", "Status", "Age"]
    assert body["columnDefinitions"][0]["format"] == "name"
    assert body["rows"] == [{"cells": ["b", "https://b", "Pending", "5m30s"], "object": partial(BROKER)}]
    assert body["metadata"] == {"resourceVersion": "7"}
    assert (body["kind"], body["apiVersion"]) == ("Table", "meta.k8s.io/v1")


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.plural)
def test_every_resource_prints_an_empty_object(resource: Resource) -> None:
    """Missing fields give empty cells, as many as there are columns."""
    body = table(resource, [{"metadata": {"name": "x"}}], {}, include=IncludeObject.NONE, now=NOW)

    assert len(body["rows"][0]["cells"]) == len(body["columnDefinitions"])
    assert "object" not in body["rows"][0]


def test_include_object_puts_the_whole_object_in_the_row() -> None:
    """With includeObject=Object a row carries the object itself."""
    body = table(brokers(), [BROKER], {}, include=IncludeObject.OBJECT, now=NOW, headers=False)

    assert body["rows"][0]["object"] == BROKER
    assert body["columnDefinitions"] == []


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ({}, "Pending"),
        ({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, "Ready"),
        ({"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "NoAnswer"}]}}, "NoAnswer"),
        ({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}, "NotReady"),
        ({"metadata": {"name": "b", "deletionTimestamp": "2030-01-01T00:00:00Z"}}, "Deleting"),
    ],
)
def test_the_status_column_tells_readiness(more: JsonObject, shown: str) -> None:
    """Ready, the reason why not, Pending before anyone has judged, Deleting at the end."""
    body = table(brokers(), [{**BROKER, **more}], {}, include=IncludeObject.NONE, now=NOW)

    assert body["rows"][0]["cells"][2] == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (599, "9m59s"),
        (600, "10m"),
        (10799, "179m"),
        (10800, "3h"),
        (28799, "7h59m"),
        (28800, "8h"),
        (172799, "47h"),
        (172800, "2d"),
        (176400, "2d1h"),
        (691200, "8d"),
        (63072000, "2y"),
        (63158400, "2y1d"),
        (252288000, "8y"),
    ],
)
def test_ages_are_rounded_as_kubectl_rounds_them(seconds: int, shown: str) -> None:
    """Small units disappear as the age grows."""
    assert age(seconds) == shown


def test_an_unknown_include_object_is_a_bad_request() -> None:
    """The parameter includeObject has a closed set of values."""
    with pytest.raises(StatusError) as caught:
        parse_include_object("Everything")

    assert caught.value.code == 400
    assert parse_include_object("") is IncludeObject.METADATA


def test_a_partial_list_holds_metadata_only() -> None:
    """PartialObjectMetadataList items have kind, version and metadata, nothing else."""
    body = partial_list([BROKER], {"resourceVersion": "7"})

    item = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": BROKER["metadata"]}
    assert body["items"] == [item]
    assert body["kind"] == "PartialObjectMetadataList"
