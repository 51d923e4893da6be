"""CSV as Go's encoding/csv reads it with its default settings, which Python's own reader does not.

In: text. Out: records, each with the line it begins on. Law: a quote stands around a whole field or is doubled inside
one, and nothing else is CSV.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_PLAIN: Final = re.compile(r'[^",\n]*')
# A quoted field may have any number of lines.
_QUOTED: Final = re.compile(r'"([^"]*(?:""[^"]*)*)"')


class NotCsvError(ValueError):
    """The text is no CSV; `line` (from 1) is where the record begins that is none."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line} is not CSV")
        self.line = line


def records(text: str) -> Iterator[tuple[int, list[str]]]:
    """The records of `text`; lines with nothing in them are none, and lines may end in CRLF.

    Raises:
        NotCsvError: when a quote is out of place, or is not closed.
    """
    # At the very end a carriage return belongs to no line break, and is dropped all the same.
    text = text.replace("\r\n", "\n").removesuffix("\r")
    place, line = 0, 1
    while place < len(text):
        if text[place] == "\n":
            place, line = place + 1, line + 1
            continue
        fields, end = _record(text, place, line)
        yield line, fields
        line += text.count("\n", place, end)
        place = end


def _record(text: str, place: int, line: int) -> tuple[list[str], int]:
    """The fields of the record that begins at `place`, and where the next one may begin."""
    fields: list[str] = []
    while True:
        quoted = text.startswith('"', place)
        field = (_QUOTED if quoted else _PLAIN).match(text, place)
        end = text[field.end() : field.end() + 1] if field is not None else '"'
        if field is None or end not in (",", "\n", ""):
            raise NotCsvError(line)
        fields.append(field[1].replace('""', '"') if quoted else field[0])
        place = field.end() + 1
        if end != ",":
            return fields, place
