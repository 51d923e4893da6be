from __future__ import annotations

import pytest

from controlplane.resources.kinds import KINDS
from controlplane.resources.selectors import Selector, select
from controlplane.resources.status import Status

SECRET = {"metadata": {"name": "x", "namespace": "n", "labels": {"a": "1", "b": "two", "n": "10"}}, "type": "Opaque"}


@pytest.mark.parametrize(
    ("labels", "fields", "expected"),
    [
        ("", "", True),
        ("a", "", True),
        ("!a", "", False),
        ("c", "", False),
        ("!c", "", True),
        ("a=1,b==two", "", True),
        ("a!=1", "", False),
        ("c!=1", "", True),
        ("a in (0,1)", "", True),
        ("a notin (0, 1)", "", False),
        ("n>9", "", True),
        ("n<9", "", False),
        ("b>1", "", False),
        ("a in ()", "", False),
        ("", "metadata.name=x,type=Opaque", True),
        ("", "metadata.namespace!=n", False),
        ("a", "metadata.name=y", False),
    ],
)
def test_selectors_choose(labels: str, fields: str, expected: bool) -> None:
    """An object passes exactly the selectors that upstream lets it pass."""
    selector = select(KINDS["Secret"], labels, fields)

    assert isinstance(selector, Selector)
    assert expected == selector.matches(SECRET)


@pytest.mark.parametrize(
    ("kind", "labels", "fields", "message"),
    [
        ("Secret", "a in", "", "unable to parse requirement: found '' expected: '('"),
        ("Secret", "a b", "", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("Secret", ",a", "", "found ',', expected: !, identifier, or 'end of string'"),
        ("Secret", "a,", "", "found '', expected: identifier after ','"),
        ("Secret", "!a=b", "", "found '=', expected: ',' or 'end of string'"),
        ("Secret", "a in (b", "", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("Secret", "", "a", "invalid selector: 'a'; can't understand 'a'"),
        ("Secret", "", "x=1", "field label not supported: x"),
        ("Secret", "", "type=\\q", "invalid field selector: invalid escape sequence: \\q"),
        ("Role", "", "x=1", '"x" is not a known field selector: only "metadata.name", "metadata.namespace"'),
    ],
)
def test_what_is_no_selector_is_refused(kind: str, labels: str, fields: str, message: str) -> None:
    """A text that cannot be read is 400, with upstream's sentence."""
    refused = select(KINDS[kind], labels, fields)

    assert isinstance(refused, Status)
    assert (400, message) == (refused.code, refused.message)
