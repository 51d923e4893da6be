"""Objects between the store and the API.

In: stored bytes and conditions, or an object to store. Out: the object with its resourceVersion, as messages; or bytes.
Law: what a Secret holds leaves the store for no client: its message tells keys and sizes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import orjson

from controlplane.api.v1 import config_pb2
from controlplane.configapi.conditions import Conditions, with_conditions
from controlplane.model.change import ObjectKey
from controlplane.resources.kinds import KINDS, Kind
from controlplane.resources.values import JsonObject
from controlplane.store.interface import Key, Stored

_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_BASE64_QUANTUM: Final = 4
# A hundred watchers are told of the same change; big objects are made anew for each, so memory stays bounded.
_KEPT: Final = 1024
_KEPT_BYTES: Final = 8 * 1024


def key_of(kind: Kind, namespace: str, name: str) -> Key:
    """Where the store has an object."""
    return Key(kind.resource, namespace, name)


def object_key(kind: Kind, key: Key) -> ObjectKey:
    """The same object's key in the pipeline."""
    return ObjectKey(kind.kind, key.namespace, key.name)


def loaded(stored: Stored) -> JsonObject:
    """The object, for whoever may change what comes out."""
    read: JsonObject = orjson.loads(stored.value)
    read["metadata"]["resourceVersion"] = str(stored.modified_revision)
    return read


def value_of(obj: JsonObject) -> bytes:
    """The bytes to store: without the resourceVersion, which is the store's own revision."""
    metadata = {name: value for name, value in obj["metadata"].items() if name != "resourceVersion"}
    return orjson.dumps({**obj, "metadata": metadata})


def shown(kind: Kind, stored: Stored, conditions: Conditions = ()) -> config_pb2.Object:
    """A stored object with its conditions, as a message that nobody may change."""
    if len(stored.value) <= _KEPT_BYTES:
        return _shown(kind.kind, stored, conditions)
    return message(kind, loaded(stored), conditions)


def selectable(stored: Stored) -> JsonObject:
    """A stored object, for selectors; nobody may change it."""
    return _loaded(stored) if len(stored.value) <= _KEPT_BYTES else loaded(stored)


def message(kind: Kind, obj: JsonObject, conditions: Conditions = ()) -> config_pb2.Object:
    """An object with its conditions as a message."""
    obj = with_conditions(obj, conditions)
    sizes: dict[str, int] = {}
    if kind.kind == "Secret":
        sizes = {key: _decoded_size(text) for key, text in (obj.get("data") or {}).items()}
        obj = _without_content(obj)
    metadata = obj["metadata"]
    return config_pb2.Object(
        reference=config_pb2.Reference(
            type=config_pb2.Type(api_version=kind.api_version, kind=kind.kind),
            namespace=metadata.get("namespace", ""),
            name=metadata.get("name", ""),
        ),
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        json=orjson.dumps(obj).decode(),
        secret_sizes=sizes,
    )


def _without_content(obj: JsonObject) -> JsonObject:
    metadata = dict(obj["metadata"])
    annotations = {key: text for key, text in (metadata.pop("annotations", None) or {}).items() if key != _LAST_APPLIED}
    if annotations:
        metadata["annotations"] = annotations
    return {key: value for key, value in obj.items() if key not in ("data", "stringData")} | {"metadata": metadata}


def _decoded_size(text: str) -> int:
    return len(text) // _BASE64_QUANTUM * 3 - text[-2:].count("=")


_loaded = lru_cache(maxsize=_KEPT)(loaded)


@lru_cache(maxsize=_KEPT)
def _shown(kind: str, stored: Stored, conditions: Conditions) -> config_pb2.Object:
    return message(KINDS[kind], _loaded(stored), conditions)
