"""The query parameters and bodies that say how a write is to be done.

In go query parameters, the User-Agent and a DeleteOptions body; out come WriteOptions and DeleteOptions.
The law: an option with a value that does not exist is refused with 422, never ignored.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from servicecatalog.decode import parse_flag
from servicecatalog.resources import Resource
from servicecatalog.schemas import COMPONENTS, META, JsonObject
from servicecatalog.status import (
    Cause,
    bad_request,
    conflict,
    forbidden_value,
    invalid_options,
    invalid_value,
    required,
    unsupported_value,
)
from servicecatalog.validation import prune, schema_causes

POLICIES: Final = ("Background", "Foreground", "Orphan")


class FieldValidation(Enum):
    """What happens to unknown and duplicate fields: refused, warned about, or dropped in silence."""

    STRICT = "Strict"
    WARN = "Warn"
    IGNORE = "Ignore"


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How an object is created or changed; `manager` is who is recorded in managedFields."""

    dry_run: bool
    manager: str
    field_validation: FieldValidation
    force: bool


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """How an object is deleted; empty preconditions hold for every object."""

    dry_run: bool
    uid: str
    resource_version: str

    def check(self, resource: Resource, obj: JsonObject) -> None:
        """Compare the preconditions with the object.

        Raises:
            StatusError: 409.
        """
        metadata = obj["metadata"]
        tests = (
            ("UID", self.uid, metadata["uid"], "deleted and then recreated"),
            ("ResourceVersion", self.resource_version, metadata["resourceVersion"], "modified"),
        )
        for what, wanted, found, fate in tests:
            if wanted and wanted != found:
                why = f"the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). "
                raise conflict(resource, metadata["name"], f"{why}The object might have been {fate}")


def parse_write_options(query: Mapping[str, str], user_agent: str, *, kind: str, apply: bool = False) -> WriteOptions:
    """Read CreateOptions, UpdateOptions or PatchOptions (`kind`); `apply` is whether the body is applied.

    Raises:
        StatusError: 422.
    """
    causes = list(_write_causes(query, apply=apply))
    if causes:
        raise invalid_options(kind, causes)
    manager = query.get("fieldManager") or user_agent.partition("/")[0][:128] or "unknown"
    validation = FieldValidation(query.get("fieldValidation") or "Warn")
    return WriteOptions("dryRun" in query, manager, validation, apply and parse_flag(query.get("force")))


def parse_delete_options(query: Mapping[str, str], body: JsonObject) -> DeleteOptions:
    """Read DeleteOptions from the query and the body; the body wins.

    Raises:
        StatusError: 400 for a malformed body, 422 for an option that does not exist.
    """
    if body.get("kind", "DeleteOptions") != "DeleteOptions":
        raise bad_request(f'no kind "{body["kind"]}" is accepted here: must be DeleteOptions')
    schema = COMPONENTS[META + "DeleteOptions"]
    known, _ = prune(body, schema)
    for cause in schema_causes(known, schema, ""):
        raise bad_request(f"invalid DeleteOptions: {cause.message}")
    dry_run = known.get("dryRun") or ([query["dryRun"]] if "dryRun" in query else [])
    policy = known.get("propagationPolicy") or query.get("propagationPolicy", "")
    causes = [*_dry_run_causes(dry_run)]
    if policy and policy not in POLICIES:
        causes.append(unsupported_value("propagationPolicy", policy, POLICIES))
    if policy and "orphanDependents" in known:
        causes.append(
            invalid_value("propagationPolicy", policy, "orphanDependents and deletionPropagation cannot be both set")
        )
    if causes:
        raise invalid_options("DeleteOptions", causes)
    wanted = known.get("preconditions", {})
    return DeleteOptions(bool(dry_run), wanted.get("uid", ""), wanted.get("resourceVersion", ""))


def _dry_run_causes(values: list[str]) -> Iterator[Cause]:
    for value in values:
        if value != "All":
            yield unsupported_value("dryRun", value, ("All",))


def _write_causes(query: Mapping[str, str], *, apply: bool) -> Iterator[Cause]:
    if "dryRun" in query:
        yield from _dry_run_causes([query["dryRun"]])
    manager = query.get("fieldManager", "")
    if len(manager) > 128:
        yield Cause("FieldValueTooLong", "Too long: may not be more than 128 bytes", "fieldManager")
    if not manager.isprintable():
        yield invalid_value("fieldManager", manager, "should only contain printable characters")
    if apply and not manager:
        yield required("fieldManager", "is required for apply patch")
    if not apply and "force" in query:
        yield forbidden_value("force", "may not be specified for non-apply patch")
    choices = tuple(choice.value for choice in FieldValidation)
    if query.get("fieldValidation", "") not in ("", *choices):
        yield unsupported_value("fieldValidation", query["fieldValidation"], choices)
