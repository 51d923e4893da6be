from __future__ import annotations

import pytest

from controlplane.auth.csv_records import NotCsvError, records


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n\r\n\n", []),
        ("\r", []),
        ("a,b", [(1, ["a", "b"])]),
        ("a,b\r\n\nc\r", [(1, ["a", "b"]), (3, ["c"])]),
        ("a,\n,b", [(1, ["a", ""]), (2, ["", "b"])]),
        ('"a,b","c""d",""', [(1, ["a,b", 'c"d', ""])]),
        ('"a\r\nb\n\nc",d\ne', [(1, ["a\nb\n\nc", "d"]), (5, ["e"])]),
        (' "', None),
        ("a\rb, c ", [(1, ["a\rb", " c "])]),
        ("a\r\r\n", [(1, ["a\r"])]),
        ('"a"\r\n"b"\r', [(1, ["a"]), (2, ["b"])]),
        ("\ufeffa", [(1, ["\ufeffa"])]),
        ("#a", [(1, ["#a"])]),
        ("x" * 200_000, [(1, ["x" * 200_000])]),
    ],
)
def test_csv_is_read_as_go_reads_it(text: str, expected: list[tuple[int, list[str]]] | None) -> None:
    """Blank lines are none, a quoted field may have many lines, and a carriage return counts within a line."""
    if expected is None:
        with pytest.raises(NotCsvError):
            list(records(text))
    else:
        assert expected == list(records(text))


@pytest.mark.parametrize("text", ['a"b', '"a', '"a""', '"a"b', '"a" ,b', 'a,"b\nc\n', '""" ', ' "a"', '"\r'])
def test_a_quote_out_of_place_is_no_csv(text: str) -> None:
    """The line is the one on which the record begins."""
    with pytest.raises(NotCsvError) as caught:
        list(records(f"ok\n{text}"))

    assert caught.value.line == 2
