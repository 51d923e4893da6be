"""CEL expressions as kube-apiserver's configuration files hold them: compiled once, evaluated on plain values.

In: declared variables, the text of an expression, later values. Out: what it comes to, or why it comes to nothing.
Law: no text and no value makes anything here raise, and what an evaluation costs is bounded.

The library is cel-expr-python, Google's C++ implementation: it ends an evaluation after 10,000 iterations of macros
such as `all` and `map`, and matches regular expressions in linear time. docs/design/0011-cel.md tells what it lacks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeAlias

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings
from google.protobuf import message_factory

from controlplane.auth import cel_names, cel_syntax
from controlplane.auth.records import Kind, Record, fill, pool_of

Value: TypeAlias = bool | int | float | str | list["Value"] | dict[str, "Value"] | None
"""What an expression may come to; bytes, timestamps, optionals and the like are a `Failure`."""

_SHOWN: Final = 300
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Returns(Enum):
    """What an expression must come to, as far as its text tells."""

    BOOL = "bool"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Defect:
    """Why a text is no expression of the wanted type; `reason` is kube-apiserver's sentence where it has one."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an evaluation, or the values for one, came to nothing; `reason` is for the log."""

    reason: str


@dataclass(frozen=True, slots=True)
class Bound:
    """Values made ready for the expressions of one `Environment`; the repr shows none."""

    activation: Any = field(repr=False)


