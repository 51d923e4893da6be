"""A query is read as by a reader that takes it apart pair by pair."""

from __future__ import annotations

import re
from urllib.parse import unquote

from hypothesis import example, given
from hypothesis import strategies as st

from controlplane.auth.escapes import unescaped_text
from controlplane.auth.requestinfo import request_info
from controlplane.auth.selector import exact_field, is_field_selector, is_label_selector
from controlplane.model.identity import RequestInfo

KEYS = ("watch", "limit", "timeoutSeconds", "fieldSelector", "labelSelector")
PIECES = st.sampled_from(
    [
        *(*KEYS, *(f"{key}=" for key in KEYS), "&", "&", "&", "=", ";", "+", "%", "%zz", "?", "#"),
        *("w%61tch", "%6Cimit", "%6cimit", "fieldSelecto%72=", "%77", "true", "false", "FALSE", "0", "1", "fal%C5%BFe"),
        *("metadata.name=x", "metadata.name%3Dx", "metadata%2Ename=y", "a%20b", "a=b", "%2C", ",", "%5C", "\\", "!"),
        *("9" * 19, "-5", "\u00e9", "%C3", "metadata.name=..", "metadata.name=a/b"),
    ]
)
QUERIES = st.lists(PIECES, max_size=14).map("".join)
TERMS = st.lists(
    st.sampled_from(["metadata.name", "a", "=", "==", "!=", "!", "\\", ",", ",", "\\,", "\\=", "\\\\", "x", "\n"]),
    max_size=12,
).map("".join)


def pairs(query: str) -> dict[str, str]:
    """The first value of each key, as Go's url.ParseQuery reads it."""
    values: dict[str, str] = {}
    for pair in query.split("&"):
        if pair and ";" not in pair and not re.search(r"%(?![0-9A-Fa-f]{2})", pair):
            key, _, value = pair.partition("=")
            values.setdefault(unquote(key.replace("+", " ")), unquote(value.replace("+", " ")))
    return values


def required(text: str) -> str | None:
    """The name that a field selector requires, "" for none, None when it is no field selector."""
    names: list[tuple[str, str]] = []
    for term in re.findall(r"((?:[^\\,]|\\.|\\\Z)*)(?:,|\Z)", text, re.DOTALL):
        operator = re.search(r"!=|==|=", term)
        if term and (operator is None or not re.fullmatch(r"(?:[^\\,=]|\\[\\,=])*", term[operator.end() :])):
            return None
        if term and operator and operator[0] != "!=" and term[: operator.start()] == "metadata.name":
            names.append((term, re.sub(r"\\(.)", r"\1", term[operator.end() :])))
    return min(names)[1] if names else ""


def is_int64(text: str) -> bool:
    """Whether Go would read the text as an int64."""
    return re.fullmatch(r"[+-]?[0-9]+", text) is not None and -(2**63) <= int(text) < 2**63


@given(QUERIES)
@example("watch=fal%C5%BFe&fieldSelector=a=b&limit=x")
@example("watch=fal%C5%BFe&labelSelector=,")
def test_a_query_says_what_its_pairs_say(query: str) -> None:
    """Verb, name and selectors of a list or watch are those of the first pair of each key."""
    said = pairs(query)
    name = required(said.get("fieldSelector", ""))
    parses = all(is_int64(said[key]) for key in ("limit", "timeoutSeconds") if key in said)
    whole = parses and name is not None and is_label_selector(said.get("labelSelector", ""))
    watch = said.get("watch", "0").casefold() if whole else said.get("watch", "0").lower()
    fit = whole and name not in {".", ".."} and not {"/", "%"} & set(name or "")

    actual = request_info("GET", f"/api/v1/pods?{query}")

    assert isinstance(actual, RequestInfo)
    assert ("list" if watch in {"0", "false"} else "watch", name if fit else "") == (actual.verb, actual.name)
    assert said.get("fieldSelector", "") == actual.field_selector
    assert said.get("labelSelector", "") == actual.label_selector


@given(TERMS)
@example("a\\,metadata.name=x")
@example("metadata.name=\\\\,metadata.name=x")
def test_a_field_selector_requires_what_its_terms_require(text: str) -> None:
    """Taken as a whole it is what it is term by term."""
    assert required(text) == exact_field(text, "metadata.name")
    assert is_field_selector(text) is (required(text) is not None)


@given(
    st.lists(
        st.sampled_from(["%", "%4", "%41", "%C3", "%A9", "%ff", "%00", "=", "=3D", "\n", "\r", "a", "\u00e9", "%25"])
    )
)
def test_escapes_are_read_as_by_others(pieces: list[str]) -> None:
    """With and without percent signs that begin no escape."""
    assert unquote("".join(pieces)) == unescaped_text("".join(pieces))
