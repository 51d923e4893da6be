"""Reading the fields of a raw manifest, with every defect said in the words of the Kubernetes API.

In: a mapping as YAML or JSON gave it. Out: typed values, and the Problems met on the way. Law: reading never stops at a
defect; a field that cannot be read gives its default and one Problem, so that all of an object's defects show at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from controlplane.model.problem import Origin, Problem

# Long enough for the longest name there can be, with its kind and namespace.
_SHOWN_TEXT: Final = 400


def plain(text: str) -> str:
    """The text cut to a length that fits a message, with nothing in it that moves a terminal's cursor."""
    cut = text if len(text) <= _SHOWN_TEXT else f"{text[:_SHOWN_TEXT]}..."
    if cut.isprintable():
        return cut
    return "".join(character if character.isprintable() else f"\\u{ord(character):04x}" for character in cut)


def shown(value: object) -> str:
    """The value as a message shows it; containers by kind only and long texts cut, so that the message stays short."""
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case int() | float():
            return str(value)
        case str():
            return '"' + plain(value.replace("\\", "\\\\").replace('"', '\\"')) + '"'
        case Mapping():
            return "a mapping"
        case list():
            return "a list"
    return f"a {type(value).__name__}"


class Complaints:
    """The Problems of one object, gathered while it is read."""

    __slots__ = ("_origin", "_problems", "_subject")

    def __init__(self, origin: Origin, subject: str) -> None:
        self._origin = origin
        self._subject = subject
        self._problems: list[Problem] = []

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All Problems so far, in the order they were met."""
        return tuple(self._problems)

    def add(self, field: str, message: str, remedy: str) -> None:
        """Adds a Problem of this object."""
        self._problems.append(Problem(self._origin, self._subject, field, message, remedy))


class Fields:
    """One mapping of a manifest and where it stands in it; null counts as absent, as in the Kubernetes API."""

    __slots__ = ("_complaints", "_path", "_values")

    def __init__(self, values: Mapping[str, object], path: str, complaints: Complaints) -> None:
        self._values = values
        self._path = path
        self._complaints = complaints

    def path(self, name: str) -> str:
        """The path of a field of this mapping, as Kubernetes writes it."""
        return f"{self._path}.{name}" if self._path else name

    def present(self, name: str) -> bool:
        """True when the field is there and not null."""
        return self._values.get(name) is not None

    def empty(self, name: str) -> bool:
        """True when the field is absent, null, or holds nothing."""
        return self._values.get(name) in (None, "", [], {})

    def only(self, *known: str) -> None:
        """Says of every other field that there is none of that name."""
        for name, value in self._values.items():
            if name not in known:
                self.invalid(plain(str(name)), value, "unknown field", f"write {', '.join(known)}, or remove it")

    def invalid(self, name: str, value: object, reason: str, remedy: str) -> None:
        """Says that the field's value is wrong."""
        self._complaints.add(self.path(name), f"Invalid value: {shown(value)}: {reason}", remedy)

    def required(self, name: str, remedy: str, reason: str = "") -> None:
        """Says that the field is missing."""
        self._complaints.add(self.path(name), f"Required value: {reason}" if reason else "Required value", remedy)

    def unsupported(self, name: str, value: object, supported: Iterable[str], remedy: str) -> None:
        """Says that the field's value is none of those there are."""
        choices = ", ".join(shown(choice) for choice in supported)
        self._complaints.add(self.path(name), f"Unsupported value: {shown(value)}: supported values: {choices}", remedy)

    def duplicate(self, name: str, value: object, remedy: str) -> None:
        """Says that the field's value is taken by an entry before it."""
        self._complaints.add(self.path(name), f"Duplicate value: {shown(value)}", remedy)

    def text(self, name: str, default: str = "") -> str:
        """The text in the field."""
        value = self._values.get(name)
        if value is None:
            return default
        if isinstance(value, str):
            return value
        self.invalid(name, value, "must be a string", "put it in quotes")
        return default

    def required_text(self, name: str, remedy: str) -> str:
        """The text in the field, "" (and a Problem) when there is none."""
        if self.empty(name):
            self.required(name, remedy)
            return ""
        return self.text(name)

    def number(self, name: str) -> int | None:
        """The whole number in the field; None when it is absent or (with a Problem) is no whole number."""
        value = self._values.get(name)
        # A bool is an int to Python, not to the API.
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        self.invalid(name, value, "must be a whole number", "write it in digits, without quotes")
        return None

    def flag(self, name: str) -> bool | None:
        """The boolean in the field; None when it is absent or (with a Problem) is no boolean."""
        value = self._values.get(name)
        if value is None or isinstance(value, bool):
            return value
        self.invalid(name, value, "must be a boolean", "write true or false, without quotes")
        return None

    def mapping(self, name: str) -> Fields | None:
        """The mapping in the field; None when it is absent or (with a Problem) is no mapping."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, Mapping):
            return Fields(value, self.path(name), self._complaints)
        self.invalid(name, value, "must be a mapping", "write its fields below it, indented")
        return None

    def mappings(self, name: str) -> tuple[Fields, ...]:
        """The mappings listed in the field; entries that are none are left out with a Problem."""
        entries: list[Fields] = []
        for index, value in self._entries(name):
            if isinstance(value, Mapping):
                entries.append(Fields(value, self.path(f"{name}[{index}]"), self._complaints))
            else:
                self.invalid(
                    f"{name}[{index}]", value, "must be a mapping", "write its fields below the dash, indented"
                )
        return tuple(entries)

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts listed in the field; entries that are none are left out with a Problem."""
        entries: list[str] = []
        for index, value in self._entries(name):
            if isinstance(value, str):
                entries.append(value)
            else:
                self.invalid(f"{name}[{index}]", value, "must be a string", "put it in quotes")
        return tuple(entries)

    def pairs(self, name: str) -> tuple[tuple[str, str], ...]:
        """The text-to-text mapping in the field (labels), sorted by key."""
        value = self._values.get(name)
        fields = self.mapping(name)
        if fields is None or not isinstance(value, Mapping):
            return ()
        return tuple(sorted((key, fields.text(key)) for key in value))

    def _entries(self, name: str) -> Iterator[tuple[int, object]]:
        value = self._values.get(name)
        if isinstance(value, list):
            yield from enumerate(value)
        elif value is not None:
            self.invalid(name, value, "must be a list", "write each entry below it, after a dash")
