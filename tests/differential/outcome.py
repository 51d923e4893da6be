"""What became of a request, told alike for both servers.

In: a request, its answer, and whether it arrived. Out: the words of a refusal or None, and how the request was read.
Law: what comes from behind kube-apiserver's authorization (admission, decoding, storage) is no refusal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from differential.exchange import Answer
from differential.requests import Request

from controlplane.auth.requestinfo import request_info
from controlplane.model.identity import RequestInfo

Refusal: TypeAlias = tuple[int, str]
"""The code, and all that is said."""

UNREADABLE = "failed to create RequestInfo"
# Isthmus answers these itself to whom it allows them.
_DISCOVERY = re.compile(r"/(?:|api|apis|apis/[^/?]+|openapi(?:/[^?]*)?|version)/?(?:\?.*)?")
# What kube-apiserver's authorization says; a 403 of admission says something else.
_FORBIDDEN = re.compile(r'forbidden: User ".*" cannot ')
_SEVERAL = re.compile(r"RBAC: \[(.*)\]")
_FIELDS = {
    "apiGroup": "api_group",
    "apiVersion": "api_version",
    "namespace": "namespace",
    "resource": "resource",
    "name": "name",
    "subresource": "subresource",
}


def kube_refusal(request: Request, answer: Answer) -> Refusal | None:
    """What kube-apiserver refuses with before it does anything; None when it lets the request through."""
    if _is_unreadable(request, answer):
        return (500, UNREADABLE)
    by_authorization = request.method == "HEAD" or _FORBIDDEN.search(answer.status_object.get("message", ""))
    if answer.code == 401 or (answer.code == 403 and by_authorization):
        return _words(request, answer)
    return None


def isthmus_refusal(request: Request, answer: Answer, *, arrived: bool) -> Refusal | None:
    """What Isthmus refuses with; None when the request arrived at the backend, or was answered with discovery."""
    if arrived or (answer.code in {200, 404, 503} and _DISCOVERY.fullmatch(request.target)):
        return None
    return (500, UNREADABLE) if _is_unreadable(request, answer) else _words(request, answer)


def read_by_kube(event: Mapping[str, Any] | None) -> dict[str, str] | None:
    """How an audit event says that its request was read; None where there is no event."""
    if event is None:
        return None
    reference = event.get("objectRef", {})
    return {"verb": event["verb"], **{name: reference[name] for name in _FIELDS if name in reference}}


def read_by_isthmus(request: Request) -> dict[str, str] | None:
    """The same of `request_info`."""
    info = request_info(request.method, request.target)
    if not isinstance(info, RequestInfo):
        return None
    fields = {name: getattr(info, field) for name, field in _FIELDS.items()}
    return {"verb": info.verb, **{name: value for name, value in fields.items() if value}}


def _is_unreadable(request: Request, answer: Answer) -> bool:
    # Kube-apiserver says it in plain words, Isthmus in a Status object.
    return answer.code == 500 and (request.method == "HEAD" or UNREADABLE in answer.text)


def _words(request: Request, answer: Answer) -> Refusal:
    if request.method == "HEAD":
        return (answer.code, "")
    # Missing roles are told in the order in which kube-apiserver happens to hold its bindings.
    message = _SEVERAL.sub(_sorted, answer.status_object.get("message", answer.text))
    return (answer.code, json.dumps({**answer.status_object, "message": message}, sort_keys=True))


def _sorted(found: re.Match[str]) -> str:
    return f"RBAC: {sorted(found[1].split(', '))}"
