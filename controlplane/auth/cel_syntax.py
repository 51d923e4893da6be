"""The syntax tree of a compiled CEL expression, as the library serialises it (cel.expr.CheckedExpr in an Any).

In: those bytes. Out: what an expression selects, or the same expression with another function in place of one that the
library gets wrong. Law: what comes back means the same but for that function.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from cel.expr import checked_pb2
from google.protobuf import any_pb2, message

OWN_SUBSTRING: Final = "@substring"
"""What takes its place; no text of an expression can name it."""
OWN_OVERLOAD: Final = "own_string_substring_int_int"
_SUBSTRING: Final = "substring"


def opened(serialized: bytes) -> Any:  # noqa: ANN401 - a protobuf class without types
    """The tree, a `cel.expr.CheckedExpr`.

    Raises:
        ValueError: when it is deeper than 100 messages, which is all that protobuf reads.
    """
    wrapped = any_pb2.Any.FromString(serialized)
    try:
        return checked_pb2.CheckedExpr.FromString(wrapped.value)
    except message.DecodeError as error:
        raise ValueError("macros nest too deeply") from error


def sealed(checked: Any) -> bytes:  # noqa: ANN401 - a protobuf class without types
    """A tree as the library deserialises it."""
    wrapped = any_pb2.Any()
    wrapped.Pack(checked)
    return bytes(wrapped.SerializeToString())


def selects(serialized: bytes, operand: str, name: str) -> bool:
    """Whether `operand.name` or `operand.?name` is somewhere in the expression, `has()` included."""
    return any(_is_selection(part, operand, name) for part in _parts(opened(serialized).expr))


def take_own_substring(checked: Any) -> bool:  # noqa: ANN401 - a protobuf class without types
    """Puts `OWN_SUBSTRING` in the place of `text.substring(start, end)`; whether that changed the tree."""
    changed = False
    for part in _parts(checked.expr):
        call = part.call_expr
        if part.WhichOneof("expr_kind") == "call_expr" and call.function == _SUBSTRING and len(call.args) == 2:
            call.function = OWN_SUBSTRING
            checked.reference_map[part.id].overload_id[:] = [OWN_OVERLOAD]
            changed = True
    return changed


def substring(text: str, start: int, end: int) -> str:
    """The characters of `text` from `start` up to `end`, which may be the text's own end.

    Raises:
        ValueError: when they are not in order, or not within the text.
    """
    if not 0 <= start <= end <= len(text):
        raise ValueError(f"index out of range: {start} to {end}")
    return text[start:end]


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
