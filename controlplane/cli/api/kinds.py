"""What people call kinds and objects.

In: what somebody typed: TYPE, TYPE,TYPE, TYPE NAME..., TYPE/NAME. Out: kinds, and which objects of them. Law: whatever
kubectl understands of these kinds is understood here; the names are those of `controlplane.resources.kinds`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.api.v1 import config_pb2
from controlplane.errors import IsthmusError
from controlplane.resources.kinds import KINDS, Kind
from controlplane.resources.status import qualified


class KindError(IsthmusError):
    """What was typed names no kind, or no objects; the text is the sentence a person needs."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Objects that somebody named: one of a kind, or all of the kind when `name` is ""."""

    kind: Kind
    name: str = ""


def resolve(text: str) -> tuple[Kind, ...]:
    """The kinds that are meant by names or categories with commas between them, each once.

    A name is the plural, the singular or a short name, in any case: alone, with the group or the beginning of it
    (`roles.rbac.authorization.k8s.io`), or with version and group (`apiservices.v1.apiregistration.k8s.io`).

    Raises:
        KindError: when one of them is no kind's.
    """
    return tuple(dict.fromkeys(kind for part in text.split(",") for kind in _kinds(part.strip())))


def wanted(arguments: Sequence[str]) -> tuple[Wanted, ...]:
    """The objects that arguments name, in their order: `TYPE[,TYPE] [NAME...]`, or `TYPE/NAME...`.

    Raises:
        KindError: when nothing is named, or not in one of these forms, or by a kind that there is not.
    """
    if not arguments:
        raise KindError(f"error: say what kind of object is meant; {_known()}")
    if any("/" in argument for argument in arguments):
        return tuple(dict.fromkeys(_split(argument) for argument in arguments))
    kinds = resolve(arguments[0])
    names = tuple(dict.fromkeys(arguments[1:])) or ("",)
    if not all(names[: len(arguments) - 1]):
        raise KindError("error: a name is empty; leave it out to mean every object of the kind")
    return tuple(Wanted(kind, name) for kind in kinds for name in names)


def spoken(kind: Kind, name: str) -> str:
    """An object as output names it, and `wanted` understands it: `role.rbac.authorization.k8s.io/readers`."""
    return f"{qualified(kind.group, kind.singular)}/{name}"


def type_of(kind: Kind) -> config_pb2.Type:
    """The kind as the config API names it."""
    return config_pb2.Type(api_version=kind.api_version, kind=kind.kind)


def kind_of(item: config_pb2.Object) -> Kind:
    """The kind of an object.

    Raises:
        KindError: when it is none that this version knows.
    """
    given = item.reference.type
    kind = KINDS.get(given.kind)
    if kind is None or kind.api_version != given.api_version:
        raise KindError(
            f"error: the server has the kind {given.kind} of {given.api_version}, which is newer than this program"
        )
    return kind


def _split(argument: str) -> Wanted:
    typed, slash, name = argument.partition("/")
    if not slash:
        raise KindError(
            f"error: {argument} is no TYPE/NAME, and others are; name all objects as TYPE/NAME, or as TYPE NAME NAME"
        )
    if not typed or not name or "/" in name:
        raise KindError(f"error: {argument} is no TYPE/NAME; give one kind and one name with a slash between them")
    kinds = resolve(typed)
    if len(kinds) != 1:
        raise KindError(f"error: {argument} names several kinds; give one kind before the slash")
    return Wanted(kinds[0], name)


def _kinds(text: str) -> tuple[Kind, ...]:
    typed, dot, place = text.lower().partition(".")
    found = [kind for kind in KINDS.values() if typed in (kind.plural, kind.singular, *kind.short_names)]
    if dot:
        found = [kind for kind in found if _is_of(kind, place)]
    elif not found:
        found = [kind for kind in KINDS.values() if typed in kind.categories]
    if not found:
        raise KindError(f'error: the server doesn\'t have a resource type "{text}"; {_known()}')
    return tuple(found)


def _is_of(kind: Kind, place: str) -> bool:
    """Whether the place is the kind's group or the beginning of it, or its version and group."""
    version, dot, group = place.partition(".")
    if dot and version == kind.version:
        return group == kind.group
    return bool(place) and kind.group.startswith(place)


def _known() -> str:
    return f"there are {', '.join(kind.plural for kind in KINDS.values())}"
