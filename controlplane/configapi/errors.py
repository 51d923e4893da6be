"""Errors as gRPC says them.

In: a `Status`, or what a store raised. Out: a google.rpc.Status with details. Law: the whole stays below what gRPC
clients take of metadata (8 KiB): of what does not fit, the number is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from controlplane.resources.cause import Cause
from controlplane.resources.status import Status, qualified
from controlplane.store.interface import CompactedError, StoreError, TooLargeError

DOMAIN: Final = "isthmus.dev"
EXPIRED: Final = "Expired"
DEFINED_IN_MANIFESTS: Final = "DefinedInManifests"
UNDECIDED: Final = "Undecided"

_MESSAGE_LIMIT: Final = 1200
_DETAILS_LIMIT: Final = 2500
_FIELD_LIMIT: Final = 300
_CODES: Final = {
    "NotFound": code_pb2.NOT_FOUND,
    "AlreadyExists": code_pb2.ALREADY_EXISTS,
    "Conflict": code_pb2.ABORTED,
    DEFINED_IN_MANIFESTS: code_pb2.FAILED_PRECONDITION,
    UNDECIDED: code_pb2.FAILED_PRECONDITION,
    EXPIRED: code_pb2.OUT_OF_RANGE,
    "RequestEntityTooLarge": code_pb2.RESOURCE_EXHAUSTED,
    "Unauthorized": code_pb2.UNAUTHENTICATED,
    "Forbidden": code_pb2.PERMISSION_DENIED,
    "ServiceUnavailable": code_pb2.UNAVAILABLE,
    "InternalError": code_pb2.INTERNAL,
}


def of_store(error: StoreError) -> Status:
    """What a store's failure means to a caller."""
    match error:
        case CompactedError(oldest=oldest):
            return Status(410, EXPIRED, str(error), current=str(oldest))
        case TooLargeError():
            return Status(413, "RequestEntityTooLarge", f"Request entity too large: {error}")
    return Status(503, "ServiceUnavailable", str(error))


def error_of(status: Status, index: int | None = None) -> status_pb2.Status:
    """The error; `index` says which object of a batch it is about.

    What is no reason of the API is about what the client sent (a type error in a configuration): an invalid argument.
    """
    # Another manager's fields are no matter of trying again.
    apply_conflict = status.reason == "Conflict" and status.causes
    code = code_pb2.FAILED_PRECONDITION if apply_conflict else _CODES.get(status.reason, code_pb2.INVALID_ARGUMENT)
    message = status.message if index is None else f"object {index}: {status.message}"
    return status_pb2.Status(code=code, message=_cut(message, _MESSAGE_LIMIT), details=_details(status, index))


def _details(status: Status, index: int | None) -> list[Any]:
    metadata = {"code": str(status.code)}
    if status.current:
        metadata["oldestResourceVersion" if status.reason == EXPIRED else "resourceVersion"] = status.current
    if index is not None:
        metadata["index"] = str(index)
    info = error_details_pb2.ErrorInfo(reason=status.reason or "BadRequest", domain=DOMAIN, metadata=metadata)
    details: list[Message] = [info]
    if status.kind or status.name:
        kind, name = qualified(status.group, status.kind), _cut(status.name, _FIELD_LIMIT)
        details.append(error_details_pb2.ResourceInfo(resource_type=kind, resource_name=name))
    if status.causes and status.reason == "Conflict":
        details.append(_precondition_failure(status))
    elif status.causes:
        details.append(_bad_request(status, index))
    packed = [Any() for _ in details]
    for one, detail in zip(packed, details, strict=True):
        one.Pack(detail)
    return packed


def _bad_request(status: Status, index: int | None) -> error_details_pb2.BadRequest:
    prefix = "" if index is None else f"objects[{index}]."
    kept, left = _fitting(status.causes)
    violation = error_details_pb2.BadRequest.FieldViolation
    violations = [
        violation(field=f"{prefix}{cause.field}", description=_cut(cause.message, _FIELD_LIMIT), reason=cause.reason)
        for cause in kept
    ]
    if left:
        violations.append(violation(description=f"and {left} more"))
    return error_details_pb2.BadRequest(field_violations=violations)


def _precondition_failure(status: Status) -> error_details_pb2.PreconditionFailure:
    kept, left = _fitting(status.causes)
    violation = error_details_pb2.PreconditionFailure.Violation
    violations = [
        violation(type=cause.reason, subject=cause.field, description=_cut(cause.message, _FIELD_LIMIT))
        for cause in kept
    ]
    if left:
        violations.append(violation(description=f"and {left} more"))
    return error_details_pb2.PreconditionFailure(violations=violations)


def _fitting(causes: Sequence[Cause]) -> tuple[Sequence[Cause], int]:
    """The causes for which there is room, at least one, and how many are left out."""
    room = _DETAILS_LIMIT
    for count, cause in enumerate(causes):
        room -= len(cause.field.encode()) + len(_cut(cause.message, _FIELD_LIMIT).encode())
        if room < 0 and count:
            return causes[:count], len(causes) - count
    return causes, 0


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