class Environment:
    """Declared variables, and the functions of CEL's standard, optional, strings (version 4) and sets libraries."""

    def __init__(self, variables: Mapping[str, Kind | Record], *, escapes: bool = False) -> None:
        """With `escapes`, names on the variables may be escaped: `a__dot__b` is the key `a.b`."""
        pool = pool_of([variable for variable in variables.values() if isinstance(variable, Record)])
        self._messages = {
            name: message_factory.GetMessageClass(pool.FindMessageTypeByName(variable.name))
            for name, variable in variables.items()
            if isinstance(variable, Record)
        }
        self._variables = dict(variables)
        self._unescaped = frozenset(variables if escapes else ())
        declared = {name: _type(variable) for name, variable in variables.items()}
        extensions = [ext_strings.ExtStrings(), ext_optional.ExtOptional()]
        self._env = cel.NewEnv(pool, variables=declared, extensions=extensions, functions=_functions())

    def compile(self, text: str, returns: Returns = Returns.ANY) -> Expression | Defect:
        """The expression `text`, or why it is none or comes to something else than `returns`."""
        if not _fit(text):
            return Defect("compilation failed: the text holds a NUL or what is not Unicode")
        try:
            compiled = self._env.compile(text)
            if returns is Returns.BOOL and compiled.return_type() != cel.Type.BOOL:
                return Defect("must evaluate to bool")
            serialized = compiled.serialize()
            checked = cel_syntax.opened(serialized)
            changed = cel_syntax.take_own_substring(checked)
            if cel_names.unescape(checked, self._unescaped) or changed:
                serialized = cel_syntax.sealed(checked)
                compiled = self._env.deserialize(serialized)
            return Expression(text, compiled, serialized)
        except (RuntimeError, ValueError, TypeError) as error:
            return Defect(f"compilation failed: {_sentence(error)}")

    def bind(self, values: Mapping[str, object]) -> Bound | Failure:
        """Values for the variables: JSON objects, or for records mappings of their fields (None: the field is not set).

        What is bound serves the expressions compiled before. A string with a NUL is refused: the library would cut it
        there, and make "admin" of what only begins so.
        """
        try:
            ready = {name: self._ready(name, _clean(value)) for name, value in values.items()}
            return Bound(self._env.Activation(ready))
        except (RuntimeError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
            return Failure(_sentence(error))

    def _ready(self, name: str, value: object) -> object:
        message = self._messages.get(name)
        if message is None:
            return value
        made = message()
        fill(made, self._variables[name], value)
        return made


class Expression:
    """A compiled expression; equal texts of one environment are interchangeable."""

    __slots__ = ("_compiled", "_serialized", "text")

    def __init__(self, text: str, compiled: Any, serialized: bytes) -> None:  # noqa: ANN401 - a class without types
        self.text = text
        self._compiled = compiled
        self._serialized = serialized

    def evaluate(self, bound: Bound) -> Value | Failure:
        """What the expression comes to with the values `bound`."""
        try:
            result = self._compiled.eval(bound.activation)
            if result.type() == cel.Type.ERROR:
                return Failure(f"expression '{self.text}' resulted in error: {_sentence(result.plain_value())}")
            value = result.plain_value()
        except (RuntimeError, ValueError, TypeError) as error:
            return Failure(f"expression '{self.text}' resulted in error: {_sentence(error)}")
        if value is None or isinstance(value, bool | int | float | str | list | dict):
            return value
        return Failure(f"expression '{self.text}' came to no string, number, bool, list or map")

    def selects(self, operand: str, name: str) -> bool:
        """Whether `operand.name` or `operand.?name` is somewhere in the expression, `has()` included."""
        return cel_syntax.selects(self._serialized, operand, name)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


def _clean(value: object) -> object:
    """The value with every number a float; ValueError for what the library would change without a word."""
    if isinstance(value, str):
        if not _fit(value):
            raise ValueError("a value holds a NUL or what is not Unicode")
        return value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, Mapping):
        return {str(_clean(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_clean(item) for item in value]
    raise TypeError("a value is not what JSON can hold")


def _fit(text: str) -> bool:
    return "\0" not in text and (text.isascii() or not _SURROGATE.search(text))


def _sentence(error: object) -> str:
    text = " ".join(line.strip() for line in str(error).splitlines() if not line.lstrip().startswith("|"))
    return text.removeprefix("INVALID_ARGUMENT: ").removesuffix(" [INVALID_ARGUMENT]")[:_SHOWN]


def _type(variable: Kind | Record) -> Any:  # noqa: ANN401 - a class without types
    if isinstance(variable, Record):
        return cel.Type(variable.name)
    strings = cel.Type.List(cel.Type.STRING)
    return {
        Kind.STRING: cel.Type.STRING,
        Kind.BOOL: cel.Type.BOOL,
        Kind.STRINGS: strings,
        Kind.STRING_LISTS: cel.Type.Map(cel.Type.STRING, strings),
        Kind.JSON_OBJECT: cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    }[variable]


def _functions() -> list[Any]:
    """`text.substring(start, end)`, whose end may be the text's own, keys for escaped names, and `sets`."""
    text, number = cel.Type.STRING, cel.Type.INT
    substring = cel.Overload(
        cel_syntax.OWN_OVERLOAD,
        return_type=text,
        parameters=[text, number, number],
        is_member=True,
        impl=cel_syntax.substring,
    )
    return [
        cel.FunctionDecl(cel_syntax.OWN_SUBSTRING, [substring]),
        _naming(cel_names.OWN_FIRST, cel_names.first_name),
        _naming(cel_names.OWN_FURTHER, cel_names.further_name),
        *_sets(),
    ]


def _naming(name: str, rule: Callable[[object], object]) -> Any:  # noqa: ANN401 - a class without types
    # The library calls no function whose parameter is dyn, and indices of lists come this way, too.
    kinds = {"string": cel.Type.STRING, "int": cel.Type.INT, "uint": cel.Type.UINT, "double": cel.Type.DOUBLE}
    overloads = [
        cel.Overload(f"{name}_{suffix}", return_type=cel.Type.DYN, parameters=[kind], impl=rule)
        for suffix, kind in kinds.items()
    ]
    return cel.FunctionDecl(name, overloads)


def _sets() -> list[Any]:
    """The library `sets`: CEL compares elements, so 1 and 1.0 are one and true is no number."""
    lists = [cel.Type.List(cel.Type.DYN)] * 2

    def within(items: list[Value], others: list[Value]) -> bool:
        return all(any(_same(item, other) for other in others) for item in items)

    def function(name: str, rule: Any) -> Any:  # noqa: ANN401 - a class without types
        overload = cel.Overload(f"list_sets_{name}_list", return_type=cel.Type.BOOL, parameters=lists, impl=rule)
        return cel.FunctionDecl(f"sets.{name}", [overload])

    return [
        function("contains", lambda items, others: within(others, items)),
        function("equivalent", lambda items, others: within(items, others) and within(others, items)),
        function("intersects", lambda items, others: any(_same(item, other) for item in items for other in others)),
    ]


def _same(one: Value, other: Value) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return one == other
