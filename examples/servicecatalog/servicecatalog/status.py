"""Kubernetes Status objects: how every refused request is answered.

In go a resource, a name and a reason; out comes a StatusError that knows its code and its body.
The law: the words are kube-apiserver's, since clients match on them. A StatusError is the one way a request ends
early, and it is turned into a reply in one place (handlers.front).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from servicecatalog.resources import GROUP, Resource
from servicecatalog.schemas import JsonObject


@dataclass(frozen=True, slots=True)
class Cause:
    """One defect of an object: a reason word, a sentence, and the path of the field."""

    reason: str
    message: str
    field: str

    def body(self) -> JsonObject:
        """The cause as Status.details.causes holds it."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


def required(field: str, detail: str = "") -> Cause:
    """The cause for a field that must be set and is not."""
    return Cause("FieldValueRequired", f"Required value: {detail}" if detail else "Required value", field)


def invalid_value(field: str, value: object, detail: str) -> Cause:
    """The cause for a field that has a value it must not have."""
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return Cause("FieldValueInvalid", f"Invalid value: {shown}: {detail}", field)


def forbidden_value(field: str, detail: str) -> Cause:
    """The cause for a field that must not be set here."""
    return Cause("FieldValueForbidden", f"Forbidden: {detail}", field)


def unsupported_value(field: str, value: object, supported: Iterable[str]) -> Cause:
    """The cause for a value outside a closed set."""
    choices = ", ".join(f'"{choice}"' for choice in supported)
    return Cause("FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {choices}', field)


class StatusError(Exception):
    """A request that cannot be served; carries the HTTP code and the Status body of its reply."""

    def __init__(self, code: int, reason: str, message: str, details: JsonObject | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def body(self) -> JsonObject:
        """The failure as a `v1` Status object."""
        status: JsonObject = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        status |= {"message": self.message, "reason": self.reason}
        if self.details is not None:
            status["details"] = self.details
        return {**status, "code": self.code}


def success(resource: Resource, name: str, uid: str) -> JsonObject:
    """The Status body of a finished deletion."""
    details = {"name": name, "group": GROUP, "kind": resource.plural, "uid": uid}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _about(resource: Resource, name: str) -> JsonObject:
    return {"name": name, "group": GROUP, "kind": resource.plural}


def bad_request(message: str) -> StatusError:
    """400: the request cannot be understood."""
    return StatusError(400, "BadRequest", message)


def unauthorized() -> StatusError:
    """401: the caller is not a trusted front proxy, or names no user."""
    return StatusError(401, "Unauthorized", "Unauthorized")


def unknown_path() -> StatusError:
    """404: nothing is served at this path."""
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def not_found(resource: Resource, name: str) -> StatusError:
    """404: no object of that name."""
    return StatusError(404, "NotFound", f'{resource.qualified} "{name}" not found', _about(resource, name))


def method_not_allowed() -> StatusError:
    """405: the path exists, this verb on it does not."""
    message = "the server does not allow this method on the requested resource"
    return StatusError(405, "MethodNotAllowed", message, {})


def not_acceptable(served: str) -> StatusError:
    """406: the client reads none of the media types that are written here."""
    return StatusError(406, "NotAcceptable", f"only the following media types are accepted: {served}")


def already_exists(resource: Resource, name: str) -> StatusError:
    """409: the name is taken."""
    message = f'{resource.qualified} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, _about(resource, name))


def conflict(resource: Resource, name: str, why: str) -> StatusError:
    """409: the object is not the one the client decided about."""
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return StatusError(409, "Conflict", message, _about(resource, name))


def modified(resource: Resource, name: str) -> StatusError:
    """409: the client's resourceVersion is not the current one."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(resource, name, why)


def expired(message: str) -> StatusError:
    """410: the version asked for is no longer held."""
    return StatusError(410, "Expired", message)


def too_large(limit: int) -> StatusError:
    """413: the body is longer than `limit` bytes."""
    return StatusError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


def unsupported_media_type(accepted: Iterable[str]) -> StatusError:
    """415: the body is in a format that is not read here."""
    choices = ", ".join(accepted)
    message = f"the body of the request was in an unknown format - accepted media types include: {choices}"
    return StatusError(415, "UnsupportedMediaType", message)


def invalid(kind: str, name: str, causes: Iterable[Cause], group: str = GROUP) -> StatusError:
    """422: the object, or the options named by `kind`, break a rule; every cause is listed."""
    found = tuple(causes)
    shown = [f"{cause.field}: {cause.message}" for cause in found]
    listed = shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"
    details = {"name": name, "group": group, "kind": kind, "causes": [cause.body() for cause in found]}
    return StatusError(422, "Invalid", f'{kind}.{group} "{name}" is invalid: {listed}', details)


def invalid_options(kind: str, causes: Iterable[Cause]) -> StatusError:
    """422: the query asks for something that does not exist or does not go together."""
    return invalid(kind, "", causes, group="meta.k8s.io")


def internal_error(audit_id: str) -> StatusError:
    """500: the server failed; the audit ID finds the log line, the reply says nothing else."""
    message = f"Internal error occurred: see the server log for request {audit_id}"
    return StatusError(500, "InternalError", message)


def from_the_future(wanted: int, current: int) -> StatusError:
    """504: the client has seen a version this server has not reached."""
    message = f"Too large resource version: {wanted}, current: {current}"
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    return StatusError(504, "Timeout", message, {"causes": causes, "retryAfterSeconds": 1})
