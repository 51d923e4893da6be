"""One thing that is wrong with one field, in the words of the Kubernetes API.

In: a field path, the offending value, what it must be. Out: a frozen Cause. Law: type, wording and path are those of
k8s.io/apimachinery's field errors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from controlplane.resources.values import Json, quoted, shown


@dataclass(frozen=True, slots=True, order=True)
class Cause:
    """One entry of a Status' details.causes: `reason` as FieldValueInvalid, `message`, and the path of the field."""

    reason: str
    message: str
    field: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def invalid(field: str, value: Json, detail: str) -> Cause:
    """The value is malformed."""
    return Cause("FieldValueInvalid", _joined(f"Invalid value: {shown(value)}", detail), field)


def required(field: str, detail: str = "") -> Cause:
    """The value is missing."""
    return Cause("FieldValueRequired", _joined("Required value", detail), field)


def forbidden(field: str, detail: str) -> Cause:
    """The value is not permitted here."""
    return Cause("FieldValueForbidden", _joined("Forbidden", detail), field)


def duplicate(field: str, value: Json) -> Cause:
    """The value is taken."""
    return Cause("FieldValueDuplicate", f"Duplicate value: {shown(value)}", field)


def unsupported(field: str, value: Json, supported: Iterable[str]) -> Cause:
    """The value is none of those there are."""
    choices = ", ".join(map(quoted, supported))
    return Cause("FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {choices}", field)


def too_long(field: str, limit: int) -> Cause:
    """The value has more than `limit` bytes."""
    return Cause("FieldValueTooLong", f"Too long: may not be more than {limit} bytes", field)


def too_many(field: str, count: int, limit: int) -> Cause:
    """The list has more than `limit` items."""
    return Cause("FieldValueTooMany", f"Too many: {count}: must have at most {limit} items", field)


def _joined(body: str, detail: str) -> str:
    return f"{body}: {detail}" if detail else body
