"""CEL expressions as kube-apiserver's configuration files hold them: compiled once, evaluated on plain values.

In: declared variables, the text of an expression, later values. Out: what it comes to, or why it comes to nothing.
Law: no text and no value makes anything here raise, and what an evaluation costs is bounded.

The library is cel-expr-python, Google's C++ implementation: it ends an evaluation after 10,000 iterations of macros
such as `all` and `map`, and matches regular expressions in linear time. docs/design/0011-cel.md tells what it lacks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeAlias

from cel.expr import checked_pb2
from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings
from google.protobuf import any_pb2, message_factory

from controlplane.auth.records import Kind, Record, fill, pool_of

Value: TypeAlias = bool | int | float | str | list["Value"] | dict[str, "Value"] | None
"""What an expression may come to; bytes, timestamps, optionals and the like are a `Failure`."""

_SHOWN: Final = 300
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ESCAPE: Final = "__"
_ESCAPES: Final = ((_ESCAPE, "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))
_RESERVED: Final = re.compile(
    "true|false|null|in|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|void|"
    "while"
)


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

    plain: Any = field(repr=False)
    aliased: Any = field(repr=False)
    """The same with keys also under their escaped names (`a__dot__b` for `a.b`), which changes what `size` sees."""


class Environment:
    """Declared variables, and the functions of CEL's standard, optional, strings (version 4) and sets libraries."""

    def __init__(self, variables: Mapping[str, Kind | Record]) -> None:
        pool = pool_of([variable for variable in variables.values() if isinstance(variable, Record)])
        self._messages = {
            name: message_factory.GetMessageClass(pool.FindMessageTypeByName(variable.name))
            for name, variable in variables.items()
            if isinstance(variable, Record)
        }
        self._variables = dict(variables)
        self._escaping = False
        declared = {name: _type(variable) for name, variable in variables.items()}
        extensions = [ext_strings.ExtStrings(), ext_optional.ExtOptional()]
        self._env = cel.NewEnv(pool, variables=declared, extensions=extensions, functions=_sets())

    def compile(self, text: str, returns: Returns = Returns.ANY) -> Expression | Defect:
        """The expression `text`, or why it is none or comes to something else than `returns`."""
        if not _fit(text):
            return Defect("compilation failed: the text holds a NUL or what is not Unicode")
        try:
            compiled = self._env.compile(text)
            if returns is Returns.BOOL and compiled.return_type() != cel.Type.BOOL:
                return Defect("must evaluate to bool")
            self._escaping = self._escaping or _ESCAPE in text
            return Expression(text, compiled, compiled.serialize())
        except (RuntimeError, ValueError, TypeError) as error:
            return Defect(f"compilation failed: {_sentence(error)}")

    def bind(self, values: Mapping[str, object]) -> Bound | Failure:
        """Values for the variables: JSON objects, or for records mappings of their fields (None: the field is not set).

        What is bound serves the expressions compiled before. A string with a NUL is refused: the library would cut it
        there, and make "admin" of what only begins so.
        """
        try:
            cleaned = {name: _clean(value) for name, value in values.items()}
            plain = self._activation(cleaned)
            if not self._escaping:
                return Bound(plain, plain)
            aliased = {name: _aliased(value, self._variables[name]) for name, value in cleaned.items()}
            return Bound(plain, self._activation(aliased))
        except (RuntimeError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
            return Failure(_sentence(error))

    def _activation(self, values: Mapping[str, object]) -> Any:  # noqa: ANN401 - a class without types
        return self._env.Activation({name: self._ready(name, value) for name, value in values.items()})

    def _ready(self, name: str, value: object) -> object:
        message = self._messages.get(name)
        if message is None:
            return value
        made = message()
        fill(made, self._variables[name], value)
        return made


class Expression:
    """A compiled expression; equal texts of one environment are interchangeable."""

    __slots__ = ("_compiled", "_escaped", "_serialized", "text")

    def __init__(self, text: str, compiled: Any, serialized: bytes) -> None:  # noqa: ANN401 - a class without types
        self.text = text
        self._compiled = compiled
        self._serialized = serialized
        self._escaped = _ESCAPE in text

    def evaluate(self, bound: Bound) -> Value | Failure:
        """What the expression comes to with the values `bound`."""
        try:
            result = self._compiled.eval(bound.aliased if self._escaped else bound.plain)
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
        wrapped = any_pb2.Any.FromString(self._serialized)
        return any(
            _is_selection(part, operand, name)
            for part in _parts(checked_pb2.CheckedExpr.FromString(wrapped.value).expr)
        )

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


def _is_selection(part: Any, operand: str, name: str) -> bool:  # noqa: ANN401 - a protobuf class without types
    kind = part.WhichOneof("expr_kind")
    if kind == "select_expr":
        return bool(part.select_expr.operand.ident_expr.name == operand and part.select_expr.field == name)
    if kind == "call_expr" and part.call_expr.function == "_?._":
        of, selected = part.call_expr.args
        return bool(of.ident_expr.name == operand and selected.const_expr.string_value == name)
    return False


def _parts(expression: Any) -> Iterator[Any]:  # noqa: ANN401 - a protobuf class without types
    """The expression and every expression inside it."""
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        yield part
        match part.WhichOneof("expr_kind"):
            case "select_expr":
                waiting.append(part.select_expr.operand)
            case "call_expr":
                waiting.extend((part.call_expr.target, *part.call_expr.args))
            case "list_expr":
                waiting.extend(part.list_expr.elements)
            case "struct_expr":
                for entry in part.struct_expr.entries:
                    waiting.extend((entry.map_key, entry.value))
            case "comprehension_expr":
                loop = part.comprehension_expr
                waiting.extend((loop.iter_range, loop.accu_init, loop.loop_condition, loop.loop_step, loop.result))
            case _:
                pass


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


def _aliased(value: Any, kind: object = Kind.JSON_OBJECT) -> Any:  # noqa: ANN401 - JSON of the declared kind
    """The value with every key of a map also under its escaped name; a record's fields are no keys."""
    if isinstance(kind, Record) and isinstance(value, dict):
        kinds = dict(kind.fields)
        return {name: _aliased(item, kinds.get(name)) for name, item in value.items()}
    if kind not in (Kind.JSON_OBJECT, Kind.STRING_LISTS):
        return value
    if isinstance(value, dict):
        inner = {key: _aliased(item) for key, item in value.items()}
        return inner | {_escaped(key): item for key, item in inner.items()}
    return [_aliased(item) for item in value] if isinstance(value, list) else value


def _escaped(key: str) -> str:
    if _RESERVED.fullmatch(key):
        return f"__{key}__"
    for raw, escape in _ESCAPES:
        key = key.replace(raw, escape)
    return key


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
