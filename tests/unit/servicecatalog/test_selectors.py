"""Label and field selectors: what they match and what they refuse."""

import pytest
from servicecatalog.selectors import parse_selector
from servicecatalog.status import StatusError

OBJECT = {"metadata": {"name": "one", "namespace": "here", "labels": {"app": "web", "tier": "2", "empty": ""}}}


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app!=web", False),
        ("other!=web", True),
        ("app", True),
        ("!app", False),
        ("!other", True),
        ("app in (web, api)", True),
        ("app in (api)", False),
        ("app notin (api)", True),
        ("other notin (api)", True),
        ("tier>1", True),
        ("tier<2", False),
        ("app>1", False),
        ("empty=", True),
        ("empty in ()", True),
        ("app=web,tier=2", True),
        ("app=web,tier=3", False),
        (" app = web , tier ", True),
        ("example.com/app", False),
    ],
)
def test_label_selectors_follow_the_kubernetes_grammar(selector: str, *, matches: bool) -> None:
    """Equality, sets, existence and integer comparison select as in kube-apiserver."""
    assert parse_selector(selector, "").matches(OBJECT) is matches


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("metadata.name=one", True),
        ("metadata.name==two", False),
        ("metadata.name!=two", True),
        ("metadata.namespace=here,metadata.name=one", True),
        ("metadata.name=one,metadata.namespace!=here", False),
        (r"metadata.name=a\,b", False),
    ],
)
def test_field_selectors_know_name_and_namespace(selector: str, *, matches: bool) -> None:
    """The two fields every object has can be selected by."""
    assert parse_selector("", selector).matches(OBJECT) is matches


@pytest.mark.parametrize("selector", ["a in (", "a in b", "=a", "a=b c", "a,", "a>x", "a=-", "/a", "a()"])
def test_an_unreadable_label_selector_is_refused(selector: str) -> None:
    """A selector that breaks the grammar is 400, and never selects everything."""
    with pytest.raises(StatusError, match="unable to parse requirement") as caught:
        parse_selector(selector, "")

    assert caught.value.code == 400


@pytest.mark.parametrize(("selector", "words"), [("spec.url=x", "not a known field"), ("nothing", "can't understand")])
def test_an_unreadable_field_selector_is_refused(selector: str, words: str) -> None:
    """An unknown field and a malformed term are 400."""
    with pytest.raises(StatusError, match=words) as caught:
        parse_selector("", selector)

    assert caught.value.code == 400
