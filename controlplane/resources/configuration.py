"""What makes an applied configuration unfit for its kind.

In: the configuration and the schema. Out: one sentence a defect, in the words of structured-merge-diff. Law: a field
that the schema does not have is never passed over when it is applied.
"""

from __future__ import annotations

from collections.abc import Iterator

from controlplane.resources import fieldpath
from controlplane.resources.fieldpath import Element
from controlplane.resources.schema import Form, List, Map, Scalar, Shape, Struct
from controlplane.resources.typed import element_shape, list_element
from controlplane.resources.values import Json, encoded, quoted


def defects(value: Json, shape: Shape, path: str = "") -> Iterator[str]:
    """Everything in a configuration that its schema does not allow, as kube-apiserver says it."""
    if value is None:
        return
    match shape:
        case Scalar():
            if why := _scalar_defect(value, shape):
                yield f"{path}: {why}"
        case List():
            if not isinstance(value, list):
                yield f"{path}: expected list, got &{{{_go_plain(value)}}}"
                return
            yield from _list_defects(value, shape, path)
        case Struct() | Map():
            if not isinstance(value, dict):
                yield f"{path}: expected map, got &{{{_go_plain(value)}}}"
                return
            for name, inner in value.items():
                element = element_shape(shape, name)
                if element is None:
                    yield f"{path}.{name}: field not declared in schema"
                    return
                yield from defects(inner, element, f"{path}.{name}")


def _list_defects(value: list[Json], shape: List, path: str) -> Iterator[str]:
    seen: set[Element] = set()
    for index, item in enumerate(value):
        place = f"{path}[{index}]"
        if not shape.atomic:
            if why := _element_defect(item, shape):
                yield f"{path}: element {index}: {why}"
                return
            element = list_element(item, shape)
            place = f"{path}{fieldpath.shown((element,))}"
            if element in seen:
                yield f"{path}: duplicate entries for key {fieldpath.shown((element,))}"
            seen.add(element)
        yield from defects(item, shape.element, place)


def _element_defect(item: Json, shape: List) -> str:
    if not shape.keys:
        kinds = {dict: "an element that's a map type", type(None): "an element that's an explicit null"}
        if isinstance(item, list):
            return "not supported: associative list with lists as elements"
        return f"associative list without keys has {kinds[type(item)]}" if type(item) in kinds else ""
    if not isinstance(item, dict):
        kind = "a null element" if item is None else "non-map elements"
        return f"associative list with keys may not have {kind}"
    if list_element(item, shape)[1]:
        return ""
    names = " ".join(map(quoted, shape.keys))
    return (
        f"associative list with keys has an element that omits all key fields [{names}] "
        "(and doesn't have default values for any key fields)"
    )


def _scalar_defect(value: Json, shape: Scalar) -> str:
    match shape.form:
        case Form.STRING | Form.BYTES | Form.TIME:
            return (
                ""
                if isinstance(value, str)
                else f"expected string, got &value.valueUnstructured{{Value:{_go_value(value)}}}"
            )
        case Form.BOOLEAN:
            return "" if isinstance(value, bool) else f"expected boolean, got &{{{_go_plain(value)}}}"
        case Form.INT32 | Form.INT64:
            if isinstance(value, int | float) and not isinstance(value, bool):
                return ""
            return f"expected numeric (int or float), got {_go_type(value)}"
        case Form.INT_OR_STRING:
            return "expected any scalar, got &{" + _go_plain(value) + "}" if isinstance(value, list | dict) else ""
    return ""


def _go_type(value: Json) -> str:
    names = {bool: "bool", str: "string", list: "[]interface {}", dict: "map[string]interface {}"}
    return names.get(type(value), "<nil>")


def _go_plain(value: Json) -> str:
    """A value as Go's %v prints it."""
    match value:
        case dict():
            return f"map[{' '.join(f'{key}:{_go_plain(inner)}' for key, inner in sorted(value.items()))}]"
        case list():
            return f"[{' '.join(map(_go_plain, value))}]"
        case str():
            return value
    return "<nil>" if value is None else encoded(value)


def _go_value(value: Json) -> str:
    """A value as Go's %#v prints it."""
    match value:
        case dict():
            inner = ", ".join(f"{quoted(key)}:{_go_value(one)}" for key, one in sorted(value.items()))
            return f"map[string]interface {{}}{{{inner}}}"
        case list():
            return f"[]interface {{}}{{{', '.join(map(_go_value, value))}}}"
        case str():
            return quoted(value)
    return "interface {}(nil)" if value is None else encoded(value)
