"""The objects that are sent and come back: TokenReview and SubjectAccessReview, v1 and v1beta1.

In: a token, or a user and a RequestInfo; later the bytes of an answer. Out: JSON as kube-apiserver writes it; later the
status, or a sentence that says why it is none. Law: an answer that is not exactly the object asked for is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, TypeVar

import orjson

from controlplane.auth.selector import field_requirements, label_requirements
from controlplane.model.identity import RequestInfo, UserInfo
from controlplane.model.selector import Requirement

Version: TypeAlias = Literal["v1", "v1beta1"]

TOKEN_REVIEWS: Final = ("authentication.k8s.io", "tokenreviews")
ACCESS_REVIEWS: Final = ("authorization.k8s.io", "subjectaccessreviews")

T = TypeVar("T")

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class TokenStatus:
    """A TokenReviewStatus; `user` means something only when `authenticated` is set."""

    authenticated: bool
    user: UserInfo
    audiences: tuple[str, ...]
    error: str


@dataclass(frozen=True, slots=True)
class AccessStatus:
    """A SubjectAccessReviewStatus; neither allowed nor denied is no opinion."""

    allowed: bool
    denied: bool
    reason: str


class _UnfitError(ValueError):
    """The answer is not the object asked for; the text says what is wrong."""


def api_path(kind: tuple[str, str], version: Version) -> str:
    """The path at which an API server takes reviews of this kind (group and resource)."""
    return f"/apis/{kind[0]}/{version}/{kind[1]}"


def token_review(token: str, audiences: tuple[str, ...], version: Version) -> bytes:
    """A TokenReview that asks who `token` is, for these audiences (none: the server's own)."""
    spec: dict[str, object] = {"token": token}
    if audiences:
        spec["audiences"] = audiences
    return _review("TokenReview", TOKEN_REVIEWS[0], version, spec, {"user": {}})


def access_spec(user: UserInfo, info: RequestInfo) -> dict[str, Any]:
    """The SubjectAccessReviewSpec (v1) that asks whether `user` may; empty fields are left out, as in Go."""
    spec: dict[str, Any] = {}
    if info.is_resource_request:
        attributes: dict[str, object] = {
            "namespace": info.namespace,
            "verb": info.verb,
            "group": info.api_group,
            "version": info.api_version,
            "resource": info.resource,
            "subresource": info.subresource,
            "name": info.name,
            "fieldSelector": _selector(field_requirements(info.field_selector)),
            "labelSelector": _selector(label_requirements(info.label_selector)),
        }
        spec["resourceAttributes"] = _set(attributes)
    else:
        spec["nonResourceAttributes"] = _set({"path": info.path, "verb": info.verb})
    extra = {key: list(values) for key, values in user.extra}
    return spec | _set({"user": user.name, "groups": list(user.groups), "extra": extra, "uid": user.uid})


def access_review(spec: Mapping[str, object], version: Version) -> bytes:
    """A SubjectAccessReview of `spec`, which is a v1 spec for either version."""
    if version == "v1beta1":
        # The one field that was renamed.
        spec = {"group" if key == "groups" else key: value for key, value in spec.items()}
    return _review("SubjectAccessReview", ACCESS_REVIEWS[0], version, spec, {"allowed": False})


def read_token_review(body: bytes, version: Version) -> TokenStatus | str:
    """The status of the TokenReview `body`, or a sentence that says why it is none."""
    return _read(body, "TokenReview", f"{TOKEN_REVIEWS[0]}/{version}", _token_status)


def read_access_review(body: bytes, version: Version) -> AccessStatus | str:
    """The status of the SubjectAccessReview `body`, or a sentence that says why it is none."""
    return _read(body, "SubjectAccessReview", f"{ACCESS_REVIEWS[0]}/{version}", _access_status)


def encoded(document: object) -> bytes:
    """`document` as JSON; bytes that were not UTF-8 become U+FFFD, as Go's encoder makes them."""
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        return text.encode(errors="surrogateescape").decode(errors="replace").encode()


def _review(kind: str, group: str, version: Version, spec: Mapping[str, object], status: object) -> bytes:
    head = {"kind": kind, "apiVersion": f"{group}/{version}", "metadata": {}}
    return encoded({**head, "spec": spec, "status": status})


def _selector(requirements: tuple[Requirement, ...]) -> dict[str, object]:
    listed = [
        {"key": each.key, "operator": each.operator, **_set({"values": list(each.values)})} for each in requirements
    ]
    return {"requirements": listed} if listed else {}


def _set(values: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if value}


def _read(body: bytes, kind: str, api_version: str, read: Callable[[Mapping[str, Any]], T]) -> T | str:
    # A refusal must not get lost for how its reason is written: what is no Unicode is replaced, as Go does.
    text = body.decode("utf-8-sig", errors="replace")
    try:
        document = json.loads(text, object_pairs_hook=_joined, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return "the answer is not JSON"
    if not isinstance(document, Mapping):
        return "the answer is no JSON object"
    # What is left out is taken for what was asked, as client-go does.
    for key, wanted in (("kind", kind), ("apiVersion", api_version)):
        if (document.get(key) or wanted) != wanted:
            return f"the answer's {key} is not {wanted}"
    try:
        # Nothing in these is looked at, but an answer that is wrong there is not what was asked for.
        for part in ("metadata", "spec"):
            _mapping(document, part)
        return read(_mapping(document, "status"))
    except _UnfitError as error:
        return str(error)


def _joined(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these members as Go decodes it: of equal keys the last counts, but null, and objects add up."""
    joined: dict[str, Any] = {}
    for key, value in pairs:
        _put(joined, _unicode(key), value)
    return joined


def _put(into: dict[str, Any], key: str, value: object) -> None:
    before = into.get(key)
    if isinstance(before, dict) and isinstance(value, dict):
        # In place: a copy for each of many equal keys would take time that grows with the square of their number.
        for name, item in value.items():
            _put(before, name, item)
    elif value is not None or key not in into:
        into[key] = value


def _no_number(text: str) -> object:
    raise ValueError(f"{text} is no JSON")


def _unicode(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)


def _token_status(status: Mapping[str, Any]) -> TokenStatus:
    user = _mapping(status, "user")
    extra: dict[str, tuple[str, ...]] = {}
    given = _mapping(user, "extra")
    for key in given:
        extra[key.lower()] = (*extra.get(key.lower(), ()), *_texts(given, key))
    who = UserInfo(
        name=_text(user, "username"),
        uid=_text(user, "uid"),
        groups=_texts(user, "groups"),
        extra=tuple(sorted(extra.items())),
    )
    return TokenStatus(_flag(status, "authenticated"), who, _texts(status, "audiences"), _text(status, "error"))


def _access_status(status: Mapping[str, Any]) -> AccessStatus:
    _text(status, "evaluationError")
    return AccessStatus(_flag(status, "allowed"), _flag(status, "denied"), _text(status, "reason"))


def _mapping(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = values.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _UnfitError(f"the answer's {key} is no object")
    return value


def _text(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _UnfitError(f"the answer's {key} is no text")
    return _unicode(value)


def _texts(values: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = values.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _UnfitError(f"the answer's {key} is no list of texts")
    return tuple(map(_unicode, value))


def _flag(values: Mapping[str, Any], key: str) -> bool:
    value = values.get(key)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise _UnfitError(f"the answer's {key} is neither true nor false")
    return value
