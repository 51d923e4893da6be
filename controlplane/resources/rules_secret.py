"""The rules for Secrets.

In: a Secret in its normal form. Out: what it defaults to, and every rule it breaks. Law: rules and sentences of
kube-apiserver's v1; what a Secret holds is in no message.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Final

from controlplane.resources import formats, metadata
from controlplane.resources.cause import Cause, forbidden, invalid, required, too_long
from controlplane.resources.values import JsonObject, same

_LIMIT: Final = 1024 * 1024
_ACCOUNT_NAME: Final = "kubernetes.io/service-account.name"
_SET: Final = "field is immutable when `immutable` is set"
_JSON_KEYS: Final[Mapping[str, str]] = {
    "kubernetes.io/dockercfg": ".dockercfg",
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
}


def default(obj: JsonObject) -> None:
    """Fills in the type, and moves stringData into data."""
    if not obj.get("type"):
        obj["type"] = "Opaque"
    if texts := obj.pop("stringData", None):
        given = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
        obj["data"] = dict(sorted({**obj.get("data", {}), **given}.items()))


def check(obj: JsonObject) -> Iterator[Cause]:
    """Every rule that a Secret breaks."""
    yield from metadata.core_object_meta(obj["metadata"], metadata.subdomain_name, namespaced=True)
    data = obj.get("data", {})
    for key in data:
        yield from (invalid(f"data[{key}]", key, defect) for defect in formats.config_key(key))
    if sum(len(base64.b64decode(value)) for value in data.values()) > _LIMIT:
        yield too_long("data", _LIMIT)
    yield from _of_type(obj, data)


def check_update(obj: JsonObject, old: JsonObject) -> Iterator[Cause]:
    """Every rule that a change of a Secret breaks."""
    yield from metadata.object_meta_update(obj["metadata"], old["metadata"])
    yield from metadata.immutable("type", obj.get("type", ""), old.get("type", ""))
    if old.get("immutable"):
        if not obj.get("immutable"):
            yield forbidden("immutable", _SET)
        if not same(obj.get("data"), old.get("data")):
            yield forbidden("data", _SET)
    yield from check(obj)


def _of_type(obj: JsonObject, data: Mapping[str, str]) -> Iterator[Cause]:
    match obj.get("type"):
        case "kubernetes.io/service-account-token":
            if not obj["metadata"].get("annotations", {}).get(_ACCOUNT_NAME):
                yield required(f"metadata.annotations[{_ACCOUNT_NAME}]")
        case "kubernetes.io/dockercfg" | "kubernetes.io/dockerconfigjson" as kind:
            yield from _json_object(data, _JSON_KEYS[kind])
        case "kubernetes.io/basic-auth":
            if "username" not in data and "password" not in data:
                yield required("data[username]")
                yield required("data[password]")
        case "kubernetes.io/ssh-auth":
            if not data.get("ssh-privatekey"):
                yield required("data[ssh-privatekey]")
        case "kubernetes.io/tls":
            yield from (required(f"data[{key}]") for key in ("tls.crt", "tls.key") if key not in data)


def _json_object(data: Mapping[str, str], key: str) -> Iterator[Cause]:
    if key not in data:
        yield required(f"data[{key}]")
        return
    try:
        valid = isinstance(json.loads(base64.b64decode(data[key])), dict | None)
    except ValueError:
        valid = False
    if not valid:
        yield invalid(f"data[{key}]", "<secret contents redacted>", "must be a JSON object")
