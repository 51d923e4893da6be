"""Label and field selectors.

In: the texts of a list's labelSelector and fieldSelector. Out: a predicate over objects, or why a text is none. Law: a
selector that cannot be read is refused, never taken for "everything". Grammar and sentences are those of
k8s.io/apimachinery.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from controlplane.resources import formats, status
from controlplane.resources.cause import invalid
from controlplane.resources.kinds import Kind
from controlplane.resources.status import Status, bad_request
from controlplane.resources.values import JsonObject, at, quoted

_TOKEN: Final = re.compile(r"\s*(?:(==|!=|=|[(),!<>])|([^\s=!(),<>]+)|$)")
_END: Final = ""
_OPERATORS: Final = ("in", "notin", "=", "==", "!=", "gt", "lt")
_SPECIAL: Final = frozenset("(),!<>") | {"=", "==", "!="}
_TERM: Final = re.compile(r"([^=!]*?)(==|!=|=)(.*)", re.DOTALL)
_SPLIT: Final = re.compile(r"(?<!\\),")
_INTEGER: Final = re.compile(r"[+-]?\d+", re.ASCII)


class Operator(Enum):
    """What a requirement asks of the value."""

    IN = "in"
    NOT_IN = "notin"
    EXISTS = "exists"
    DOES_NOT_EXIST = "!"
    GREATER = "gt"
    LESS = "lt"


_MEANINGS: Final[Mapping[str, Operator]] = {
    "in": Operator.IN,
    "=": Operator.IN,
    "==": Operator.IN,
    "notin": Operator.NOT_IN,
    "!=": Operator.NOT_IN,
    ">": Operator.GREATER,
    "<": Operator.LESS,
}


class UnreadableError(Exception):
    """A text that is no selector; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One test of one key."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def holds(self, given: Mapping[str, str]) -> bool:
        """True when these labels (or fields) pass; what is not there is in no set."""
        value = given.get(self.key)
        match self.operator:
            case Operator.IN:
                return value in self.values
            case Operator.NOT_IN:
                return value not in self.values
            case Operator.EXISTS:
                return value is not None
            case Operator.DOES_NOT_EXIST:
                return value is None
        if value is None or not _INTEGER.fullmatch(value):
            return False
        left, right = int(value), int(next(iter(self.values)))
        return left > right if self.operator is Operator.GREATER else left < right


