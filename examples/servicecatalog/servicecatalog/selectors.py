"""Label and field selectors.

In goes the text of a `labelSelector` or `fieldSelector` query parameter; out comes a predicate over objects.
The law: a selector that cannot be read is refused with 400, never treated as "everything".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from servicecatalog.names import label_key_defect, label_value_defect
from servicecatalog.schemas import JsonObject
from servicecatalog.status import bad_request

FIELDS: Final = ("metadata.name", "metadata.namespace")
_TOKEN: Final = re.compile(r"\s*(?:(==|!=|=|[(),!<>])|([^\s=!(),<>]+))")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One test of one key. Operators: in, notin, exists, absent, gt, lt."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels pass."""
        value = labels.get(self.key)
        match self.operator:
            case "in":
                return value in self.values
            case "notin":
                return value not in self.values
            case "exists":
                return value is not None
            case "absent":
                return value is None
            case _:
                return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        try:
            left, right = int(value or ""), int(next(iter(self.values)))
        except ValueError:
            return False
        return left > right if self.operator == "gt" else left < right


@dataclass(frozen=True, slots=True)
class Selector:
    """What objects a request is about: all requirements must hold; none means everything."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.labels or self.fields)

    def matches(self, obj: JsonObject) -> bool:
        """Whether the object passes every requirement."""
        metadata = obj["metadata"]
        labels = metadata.get("labels", {})
        fields = {"metadata.name": metadata["name"], "metadata.namespace": metadata.get("namespace", "")}
        return all(one.holds(labels) for one in self.labels) and all(one.holds(fields) for one in self.fields)


def parse_selector(label_selector: str, field_selector: str) -> Selector:
    """Read both selectors.

    Raises:
        StatusError: 400, with the place that could not be read.
    """
    return Selector(_Labels(label_selector).requirements(), _fields(field_selector))


class _Labels:
    """A reader of the label selector grammar: equality, sets, existence and integer comparison."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split(text)
        self._at = 0

    def requirements(self) -> tuple[Requirement, ...]:
        found: list[Requirement] = []
        if not self._tokens:
            return ()
        while True:
            found.append(self._requirement())
            if self._peek() is None:
                return tuple(found)
            self._expect(",")

    def _split(self, text: str) -> list[str]:
        tokens: list[str] = []
        position = 0
        stripped = text.rstrip()
        while position < len(stripped):
            match = _TOKEN.match(stripped, position)
            if match is None:
                raise self._unreadable(f"found '{stripped[position:]}'")
            tokens.append(match.group(1) or match.group(2))
            position = match.end()
        return tokens

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> str | None:
        token = self._peek()
        self._at += 1
        return token

    def _expect(self, wanted: str) -> None:
        token = self._next()
        if token != wanted:
            raise self._unreadable(f"found '{token or ''}', expected: '{wanted}'")

    def _requirement(self) -> Requirement:
        if self._peek() == "!":
            self._next()
            return Requirement(self._key(), "absent")
        key = self._key()
        operator = self._peek()
        match operator:
            case None | ",":
                return Requirement(key, "exists")
            case "=" | "==" | "!=":
                self._next()
                return Requirement(key, "notin" if operator == "!=" else "in", frozenset({self._value()}))
            case "in" | "notin":
                self._next()
                return Requirement(key, operator, self._values())
            case ">" | "<":
                self._next()
                return self._comparison(key, "gt" if operator == ">" else "lt")
            case _:
                raise self._unreadable(f"found '{operator}', expected: in, notin, =, ==, !=, >, <")

    def _comparison(self, key: str, operator: str) -> Requirement:
        value = self._value()
        if not re.fullmatch(r"-?\d+", value, re.ASCII):
            raise self._unreadable(f"found '{value}', expected an integer")
        return Requirement(key, operator, frozenset({value}))

    def _key(self) -> str:
        key = self._next() or ""
        defect = label_key_defect(key)
        if defect:
            raise self._unreadable(f'key: Invalid value: "{key}": {defect}')
        return key

    def _value(self) -> str:
        if self._peek() in (None, ",", ")"):
            return ""
        value = self._next() or ""
        defect = label_value_defect(value)
        if defect:
            raise self._unreadable(f'values: Invalid value: "{value}": {defect}')
        return value

    def _values(self) -> frozenset[str]:
        self._expect("(")
        values = {self._value()}
        while self._peek() == ",":
            self._next()
            values.add(self._value())
        self._expect(")")
        return frozenset(values)

    def _unreadable(self, why: str) -> Exception:
        return bad_request(f'unable to parse requirement of label selector "{self._text}": {why}')


def _fields(text: str) -> tuple[Requirement, ...]:
    found: list[Requirement] = []
    for term in re.split(r"(?<!\\),", text):
        if not term:
            continue
        match = re.fullmatch(r"([^=!]+?)(==|!=|=)(.*)", term, re.DOTALL)
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        key, operator, value = match.groups()
        if key not in FIELDS:
            known = ", ".join(f'"{name}"' for name in FIELDS)
            raise bad_request(f'"{key}" is not a known field selector: only {known}')
        values = frozenset({re.sub(r"\\([\\,=])", r"\1", value)})
        found.append(Requirement(key, "notin" if operator == "!=" else "in", values))
    return tuple(found)
