"""Errors as one frozen value, which every network face translates in its own way.

In: what went wrong. Out: a `Status` with the code, reason, message and details of `meta/v1.Status`. Law: for the same
mistake the value says what kube-apiserver says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from controlplane.resources.cause import Cause
from controlplane.resources.values import JsonObject, quoted

OPTIMISTIC_LOCK = "the object has been modified; please apply your changes to the latest version and try again"


@dataclass(frozen=True, slots=True)
class Status:
    """A failure. `group`, `kind` (a kind for Invalid, else a resource) and `name` are the details, "" when not told.

    `current` is the resourceVersion in force, for a Conflict over a stale one; it is not part of the API's Status.
    """

    code: int
    reason: str
    message: str
    group: str = ""
    kind: str = ""
    name: str = ""
    causes: tuple[Cause, ...] = ()
    current: str = ""

    def as_json(self) -> JsonObject:
        """The body of an HTTP answer."""
        body: JsonObject = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        body["message"] = self.message
        if self.reason:
            body["reason"] = self.reason
        named = {"name": self.name, "group": self.group, "kind": self.kind}
        details: JsonObject = {key: value for key, value in named.items() if value}
        if self.causes:
            details["causes"] = [_cause(cause) for cause in self.causes]
        if details:
            body["details"] = details
        body["code"] = self.code
        return body


def bad_request(message: str) -> Status:
    """400: the request cannot be understood."""
    return Status(400, "BadRequest", message)


def not_found(group: str, resource: str, name: str) -> Status:
    """404: there is no such object."""
    return Status(404, "NotFound", f"{qualified(group, resource)} {quoted(name)} not found", group, resource, name)


def already_exists(group: str, resource: str, name: str) -> Status:
    """409: the name is taken."""
    message = f"{qualified(group, resource)} {quoted(name)} already exists"
    return Status(409, "AlreadyExists", message, group, resource, name)


def conflict(group: str, resource: str, name: str, why: str, *, current: str = "") -> Status:
    """409: the object is not in the state the caller thinks it is in."""
    message = f"Operation cannot be fulfilled on {qualified(group, resource)} {quoted(name)}: {why}"
    return Status(409, "Conflict", message, group, resource, name, current=current)


def apply_conflict(message: str, causes: Iterable[Cause]) -> Status:
    """409: another manager holds fields of the configuration with other values."""
    return Status(409, "Conflict", message, causes=tuple(causes))


def invalid_object(group: str, kind: str, name: str, causes: Iterable[Cause]) -> Status:
    """422: the object breaks rules of its kind; all of them are told, each once."""
    causes = tuple(dict.fromkeys(causes))
    message = f"{qualified(group, kind)} {quoted(name)} is invalid: {listed(map(str, causes))}"
    return Status(422, "Invalid", message, group, kind, name, causes)


def too_large(message: str) -> Status:
    """413: the request or the object is too big."""
    return Status(413, "RequestEntityTooLarge", f"Request entity too large: {message}")


def failed(message: str) -> Status:
    """500 without a reason: what kube-apiserver answers where it has no better word."""
    return Status(500, "", message)


def listed(sentences: Iterable[str]) -> str:
    """Several sentences as one: in brackets, unless there is just one."""
    sentences = list(sentences)
    return sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"


def qualified(group: str, resource: str) -> str:
    """A resource or kind with its group, as messages name it: roles.rbac.authorization.k8s.io."""
    return f"{resource}.{group}" if group else resource


def _cause(cause: Cause) -> JsonObject:
    named = {"reason": cause.reason, "message": cause.message, "field": cause.field}
    return {key: value for key, value in named.items() if value}
