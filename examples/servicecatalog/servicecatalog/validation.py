"""Checking and pruning of objects by their schema.

In go a decoded object and its schema; out come the causes that make it invalid, or the object without the fields
the schema does not know, and the list of those fields.
The law: nothing outside the schema is ever stored, and every defect is reported, not only the first.
"""

from collections.abc import Iterator

from servicecatalog.names import label_key_defect, label_value_defect, name_defect
from servicecatalog.resources import Resource
from servicecatalog.schemas import JsonObject, JsonValue, resolve
from servicecatalog.status import Cause, forbidden_value, invalid_value, required, unsupported_value

_PYTHON: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
}
_ANNOTATIONS_LIMIT = 256 * 1024


def _has_type(value: object, wanted: str) -> bool:
    if isinstance(value, bool) and wanted != "boolean":
        return False
    return isinstance(value, _PYTHON[wanted])


def _type_name(value: object) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def schema_causes(value: JsonValue, schema: JsonObject, path: str) -> Iterator[Cause]:
    """Every place where a value breaks its schema: type, required field, closed set of values."""
    schema = resolve(schema)
    if not _has_type(value, schema["type"]):
        shown = _type_name(value)
        yield invalid_value(path, shown, f'{path} in body must be of type {schema["type"]}: "{shown}"')
        return
    if "enum" in schema and value not in schema["enum"]:
        yield unsupported_value(path, value, schema["enum"])
    for name in schema.get("required", ()):
        if name not in value:
            yield required(f"{path}.{name}" if path else name)
    if "items" in schema:
        for index, item in enumerate(value):
            yield from schema_causes(item, schema["items"], f"{path}[{index}]")
    if schema["type"] != "object":
        return
    for name, inner in value.items():
        rule = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
        if rule is not None:
            yield from schema_causes(inner, rule, f"{path}.{name}" if path else name)


def prune(value: JsonValue, schema: JsonObject, path: str = "") -> tuple[JsonValue, tuple[str, ...]]:
    """The value without nulls and unknown fields, and the paths of the unknown fields in order.

    Values of the wrong type are left for `schema_causes` to report.
    """
    schema = resolve(schema)
    unknown: list[str] = []
    if isinstance(value, list) and "items" in schema:
        kept_items = []
        for index, item in enumerate(value):
            kept, found = prune(item, schema["items"], f"{path}[{index}]")
            kept_items.append(kept)
            unknown.extend(found)
        return kept_items, tuple(unknown)
    if not isinstance(value, dict) or ("properties" not in schema and "additionalProperties" not in schema):
        return value, ()
    kept_fields: JsonObject = {}
    for name, inner in value.items():
        inner_path = f"{path}.{name}" if path else name
        rule = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
        if rule is None:
            unknown.append(inner_path)
        elif inner is not None:
            kept_fields[name], found = prune(inner, rule, inner_path)
            unknown.extend(found)
    return kept_fields, tuple(unknown)


def object_causes(resource: Resource, obj: JsonObject, live: JsonObject | None) -> tuple[Cause, ...]:
    """Everything wrong with an object that is about to be stored; `live` is None when it is created."""
    causes = [*_metadata_causes(obj["metadata"]), *schema_causes(obj, resource.schema, "")]
    spec = obj.get("spec")
    if isinstance(spec, dict):
        causes.extend(_spec_causes(resource, spec))
        if live is not None:
            causes.extend(_immutable_causes(resource, spec, live.get("spec", {})))
    return tuple(causes)


def _spec_causes(resource: Resource, spec: JsonObject) -> Iterator[Cause]:
    for fields in resource.one_of:
        given = [name for name in fields if spec.get(name)]
        if not given:
            yield required(f"spec.{fields[0]}", f"exactly one of {', '.join(fields)} must be set")
        for extra in given[1:]:
            yield forbidden_value(f"spec.{extra}", f"may not be set together with {given[0]}")


def _immutable_causes(resource: Resource, spec: JsonObject, before: JsonObject) -> Iterator[Cause]:
    for name in resource.immutable:
        if spec.get(name) != before.get(name):
            yield invalid_value(f"spec.{name}", spec.get(name), "field is immutable")


def _metadata_causes(metadata: JsonObject) -> Iterator[Cause]:
    name = metadata.get("name", "")
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif name_defect(name):
        yield invalid_value("metadata.name", name, name_defect(name))
    for key, value in metadata.get("labels", {}).items():
        if label_key_defect(key):
            yield invalid_value("metadata.labels", key, label_key_defect(key))
        if label_value_defect(value):
            yield invalid_value("metadata.labels", value, label_value_defect(value))
    annotations = metadata.get("annotations", {})
    for key in annotations:
        if label_key_defect(key.lower()):
            yield invalid_value("metadata.annotations", key, label_key_defect(key.lower()))
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > _ANNOTATIONS_LIMIT:
        yield Cause(
            "FieldValueTooLong", f"Too long: may not be more than {_ANNOTATIONS_LIMIT} bytes", "metadata.annotations"
        )
    for finalizer in metadata.get("finalizers", ()):
        if label_key_defect(finalizer):
            yield invalid_value("metadata.finalizers", finalizer, label_key_defect(finalizer))
