"""What the schemas of all kinds are made of, and the schema of `metadata`.

In: nothing. Out: scalars, ways to write fields, and METADATA. Law: forms, list keys and what is left out when empty are
those of meta/v1.
"""

from __future__ import annotations

from typing import Final

from controlplane.resources.schema import Field, Form, List, Map, Scalar, Shape, Struct

STRING: Final = Scalar(Form.STRING, "string")
BOOLEAN: Final = Scalar(Form.BOOLEAN, "bool")
INT32: Final = Scalar(Form.INT32, "int32")
INT64: Final = Scalar(Form.INT64, "int64")
BYTES: Final = Scalar(Form.BYTES, "[]uint8")
TIME: Final = Scalar(Form.TIME, "v1.Time")
STRINGS: Final = List("[]string", STRING)
STRING_MAP: Final = Map("map[string]string", STRING)


def named(go: str) -> Scalar:
    """A string type with a name of its own."""
    return Scalar(Form.STRING, go)


def always(shape: Shape) -> Field:
    """A field whose empty value is written."""
    return Field(shape, omit=False)


def pointer(shape: Shape) -> Field:
    """A field whose empty value differs from none."""
    return Field(shape, pointer=True)


_OWNER_REFERENCE: Final = Struct(
    "v1.OwnerReference",
    {
        "apiVersion": always(STRING),
        "kind": always(STRING),
        "name": always(STRING),
        "uid": always(named("types.UID")),
        "controller": pointer(BOOLEAN),
        "blockOwnerDeletion": pointer(BOOLEAN),
    },
    atomic=True,
)
_MANAGED_FIELDS: Final = Struct(
    "v1.ManagedFieldsEntry",
    {
        "manager": Field(STRING),
        "operation": Field(named("v1.ManagedFieldsOperationType")),
        "apiVersion": Field(STRING),
        "time": pointer(TIME),
        "fieldsType": Field(STRING),
        "fieldsV1": pointer(Scalar(Form.RAW, "v1.FieldsV1")),
        "subresource": Field(STRING),
    },
)
METADATA: Final = Struct(
    "v1.ObjectMeta",
    {
        "name": Field(STRING),
        "generateName": Field(STRING),
        "namespace": Field(STRING),
        "selfLink": Field(STRING),
        "uid": Field(named("types.UID")),
        "resourceVersion": Field(STRING),
        "generation": Field(INT64),
        "creationTimestamp": Field(TIME),
        "deletionTimestamp": pointer(TIME),
        "deletionGracePeriodSeconds": pointer(INT64),
        "labels": Field(STRING_MAP),
        "annotations": Field(STRING_MAP),
        "ownerReferences": Field(List("[]v1.OwnerReference", _OWNER_REFERENCE, keys=("uid",))),
        "finalizers": Field(List("[]string", STRING, unique=True)),
        "managedFields": Field(List("[]v1.ManagedFieldsEntry", _MANAGED_FIELDS)),
    },
)


def kind(go: str, **fields: Field) -> Struct:
    """A kind of object: what it is, its metadata, and the fields of its own."""
    known = {"apiVersion": Field(STRING), "kind": Field(STRING), "metadata": Field(METADATA)}
    return Struct(go, {**known, **fields})
