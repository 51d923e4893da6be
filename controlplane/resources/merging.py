"""An applied configuration laid over a live object, by their schema.

In: two values of one shape. Out: their union; where both say something, the configuration's word. Law: nothing is
removed, and entries stand in the order that structured-merge-diff gives them.
"""

from __future__ import annotations

from collections.abc import Iterator

from controlplane.resources.fieldpath import Element
from controlplane.resources.schema import List, Scalar, Shape
from controlplane.resources.typed import ABSENT, element_shape, entries, get, is_leaf, items, list_element
from controlplane.resources.values import Json


def merged(live: Json, config: Json, shape: Shape) -> Json:
    """The live value with the configuration laid over it; ABSENT when nothing remains."""
    if isinstance(shape, Scalar) or is_leaf(live, config, shape):
        return live if config is ABSENT else config
    if isinstance(shape, List):
        united = [
            value
            for left, right in _pairs(items(live), items(config), shape)
            if (value := merged(left, right, shape.element)) is not ABSENT
        ]
        return united or ABSENT
    both = {**entries(live), **entries(config)}
    inner = {
        name: merged(get(live, name), get(config, name), element)
        for name in both
        if (element := element_shape(shape, name)) is not None
    }
    return {name: value for name, value in inner.items() if value is not ABSENT} or ABSENT


def _pairs(live: list[Json], config: list[Json], shape: List) -> Iterator[tuple[Json, Json]]:
    """The entries of both lists, paired, in the order in which they are to stand.

    Live entries keep their place before the next entry that both lists have; shared ones come in the configuration's
    order.
    """
    lefts = [list_element(item, shape) for item in live]
    rights = [list_element(item, shape) for item in config]
    left_of: dict[Element, Json] = {}
    for element, item in zip(lefts, live, strict=True):
        # Entries that share a key are not merged with the new value.
        left_of[element] = None if element in left_of else item
    right_of = dict(zip(rights, config, strict=True))
    position = 0
    done: set[Element] = set()
    for number, element in enumerate(rights):
        following = next((one for one in rights[number:] if one in left_of), None)
        # What only the live list has stays before the configuration's next entry, up to the entry both have.
        while position < len(lefts) and lefts[position] != element:
            left = lefts[position]
            if left not in right_of:
                yield live[position], ABSENT
            elif left == following:
                break
            position += 1
        if position < len(lefts) and lefts[position] == element:
            position += 1
        done.add(element)
        yield left_of.get(element, ABSENT), right_of[element]
    for place in range(position, len(lefts)):
        if lefts[place] not in right_of:
            yield live[place], ABSENT
