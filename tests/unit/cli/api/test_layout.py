"""The layout of `isthmus describe`."""

from __future__ import annotations

from controlplane.cli.api.layout import Line, several, table, text


def test_values_of_a_run_are_below_each_other() -> None:
    """A heading or a table ends the run."""
    parts = [
        Line(0, "Name", "a"),
        *several(0, "Labels", ["x=1", "y=2"]),
        *several(0, "Annotations", []),
        *table(0, "Rows", ("A", "Long"), [("1", "2"), ("one", "")]),
        *table(1, "None", ("A",), []),
        Line(0, "Head"),
        Line(1, "Longer Label", "b"),
        Line(1, "C", "d"),
    ]

    assert [
        "Name:         a",
        "Labels:       x=1",
        "              y=2",
        "Annotations:  <none>",
        "Rows:",
        "  A     Long",
        "  -     ----",
        "  1     2",
        "  one",
        "  None:  <none>",
        "Head:",
        "  Longer Label:  b",
        "  C:             d",
    ] == text(parts).split("\n")


def test_values_move_no_cursor() -> None:
    """What is not printable is a space."""
    parts = [Line(0, "Name", "a\x1b[1m\nb"), *table(0, "T", ("A",), [("c\r\x00",)])]

    assert "Name:  a [1m b\nT:\n  A\n  -\n  c" == text(parts)


def test_nothing_is_nothing() -> None:
    """Not even an empty line."""
    assert "" == text(())
