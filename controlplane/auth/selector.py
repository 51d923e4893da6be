"""Label and field selectors as the Kubernetes API writes them, as far as RequestInfo depends on them.

In: the text of a selector. Out: whether it parses, what it requires, and which value one field must have.
Law: what the Kubernetes API would refuse is never given a value.
"""

from __future__ import annotations

import re
from typing import Final

from controlplane.model.selector import Requirement

# Possessive: nothing that follows could begin with what they hold, and going back over them would take time that grows
# with a power of the text's length.
_SPACE = r"[ \t\r\n]*+"
_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_DNS_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_KEY = rf"(?:(?=[^/]{{1,253}}/){_DNS_LABEL}(?:\.{_DNS_LABEL})*/)?{_NAME}"
_SET = rf"\({_SPACE}(?:{_NAME})?{_SPACE}(?:,{_SPACE}(?:{_NAME})?{_SPACE})*\)"
_REQUIREMENT = (
    rf"(?:!{_SPACE}{_KEY}|{_KEY}"
    rf"(?:[ \t\r\n]++(?:in|notin){_SPACE}{_SET}|{_SPACE}(?:==|!=|=){_SPACE}(?:{_NAME})?"
    rf"|{_SPACE}[<>]{_SPACE}[0-9]{{1,63}})?)"
)
_LABEL_SELECTOR: Final = re.compile(rf"{_SPACE}(?:{_REQUIREMENT}{_SPACE}(?:,{_SPACE}{_REQUIREMENT}{_SPACE})*)?")
_EACH: Final = re.compile(
    rf"!{_SPACE}(?P<absent>{_KEY})|(?P<key>{_KEY})"
    rf"(?:[ \t\r\n]++(?P<set>in|notin){_SPACE}(?P<values>{_SET})"
    rf"|{_SPACE}(?P<equal>==|!=|=){_SPACE}(?P<value>(?:{_NAME})?)"
    rf"|{_SPACE}(?P<bound>[<>]){_SPACE}[0-9]+)?"
)
_BOUND: Final = re.compile(r"[<>][ \t\r\n]*([0-9]+)")

_TERM: Final = re.compile(r"((?:[^\\,]|\\.|\\\Z)*)(?:,|\Z)", re.DOTALL)
_OPERATOR: Final = re.compile(r"!=|==|=")
_VALUE: Final = re.compile(r"(?:[^\\,=]|\\[\\,=])*")
_ESCAPE: Final = re.compile(r"\\([\\,=])")


def is_label_selector(text: str) -> bool:
    """True when `text` is a label selector (k8s.io/apimachinery labels.Parse); the empty one is."""
    if not text:
        return True
    if _LABEL_SELECTOR.fullmatch(text) is None:
        return False
    return all(int(bound) < 2**63 for bound in _BOUND.findall(text))


def label_requirements(text: str) -> tuple[Requirement, ...]:
    """What the label selector `text` requires, sorted by key; nothing when it is none.

    Comparisons with numbers, which authorization.k8s.io/v1 cannot express, are left out.
    """
    if not is_label_selector(text):
        return ()
    found = [_label_requirement(match) for match in _EACH.finditer(text) if match["bound"] is None]
    return tuple(sorted(found, key=lambda requirement: requirement.key))


def field_requirements(text: str) -> tuple[Requirement, ...] | None:
    """What the field selector `text` requires, in the order of its sorted terms.

    None when `text` is no field selector (k8s.io/apimachinery fields.ParseSelector).
    """
    found: list[Requirement] = []
    for term in sorted(_terms(text)):
        operator = _OPERATOR.search(term)
        if operator is None or _VALUE.fullmatch(term, operator.end()) is None:
            return None
        value = _ESCAPE.sub(r"\1", term[operator.end() :])
        key, how = term[: operator.start()], "NotIn" if operator.group() == "!=" else "In"
        if key or value:
            found.append(Requirement(key, how, (value,)))
    return tuple(found)


def exact_field(text: str, field: str) -> str | None:
    """The value that the field selector `text` requires `field` to have, "" when it requires none.

    None when `text` is no field selector. Of several required values the one whose term sorts first counts.
    """
    requirements = field_requirements(text)
    if requirements is None:
        return None
    exact = (each.values[0] for each in requirements if each.operator == "In" and each.key == field)
    return next(exact, "")


def _label_requirement(match: re.Match[str]) -> Requirement:
    if match["absent"] is not None:
        return Requirement(match["absent"], "DoesNotExist")
    key = match["key"]
    if match["set"] is not None:
        values = {value.strip(" \t\r\n") for value in match["values"][1:-1].split(",")}
        return Requirement(key, "In" if match["set"] == "in" else "NotIn", tuple(sorted(values)))
    if match["equal"] is not None:
        return Requirement(key, "NotIn" if match["equal"] == "!=" else "In", (match["value"],))
    return Requirement(key, "Exists")


def _terms(text: str) -> list[str]:
    return [match.group(1) for match in _TERM.finditer(text) if match.group(1)]
