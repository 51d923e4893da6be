"""The rules for `metadata`, the same for every kind.

In: an object's metadata (and the stored one's). Out: every rule it breaks, with the path of the field. Law: rules,
paths and sentences of k8s.io/apimachinery's object metadata validation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from controlplane.resources import formats
from controlplane.resources.cause import Cause, forbidden, invalid, required, too_long
from controlplane.resources.formats import Defects
from controlplane.resources.values import Json, JsonObject, go_strings, same


class NameRule(Protocol):
    """What is wrong with a name, or with a generateName (`prefix`)."""

    def __call__(self, name: str, *, prefix: bool) -> Defects: ...  # noqa: D102 - the class says it


_ANNOTATIONS_LIMIT: Final = 256 * 1024
_MANAGER_LIMIT: Final = 128
_IMMUTABLE: Final = "field is immutable"
_PATH: Final = "metadata"
_STANDARD_FINALIZERS: Final = frozenset({"kubernetes", "orphan", "foregroundDeletion"})


def subdomain_name(name: str, *, prefix: bool) -> Defects:
    """The name of an EndpointSlice or Secret."""
    return formats.dns1123_subdomain(formats.prefix_of(name) if prefix else name)


def path_segment_name(name: str, *, prefix: bool) -> Defects:
    """The name of anything in RBAC."""
    return formats.path_segment_prefix(name) if prefix else formats.path_segment(name)


def object_meta(meta: JsonObject, name_rule: NameRule, *, namespaced: bool) -> Iterator[Cause]:
    """Every rule that the metadata of an object breaks, its names generated already."""
    if generated := meta.get("generateName"):
        yield from (invalid(f"{_PATH}.generateName", generated, defect) for defect in name_rule(generated, prefix=True))
    if name := meta.get("name"):
        yield from (invalid(f"{_PATH}.name", name, defect) for defect in name_rule(name, prefix=False))
    else:
        yield required(f"{_PATH}.name", "name or generateName is required")
    namespace = meta.get("namespace", "")
    if namespaced and not namespace:
        yield required(f"{_PATH}.namespace")
    elif namespaced:
        for defect in formats.dns1123_label(namespace):
            yield invalid(f"{_PATH}.namespace", namespace, defect)
    elif namespace:
        yield forbidden(f"{_PATH}.namespace", "not allowed on this type")
    if meta.get("generation", 0) < 0:
        yield invalid(f"{_PATH}.generation", meta["generation"], "must be greater than or equal to 0")
    yield from labels(meta.get("labels", {}), f"{_PATH}.labels")
    yield from annotation_map(meta.get("annotations", {}))
    yield from owner_references(meta.get("ownerReferences", ()))
    yield from finalizers(meta.get("finalizers", ()))
    yield from managers(meta.get("managedFields", ()))


def core_object_meta(meta: JsonObject, name_rule: NameRule, *, namespaced: bool) -> Iterator[Cause]:
    """The same for the kinds of kube-apiserver itself, whose finalizers need a domain unless they are its own."""
    yield from object_meta(meta, name_rule, namespaced=namespaced)
    yield from core_finalizers(meta)


def core_finalizers(meta: JsonObject) -> Iterator[Cause]:
    """Finalizers of the kinds of kube-apiserver itself: with a domain, or one of its own."""
    for index, finalizer in enumerate(meta.get("finalizers", ())):
        if "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS:
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid(f"{_PATH}.finalizers[{index}]", finalizer, detail)


def object_meta_update(meta: JsonObject, old: JsonObject) -> Iterator[Cause]:
    """Every rule that a change of metadata breaks."""
    if old.get("deletionTimestamp") is not None:
        extra = sorted(set(meta.get("finalizers", ())) - set(old.get("finalizers", ())))
        if extra:
            detail = "no new finalizers can be added if the object is being deleted, found new finalizers "
            yield forbidden(f"{_PATH}.finalizers", detail + go_strings(extra))
    if not meta.get("resourceVersion"):
        yield invalid(f"{_PATH}.resourceVersion", "", "must be specified for an update")
    for name, empty in (
        *(("name", ""), ("namespace", ""), ("uid", "")),
        *(("creationTimestamp", None), ("deletionTimestamp", None), ("deletionGracePeriodSeconds", None)),
    ):
        if not same(meta.get(name), old.get(name)):
            yield invalid(f"{_PATH}.{name}", meta.get(name, empty), _IMMUTABLE)
    yield from labels(meta.get("labels", {}), f"{_PATH}.labels")
    yield from annotation_map(meta.get("annotations", {}))
    yield from owner_references(meta.get("ownerReferences", ()))
    yield from managers(meta.get("managedFields", ()))


def labels(given: Mapping[str, str], path: str) -> Iterator[Cause]:
    """Labels, or a map of the same form."""
    for key, value in given.items():
        yield from (invalid(path, key, defect) for defect in formats.qualified_name(key))
        yield from (invalid(path, value, defect) for defect in formats.label_value(value))


def annotation_map(given: Mapping[str, str]) -> Iterator[Cause]:
    """Annotations: keys as for labels in any case, 256 KiB in all."""
    path = f"{_PATH}.annotations"
    for key in given:
        yield from (invalid(path, key, defect) for defect in formats.qualified_name(key.lower()))
    if sum(len(key.encode()) + len(value.encode()) for key, value in given.items()) > _ANNOTATIONS_LIMIT:
        yield too_long(path, _ANNOTATIONS_LIMIT)


def owner_references(given: Sequence[JsonObject]) -> Iterator[Cause]:
    """Owner references: complete, and at most one controller."""
    path, controller = f"{_PATH}.ownerReferences", ""
    for reference in given:
        yield from _owner(reference, path)
        if reference.get("controller"):
            current = f"{reference.get('kind', '')}/{reference.get('name', '')}"
            if controller:
                detail = (
                    'Only one reference can have Controller set to true. Found "true" in references for '
                    f"{controller} and {current}"
                )
                yield invalid(path, given, detail)
            else:
                controller = current


def finalizers(given: Sequence[str]) -> Iterator[Cause]:
    """Finalizers: qualified names, and not both of the garbage collector's."""
    path = f"{_PATH}.finalizers"
    for finalizer in given:
        yield from (invalid(path, finalizer, defect) for defect in formats.qualified_name(finalizer))
    if {"foregroundDeletion", "orphan"} <= set(given):
        yield invalid(path, given, "finalizer orphan and foregroundDeletion cannot be both set")


