"""Names in expressions on claims and users: kube-apiserver lets `a__dot__b` stand for the key `a.b`.

In: the syntax tree of a checked expression. Out: the same tree, in which such names are the keys that they stand for.
Law: in a variable's value nothing but the unescaped name is looked up, whoever wrote it, so that a key that is named
like an escape is never taken for what it stands for. Values stay as they are: names cost nothing at an evaluation.

As in kube-apiserver this holds for what is selected from a variable, and from what was selected so. The elements that
a macro such as `all` goes through, and maps that are written in an expression, are looked into to the letter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeAlias

from cel.expr import checked_pb2, syntax_pb2

OWN_FIRST: Final = "@first_name"
"""The function for keys of a variable that only an evaluation tells; no text of an expression can name it."""
OWN_FURTHER: Final = "@further_name"
"""The same for keys of what is inside a variable."""

_ESCAPE: Final = re.compile("__[^_]+__")
_CHARACTERS: Final = {"__underscores__": "__", "__dot__": ".", "__dash__": "-", "__slash__": "/"}
_RESERVED: Final = re.compile(
    "__(true|false|null|in|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|"
    "void|while)__"
)
_CHOICE: Final = "_?_:_"
_INDEXING: Final = frozenset(("_[_]", "_[?_]", "_?._"))
_NAMING: Final = frozenset((checked_pb2.Type.PRIMITIVE_TYPE_UNSPECIFIED, checked_pb2.Type.STRING))

# What is known of a part: how many lists and maps of the expression's own lie around values of variables; 0 for such a
# value itself, None where there is none.
_Around: TypeAlias = int | None
_Scope: TypeAlias = Mapping[str, _Around]


def first_name(key: object) -> object:
    """The key of a variable that `key` stands for; False, which nothing has, where it holds an escape that is none."""
    name = _unescaped(key) if isinstance(key, str) else key
    return False if name is None else name


def further_name(key: object) -> object:
    """The key inside a variable that `key` stands for; `key` itself, where it holds an escape that is none."""
    name = _unescaped(key) if isinstance(key, str) else None
    return key if name is None else name


def unescape(checked: Any, variables: Collection[str]) -> bool:  # noqa: ANN401 - a protobuf class without types
    """Puts into a `CheckedExpr` the keys of `variables` that its names stand for; whether that changed it."""
    names = _Names(checked, variables)
    names.visit(checked.expr, {})
    return names.changed


class _Names:
    """One walk through a tree, whose depth the library bounds."""

    def __init__(self, checked: Any, variables: Collection[str]) -> None:  # noqa: ANN401 - a protobuf class
        self._checked = checked
        self._variables = variables
        self._last = max((*checked.source_info.positions, *checked.reference_map, *checked.type_map), default=0)
        self.changed = False

    def visit(self, part: Any, scope: _Scope) -> _Around:  # noqa: ANN401 - a protobuf class
        """What is known of `part`, where the variables of the macros around it are `scope`."""
        match part.WhichOneof("expr_kind"):
            case "ident_expr":
                name = part.ident_expr.name
                return scope.get(name, 0 if name.removeprefix(".") in self._variables else None)
            case "select_expr":
                selection = part.select_expr
                around = self.visit(selection.operand, scope)
                if around == 0:
                    name = _key(self._rule(selection.operand, scope), selection.field)
                    selection.field, self.changed = name, self.changed or name != selection.field
                return _inside(around)
            case "call_expr":
                return self._call(part.call_expr, scope)
            case "list_expr":
                return _wrapped(_nearest(*(self.visit(item, scope) for item in part.list_expr.elements)))
            case "struct_expr":
                entries = part.struct_expr.entries
                for entry in entries:
                    self.visit(entry.map_key, scope)
                return _wrapped(_nearest(*(self.visit(entry.value, scope) for entry in entries)))
            case "comprehension_expr":
                return self._macro(part.comprehension_expr, scope)
            case _:
                return None

    def _call(self, call: Any, scope: _Scope) -> _Around:  # noqa: ANN401 - a protobuf class
        arguments = [self.visit(argument, scope) for argument in call.args]
        if call.function in _INDEXING:
            if arguments[0] == 0:
                self._index(call.args[0], call.args[1], scope)
            return _inside(arguments[0])
        if call.function == _CHOICE:
            return _nearest(*arguments[1:])
        return _nearest(self.visit(call.target, scope), *arguments)

    def _macro(self, loop: Any, scope: _Scope) -> _Around:  # noqa: ANN401 - a protobuf class
        items, before = self.visit(loop.iter_range, scope), self.visit(loop.accu_init, scope)
        within = {**scope, loop.iter_var: items - 1 if items else None, loop.accu_var: before}
        self.visit(loop.loop_condition, within)
        after = self.visit(loop.loop_step, within)
        return self.visit(loop.result, {**scope, loop.accu_var: _nearest(before, after)})

    def _index(self, operand: Any, key: Any, scope: _Scope) -> None:  # noqa: ANN401 - protobuf classes
        rule = self._rule(operand, scope)
        if key.WhichOneof("expr_kind") == "const_expr":
            constant = key.const_expr
            if constant.WhichOneof("constant_kind") == "string_value":
                name = _key(rule, constant.string_value)
                constant.string_value, self.changed = name, self.changed or name != constant.string_value
        elif key.id not in self._checked.type_map or self._checked.type_map[key.id].primitive in _NAMING:
            self._last += 1
            function = OWN_FIRST if rule is first_name else OWN_FURTHER
            call = syntax_pb2.Expr.Call(function=function, args=[key])
            key.CopyFrom(syntax_pb2.Expr(id=self._last, call_expr=call))
            self._checked.reference_map[self._last].overload_id.append(function)
            self._checked.type_map[self._last].dyn.SetInParent()
            self.changed = True

    def _rule(self, operand: Any, scope: _Scope) -> Any:  # noqa: ANN401 - a protobuf class
        while operand.call_expr.function == "dyn":
            operand = operand.call_expr.args[0]
        name = operand.ident_expr.name
        is_variable = name not in scope and name.removeprefix(".") in self._variables
        return first_name if is_variable else further_name


def _key(rule: Callable[[object], object], name: str) -> str:
    key = rule(name)
    # No value that is bound has a NUL.
    return key if isinstance(key, str) else f"{name}\0"


def _nearest(*parts: _Around) -> _Around:
    return min((part for part in parts if part is not None), default=None)


def _inside(around: _Around) -> _Around:
    return max(around - 1, 0) if around is not None else None


def _wrapped(around: _Around) -> _Around:
    return around + 1 if around is not None else None


def _unescaped(name: str) -> str | None:
    """What `name` stands for; None where it holds an escape that is none, or a reserved word's beside other text."""
    if whole := _RESERVED.fullmatch(name):
        return whole[1]
    if not all(escape in _CHARACTERS for escape in _ESCAPE.findall(name)):
        return None
    return _ESCAPE.sub(lambda escape: _CHARACTERS[escape[0]], name)
