from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from process import ROOT
from pydantic import Field

from controlplane.settings.load import load
from controlplane.settings.reference import Row, page, rows
from controlplane.settings.section import Section


class Inner(Section):
    """A section within."""

    wait: timedelta = timedelta(minutes=90)
    """How long."""
    names: tuple[str, ...] = ("a", "b")


class Outer(Section):
    """A section."""

    file: Path
    """Where it is, which takes two
    lines to say."""
    limit: Annotated[int, Field(ge=1, le=2000)] = 10
    kind: Literal["x", "y"] | None = None
    inner: Inner = Inner()
    list_of: tuple[Inner, ...] = ()
    """Some of them."""


class Derived(Outer):
    """Another section."""

    extra_setting: bool = False
    """Whether there is more."""


def test_a_section_is_listed_with_all_that_is_in_it() -> None:
    """By its place in the file; a section without a text of its own is described by its class."""
    expected = [
        Row("file", "path", "*required*", "Where it is, which takes two lines to say."),
        Row("limit", "number, 1 to 2,000", "`10`", ""),
        Row("kind", "`x`, `y`", "not set", ""),
        Row("inner", "section", "", "A section within."),
        Row("inner.wait", "length of time", "`1h30m`", "How long."),
        Row("inner.names", "list of: text", "`a`, `b`", ""),
        Row("listOf", "list", "none", "Some of them."),
        Row("listOf[].wait", "length of time", "`1h30m`", "How long."),
        Row("listOf[].names", "list of: text", "`a`, `b`", ""),
    ]

    assert expected == list(rows(Outer))


def test_what_is_inherited_is_listed_too() -> None:
    """With what it means."""
    found = {row.path: row.meaning for row in rows(Derived, "derived.")}

    assert "Where it is, which takes two lines to say." == found["derived.file"]
    assert "Whether there is more." == found["derived.extraSetting"]


def test_every_setting_says_what_it_means() -> None:
    """A new setting needs a text below its attribute, in words of the file: no None, no snake_case."""
    assert [] == [row.path for row in rows() if not row.meaning or "None" in row.meaning or "|" in row.meaning]


def test_the_page_is_what_the_code_says() -> None:
    """`make docs` writes it again."""
    assert (ROOT / "docs" / "settings-reference.md").read_text() == page()


def test_the_example_of_the_guide_is_valid(tmp_path: Path) -> None:
    """The settings at the top of the page are accepted, all of them together."""
    text = (ROOT / "docs" / "settings.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    config = tmp_path / "isthmus.yaml"
    config.write_text(text)

    assert 8443 == load(config).front_door.port