@dataclass(frozen=True, slots=True)
class Selector:
    """Which objects of a kind are meant: those that pass every requirement; without any, all."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()

    def matches(self, obj: JsonObject) -> bool:
        """True when the object passes."""
        labels = at(obj, "metadata", "labels") or {}
        fields = {one.key: _field(obj, one.key) for one in self.fields}
        return all(one.holds(labels) for one in self.labels) and all(one.holds(fields) for one in self.fields)


def select(kind: Kind, labels: str = "", fields: str = "") -> Selector | Status:
    """The selector that two texts stand for; 400 when one cannot be read or names a field that no selector may."""
    try:
        return Selector(read_labels(labels), _read_fields(kind, fields))
    except UnreadableError as error:
        return bad_request(str(error))


def read_labels(text: str) -> tuple[Requirement, ...]:
    """The requirements of a label selector.

    Raises:
        UnreadableError: the text is no label selector.
    """
    return _Labels(text).requirements()


class _Labels:
    """One reading of a label selector."""

    __slots__ = ("_at", "_tokens")

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, bool]] = []
        self._at = 0
        position = 0
        while match := _TOKEN.match(text, position):
            if match.end() == position or not (match[1] or match[2]):
                break
            self._tokens.append((match[1] or match[2], bool(match[1])))
            position = match.end()

    def requirements(self) -> tuple[Requirement, ...]:
        """All requirements, sorted by key."""
        found: list[Requirement] = []
        word, special = self._peek()
        if word == _END and not special:
            return ()
        if special and word != "!":
            raise UnreadableError(f"found '{word}', expected: !, identifier, or 'end of string'")
        while True:
            try:
                found.append(self._requirement())
            except UnreadableError as error:
                raise UnreadableError(f"unable to parse requirement: {error}") from None
            word, _ = self._next()
            if word == _END:
                return tuple(sorted(found, key=lambda one: one.key))
            if word != ",":
                raise UnreadableError(f"found '{word}', expected: ',' or 'end of string'")
            word, special = self._peek()
            if word == _END or (special and word != "!"):
                raise UnreadableError(f"found '{word}', expected: identifier after ','")

    def _peek(self) -> tuple[str, bool]:
        return self._tokens[self._at] if self._at < len(self._tokens) else (_END, False)

    def _next(self) -> tuple[str, bool]:
        word = self._peek()
        self._at += 1
        return word

    def _requirement(self) -> Requirement:
        key, special = self._next()
        absent = key == "!"
        if absent:
            key, special = self._next()
        if special or key == _END:
            raise UnreadableError(f"found '{key}', expected: identifier")
        if defects := formats.qualified_name(key):
            raise UnreadableError(str(invalid("<nil>", key, "; ".join(defects))))
        if absent or self._peek()[0] in (_END, ","):
            return Requirement(key, Operator.DOES_NOT_EXIST if absent else Operator.EXISTS)
        word, _ = self._next()
        operator = _MEANINGS.get(word)
        if operator is None:
            raise UnreadableError(f"found '{word}', expected: {', '.join(_OPERATORS)}")
        values = self._values() if word in ("in", "notin") else self._value()
        _check(key, operator, sorted(values))
        return Requirement(key, operator, frozenset(values))

    def _value(self) -> set[str]:
        if self._peek()[0] in (_END, ","):
            return {""}
        value, special = self._next()
        if special:
            raise UnreadableError(f"found '{value}', expected: identifier")
        return {value}

    def _values(self) -> set[str]:
        word, _ = self._next()
        if word != "(":
            raise UnreadableError(f"found '{word}' expected: '('")
        word, special = self._peek()
        if word == _END or (special and word not in (",", ")")):
            raise UnreadableError(f"found '{word}', expected: ',', ')' or identifier")
        values: set[str] = set()
        while True:
            word, special = self._next()
            if word in (",", ")"):
                # An empty place stands for the empty value.
                values.add("")
            elif special or word == _END:
                raise UnreadableError(f"found '{word}', expected: ',', or identifier")
            else:
                values.add(word)
                word, _ = self._next()
                if word not in (",", ")"):
                    raise UnreadableError(f"found '{word}', expected: ',' or ')'")
            if word == ")":
                return values


def _check(key: str, operator: Operator, values: list[str]) -> None:
    wrong = []
    if operator in (Operator.GREATER, Operator.LESS):
        detail = "for 'Gt', 'Lt' operators, the value must be an integer"
        wrong += [invalid(f"values[{i}]", one, detail) for i, one in enumerate(values) if not _INTEGER.fullmatch(one)]
    for index, value in enumerate(values):
        if defects := formats.label_value(value):
            wrong.append(invalid(f"values[{index}][{key}]", value, "; ".join(defects)))
    if wrong:
        raise UnreadableError(status.listed(map(str, wrong)))


def _read_fields(kind: Kind, text: str) -> tuple[Requirement, ...]:
    found: list[Requirement] = []
    for term in sorted(_SPLIT.split(text)):
        if not term:
            continue
        match = _TERM.fullmatch(term)
        if match is None:
            raise UnreadableError(f"invalid selector: '{text}'; can't understand '{term}'")
        key, operator, value = match.groups()
        value = _unescaped(value)
        if key not in kind.fields:
            known = ", ".join(map(quoted, kind.fields))
            core = f"field label not supported: {key}"
            raise UnreadableError(f"{quoted(key)} is not a known field selector: only {known}" if kind.group else core)
        found.append(Requirement(key, _MEANINGS[operator], frozenset({value})))
    return tuple(found)


def _unescaped(value: str) -> str:
    read: list[str] = []
    letters = iter(value)
    for letter in letters:
        if letter == "\\":
            following = next(letters, "")
            if following not in ("\\", ",", "="):
                raise UnreadableError(f"invalid field selector: invalid escape sequence: \\{following}")
            read.append(following)
        elif letter in ",=":
            raise UnreadableError(f"invalid field selector: unescaped character in value: {ord(letter)}")
        else:
            read.append(letter)
    return "".join(read)


def _field(obj: JsonObject, name: str) -> str:
    """The value of a field that selectors may name, "" when it is not there."""
    return str(at(obj, *name.split(".")) or "")
