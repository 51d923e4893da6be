"""Objects as rows of a `meta.k8s.io/v1` Table, and as their metadata alone.

In go objects and the time; out come Table and PartialObjectMetadata bodies.
The law: the first column is the name and the last the age, so that kubectl prints every kind alike; cells are text,
and an age is rounded exactly as kubectl rounds it.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from typing import Final

from servicecatalog.resources import Resource
from servicecatalog.schemas import COMPONENTS, META, JsonObject
from servicecatalog.status import bad_request

META_V1: Final = "meta.k8s.io/v1"
_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_YEAR: Final = 365 * _DAY


class IncludeObject(Enum):
    """What each row carries beside its cells."""

    NONE = "None"
    METADATA = "Metadata"
    OBJECT = "Object"


def parse_include_object(text: str) -> IncludeObject:
    """The `includeObject` query parameter; Metadata when it is empty.

    Raises:
        StatusError: 400.
    """
    try:
        return IncludeObject(text or "Metadata")
    except ValueError as error:
        raise bad_request(f'unrecognized includeObject value: "{text}"') from error


def table(
    resource: Resource,
    objects: Iterable[JsonObject],
    list_metadata: JsonObject,
    *,
    include: IncludeObject,
    now: datetime,
    headers: bool = True,
) -> JsonObject:
    """A Table of the objects; without `headers` it has no column definitions (later events of a watch)."""
    rows: list[JsonObject] = []
    for obj in objects:
        row: JsonObject = {"cells": _cells(resource, obj, now)}
        if include is IncludeObject.METADATA:
            row["object"] = partial(obj)
        elif include is IncludeObject.OBJECT:
            row["object"] = obj
        rows.append(row)
    body: JsonObject = {"kind": "Table", "apiVersion": META_V1, "metadata": list_metadata}
    return {**body, "columnDefinitions": _definitions(resource) if headers else [], "rows": rows}


def partial(obj: JsonObject) -> JsonObject:
    """The object as PartialObjectMetadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": META_V1, "metadata": obj["metadata"]}


def partial_list(objects: Iterable[JsonObject], list_metadata: JsonObject) -> JsonObject:
    """The objects as PartialObjectMetadataList."""
    items = [partial(obj) for obj in objects]
    return {"kind": "PartialObjectMetadataList", "apiVersion": META_V1, "metadata": list_metadata, "items": items}


def age(seconds: int) -> str:
    """A duration as kubectl prints it: two units where the first is small, one where it is large."""
    if seconds < 0:
        return "<invalid>" if seconds < -1 else "0s"
    if seconds < 2 * _MINUTE:
        return f"{seconds}s"
    if seconds < 10 * _MINUTE:
        return _two(seconds, _MINUTE, "m", 1, "s")
    if seconds < 3 * _HOUR:
        return f"{seconds // _MINUTE}m"
    if seconds < 8 * _HOUR:
        return _two(seconds, _HOUR, "h", _MINUTE, "m")
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR}h"
    if seconds < 8 * _DAY:
        return _two(seconds, _DAY, "d", _HOUR, "h")
    if seconds < 2 * _YEAR:
        return f"{seconds // _DAY}d"
    if seconds < 8 * _YEAR:
        return _two(seconds, _YEAR, "y", _DAY, "d")
    return f"{seconds // _YEAR}y"


def _two(seconds: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    whole, rest = divmod(seconds, large)
    return f"{whole}{large_unit}{rest // small}{small_unit}" if rest // small else f"{whole}{large_unit}"


def _cells(resource: Resource, obj: JsonObject, now: datetime) -> list[str]:
    metadata = obj["metadata"]
    created = metadata.get("creationTimestamp")
    elapsed = age(int((now - datetime.fromisoformat(created)).total_seconds())) if created else "<unknown>"
    return [metadata["name"], *(column.cell(obj) for column in resource.columns), elapsed]


def _definitions(resource: Resource) -> list[JsonObject]:
    described = COMPONENTS[META + "ObjectMeta"]["properties"]
    middle = [_definition(column.name, column.description) for column in resource.columns]
    name = _definition("Name", described["name"]["description"], "name")
    return [name, *middle, _definition("Age", described["creationTimestamp"]["description"])]


def _definition(name: str, description: str, form: str = "") -> JsonObject:
    return {"name": name, "type": "string", "format": form, "description": description, "priority": 0}
