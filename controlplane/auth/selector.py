"""Label and field selectors as the Kubernetes API writes them, as far as RequestInfo depends on them.

In: the text of a selector. Out: whether it parses, what it requires, and which value one field must have.
Law: what the Kubernetes API would refuse is never given a value.
"""

from __future__ import annotations

import re
from typing import Final

from controlplane.model.selector import Requirement

# What is told of one selector: whoever is told takes far more room and time for a requirement than it takes to write.
_MOST_COMMAS: Final = 1024

# Possessive: nothing that follows could begin with what they hold, and going back over them would take time that grows
# with a power of the text's length.
_SPACE = r"[ \t\r\n]*+"
_NAME = r"[A-Za-z0-9][-A-Za-z0-9_.]{0,62}+(?<![-_.])"
_DNS_LABEL = r"[a-z0-9][-a-z0-9]*+(?<!-)"
_KEY = rf"(?:(?=[-a-z0-9.]{{1,253}}+/){_DNS_LABEL}(?:\.{_DNS_LABEL})*+/)?+{_NAME}"
_SET = rf"\({_SPACE}(?:{_NAME})?+{_SPACE}(?:,{_SPACE}(?:{_NAME})?+{_SPACE})*+\)"
_REQUIREMENT = (
    rf"(?:!{_SPACE}{_KEY}|{_KEY}"
    rf"(?:[ \t\r\n]++(?:in|notin){_SPACE}{_SET}|{_SPACE}(?:==|!=|=){_SPACE}(?:{_NAME})?+"
    rf"|{_SPACE}[<>]{_SPACE}[0-9]{{1,63}})?+)"
)
_LABEL_SELECTOR: Final = re.compile(rf"{_SPACE}(?:{_REQUIREMENT}{_SPACE}(?:,{_SPACE}{_REQUIREMENT}{_SPACE})*+)?+")
_EACH: Final = re.compile(
    rf"!{_SPACE}(?P<absent>{_KEY})|(?P<key>{_KEY})"
    rf"(?:[ \t\r\n]++(?P<set>in|notin){_SPACE}(?P<values>{_SET})"
    rf"|{_SPACE}(?P<equal>==|!=|=){_SPACE}(?P<value>(?:{_NAME})?)"
    rf"|{_SPACE}(?P<bound>[<>]){_SPACE}[0-9]+)?"
)
# Of fewer digits every number is small enough.
_LARGE_BOUND: Final = re.compile(r"[<>][ \t\r\n]*([0-9]{19,})")

_TERM: Final = re.compile(r"((?:[^\\,]++|\\.)*+)(?:,|\Z)", re.DOTALL)
_OPERATOR: Final = re.compile(r"!=|==|=")
_FIELD_KEY = r"(?:[^\\,=!]++|!(?!=)|\\[^=!]|\\!(?!=))*+"
_FIELD_VALUE = r"(?:[^\\,=]++|\\[\\,=])*+"
# The operator may be what a backslash stands before.
_FIELD_SELECTOR: Final = re.compile(rf"(?:,|{_FIELD_KEY}\\?+(?:!=|==|=){_FIELD_VALUE}(?=,|\Z))*+")


def is_label_selector(text: str) -> bool:
    """True when `text` is a label selector (k8s.io/apimachinery labels.Parse); the empty one is."""
    if not text:
        return True
    if _LABEL_SELECTOR.fullmatch(text) is None:
        return False
    return all(int(bound) < 2**63 for bound in _LARGE_BOUND.findall(text))


def label_requirements(text: str) -> tuple[Requirement, ...]:
    """What the label selector `text` requires, sorted by key; nothing when it is none.

    Comparisons with numbers, which authorization.k8s.io/v1 cannot express, are left out. A selector with more than 1024
    commas requires nothing.
    """
    if text.count(",") > _MOST_COMMAS or not is_label_selector(text):
        return ()
    found = [_label_requirement(match) for match in _EACH.finditer(text) if match["bound"] is None]
    return tuple(sorted(found, key=lambda requirement: requirement.key))


def field_requirements(text: str) -> tuple[Requirement, ...]:
    """What the field selector `text` requires, in the order of its sorted terms; nothing when it is none.

    A selector with more than 1024 commas requires nothing.
    """
    if text.count(",") > _MOST_COMMAS or not is_field_selector(text):
        return ()
    found: list[Requirement] = []
    for term in sorted(_terms(text)):
        operator = _OPERATOR.search(term)
        if operator is None:
            continue
        value = _literal(term[operator.end() :])
        key, how = term[: operator.start()], "NotIn" if operator.group() == "!=" else "In"
        if key or value:
            found.append(Requirement(key, how, (value,)))
    return tuple(found)


def is_field_selector(text: str) -> bool:
    """True when `text` is a field selector (k8s.io/apimachinery fields.ParseSelector); the empty one is."""
    return _FIELD_SELECTOR.fullmatch(text) is not None


def exact_field(text: str, field: str) -> str | None:
    """The value that the field selector `text` requires `field` to have, "" when it requires none.

    None when `text` is no field selector. Of several required values the one whose term sorts first counts.
    """
    if not is_field_selector(text):
        return None
    # Of a comma that is no value's, the backslashes before it stand for themselves, in pairs.
    begins = rf"(?:\A|(?<!\\)(?:\\\\)*+,){re.escape(field)}"
    exact = min(re.findall(rf"{begins}(?=(==?{_FIELD_VALUE}))", text), default="")
    return _literal(exact.removeprefix("=").removeprefix("="))


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


def _literal(value: str) -> str:
    """What the value of a field selector stands for; a backslash in it stands before a backslash, a comma or "="."""
    return "\\".join([part.replace("\\", "") for part in value.split("\\\\")])