def managers(given: Iterable[JsonObject]) -> Iterator[Cause]:
    """The names in managedFields."""
    for index, entry in enumerate(given):
        yield from field_manager(entry.get("manager", ""), f"{_PATH}.managedFields[{index}].manager")


def field_manager(name: str, path: str = "fieldManager") -> Iterator[Cause]:
    """The name of a field manager: printable, at most 128 bytes."""
    if len(name.encode()) > _MANAGER_LIMIT:
        yield too_long(path, _MANAGER_LIMIT)
    position = 0
    for character in name:
        if not character.isprintable():
            yield invalid(path, name, f"invalid character U+{ord(character):04X} (at position {position})")
        position += len(character.encode())


def immutable(path: str, new: Json, old: Json) -> Iterator[Cause]:
    """A field that may not change."""
    if not same(new, old):
        yield invalid(path, new, _IMMUTABLE)


def _owner(reference: JsonObject, path: str) -> Iterator[Cause]:
    api_version = reference.get("apiVersion", "")
    if not api_version.rpartition("/")[2]:
        yield invalid(f"{path}.apiVersion", api_version, "version must not be empty")
    for name in ("kind", "name", "uid"):
        if not reference.get(name):
            yield invalid(f"{path}.{name}", "", "must not be empty")
    if (api_version, reference.get("kind")) == ("v1", "Event"):
        yield invalid(path, reference, "/v1, Kind=Event is disallowed from being an owner")
