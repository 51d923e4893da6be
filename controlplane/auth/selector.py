"""Label and field selectors as the Kubernetes API writes them, as far as RequestInfo depends on them.

In: the text of a selector. Out: whether it parses, and which value one field must have.
Law: what the Kubernetes API would refuse is never given a value.
"""

from __future__ import annotations

import re
from typing import Final

_SPACE = r"[ \t\r\n]*"
_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_DNS_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_KEY = rf"(?:(?=[^/]{{1,253}}/){_DNS_LABEL}(?:\.{_DNS_LABEL})*/)?{_NAME}"
_SET = rf"\({_SPACE}(?:{_NAME})?{_SPACE}(?:,{_SPACE}(?:{_NAME})?{_SPACE})*\)"
_REQUIREMENT = (
    rf"(?:!{_SPACE}{_KEY}|{_KEY}"
    rf"(?:[ \t\r\n]+(?:in|notin){_SPACE}{_SET}|{_SPACE}(?:==|!=|=){_SPACE}(?:{_NAME})?"
    rf"|{_SPACE}[<>]{_SPACE}[0-9]{{1,63}})?)"
)
_LABEL_SELECTOR: Final = re.compile(rf"{_SPACE}(?:{_REQUIREMENT}{_SPACE}(?:,{_SPACE}{_REQUIREMENT}{_SPACE})*)?")
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


def exact_field(text: str, field: str) -> str | None:
    """The value that the field selector `text` requires `field` to have, "" when it requires none.

    None when `text` is no field selector (k8s.io/apimachinery fields.ParseSelector). Of several required values the one
    whose term sorts first counts.
    """
    value = ""
    found = False
    for term in sorted(_terms(text)):
        operator = _OPERATOR.search(term)
        if operator is None or _VALUE.fullmatch(term, operator.end()) is None:
            return None
        if not found and operator.group() != "!=" and term[: operator.start()] == field:
            value, found = _ESCAPE.sub(r"\1", term[operator.end() :]), True
    return value


def _terms(text: str) -> list[str]:
    return [match.group(1) for match in _TERM.finditer(text) if match.group(1)]
