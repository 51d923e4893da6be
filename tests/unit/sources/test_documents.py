from __future__ import annotations

import time
from dataclasses import replace

import pytest

from controlplane.model.problem import Origin, Problem
from controlplane.sources.documents import Document, Limits, Unreadable, documents

LIMITS = Limits()


def _read(data: bytes, path: str = "a.yaml") -> tuple[Document, ...]:
    found = documents(data, path, LIMITS)
    assert isinstance(found, tuple)
    return found


def _read_within(data: bytes, values: int) -> tuple[Document, ...]:
    found = documents(data, "a.yaml", replace(LIMITS, values=values))
    assert isinstance(found, tuple)
    return found


def _problem(data: bytes, path: str = "a.yaml", limits: Limits = LIMITS) -> str:
    found = documents(data, path, limits)
    assert isinstance(found, Unreadable)
    return str(found.problem)


@pytest.mark.parametrize(
    ("data", "path", "numbers"),
    [
        (b"a: 1", "a.yaml", [1]),
        (b"---\na: 1\n---\na: 2\n", "a.yaml", [1, 2]),
        (b"---\n---\n# nothing\n---\na: 1\n", "a.yaml", [3]),
        (b"", "a.yaml", []),
        (b'{"a": 1}', "a.json", [1]),
        (b'\xef\xbb\xbf{"a": 1}', "a.json", [1]),
        (b' {"a": 1}', "-", [1]),
        (b"{a: 1}", "-", [1]),
    ],
)
def test_documents_are_numbered_from_one_and_empty_ones_left_out(data: bytes, path: str, numbers: list[int]) -> None:
    """Documents keep their place in the file, in YAML and JSON alike."""
    assert [Origin(path, number) for number in numbers] == [document.origin for document in _read(data, path)]


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"a: [1, x, true, ~]", {"a": [1, "x", True, None]}),
        (b"a: \"1\"\nb: 'true'\nc: !!str 5", {"a": "1", "b": "true", "c": "5"}),
        (b"1: a\ntrue: b", {"1": "a", "true": "b"}),
        (b"a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
        (b"a: &x 5\nc: [*x, *x]", {"a": 5, "c": [5, 5]}),
        (b"&x a: 1\nb: *x", {"a": 1, "b": "a"}),
        (b"a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3", {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}),
        (b"a: |\n  x\n  y\n", {"a": "x\ny\n"}),
    ],
)
def test_yaml_becomes_plain_values(data: bytes, body: object) -> None:
    """Scalars, quotes, aliases and merge keys come out as plain values; keys are always text."""
    [document] = _read(data)

    assert Document(Origin("a.yaml", 1), body) == document


@pytest.mark.parametrize(
    ("data", "path", "message", "remedy"),
    [
        (b"a: 1\nb: 2\na: 3", "a.yaml", 'line 3, column 1: the key "a" is there twice', "keep one of the two"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "a.json", 'the key "c" is there twice', "keep one of the two"),
        (b"- a", "a.yaml", "is not a mapping", "write an object with apiVersion, kind and metadata"),
        (b"[1]", "a.json", "is not a mapping", "write an object with apiVersion, kind and metadata"),
        (
            b"a: !!python/object:os.system x",
            "a.yaml",
            "line 1, column 4: the tag tag:yaml.org,2002:python/object:os.system is not read",
            "write the value without a tag",
        ),
        (
            b"a: !thing {}",
            "a.yaml",
            "line 1, column 4: the tag !thing is not read",
            "write the value without a tag",
        ),
        (
            b"? [a]\n: b",
            "a.yaml",
            "line 1, column 3: a key is not a text",
            "write a plain word before the colon",
        ),
        (
            b"a: &x [*x]",
            "a.yaml",
            "line 1, column 8: the alias *x stands before the end of what it names",
            "write the value itself",
        ),
        (
            b"a: *x",
            "a.yaml",
            "line 1, column 4: the alias *x stands before the end of what it names",
            "write the value itself",
        ),
        (
            b"a: &x [1]\nb:\n  <<: *x",
            "a.yaml",
            "line 3, column 7: << is not followed by the alias of a mapping",
            "write *NAME after it",
        ),
    ],
)
def test_a_document_that_is_not_taken_says_why(data: bytes, path: str, message: str, remedy: str) -> None:
    """A document that is well-formed but ambiguous or unsafe is refused with its place and a remedy."""
    [document] = _read(data, path)

    assert Problem(Origin(path, 1), "", "", message, remedy) == document.problem


def test_a_refused_document_keeps_what_was_read_and_harms_no_other() -> None:
    """What stood before the defect is kept, to tell whose document it was, and the next document is whole."""
    first, second = _read(b"kind: Role\nmetadata:\n  name: a\n  name: b\n---\na: 1\n")

    assert first.body == {"kind": "Role", "metadata": {"name": "a"}}
    assert Document(Origin("a.yaml", 2), {"a": 1}) == second


def test_an_alias_does_not_reach_into_the_next_document() -> None:
    """An anchor is forgotten at the end of its document."""
    _, second = _read(b"a: &x 1\n---\nb: *x\n")

    assert second.problem is not None


@pytest.mark.parametrize(
    ("data", "path", "sentence"),
    [
        (
            b"a: 1\n---\nb: [}\n",
            "a.yaml",
            (
                "a.yaml, document 2: is not YAML (line 3, column 5: did not find expected node content); "
                "mend it; until then nothing in this file is taken over"
            ),
        ),
        (
            b"a: \x07",
            "a.yaml",
            (
                "a.yaml: is not YAML (byte 3: control characters are not allowed); "
                "write it as UTF-8 text; until then nothing in this file is taken over"
            ),
        ),
        (
            b"a: \xff",
            "a.yaml",
            (
                "a.yaml: is not YAML (byte 3: invalid leading UTF-8 octet); "
                "write it as UTF-8 text; until then nothing in this file is taken over"
            ),
        ),
        (
            b'{"a": 1,}',
            "a.json",
            (
                "a.json: is not JSON (line 1, column 8: trailing comma is not allowed); "
                "mend it; until then nothing in this file is taken over"
            ),
        ),
    ],
)
def test_a_file_that_cannot_be_split_says_where_it_ends(data: bytes, path: str, sentence: str) -> None:
    """A syntax error makes the whole file unreadable, and says where it is."""
    assert sentence == _problem(data, path)


def test_a_text_larger_than_the_limit_is_not_read() -> None:
    """A text of one byte more than the limit is refused for its size."""
    sentence = "a.yaml: the file has 6 bytes, more than the 5 that are read; split it into several files"

    assert sentence == _problem(b"a: 123", limits=replace(LIMITS, size=5))
    assert isinstance(documents(b"a: 12", "a.yaml", replace(LIMITS, size=5)), tuple)


def test_an_alias_bomb_is_counted_not_expanded() -> None:
    """Ten levels of ten aliases stand for ten billion values; the document is refused at once and the next one read."""
    levels = b"".join(b"l%d: &l%d [%s]\n" % (n, n, b",".join([b"*l%d" % (n - 1)] * 10)) for n in range(1, 11))
    started = time.perf_counter()
    bomb, after = _read(b"kind: Role\nl0: &l0 [x,x,x,x,x,x,x,x,x,x]\n" + levels + b"---\na: 1\n")
    seconds = time.perf_counter() - started
    message = "line 7, column 22: holds more than 500000 values when its aliases are followed"

    expected = Problem(Origin("a.yaml", 1), "", "", message, "write it without aliases, or in several documents")

    assert expected == bomb.problem
    assert after.problem is None
    assert seconds < 0.5


def test_an_alias_counts_for_all_that_it_names() -> None:
    """The values inside the containers of an alias count each time the alias is written."""
    data = b"a: &a [[[1, 2, 3, 4, 5, 6, 7, 8]]]\nb: [*a, *a, *a, *a, *a]\n"
    [refused] = _read_within(data, 67)
    [taken] = _read_within(data, 68)

    assert refused.problem is not None
    assert taken.problem is None


@pytest.mark.parametrize("data", [b"[" * 3_000_000, b"- " * 1_500_000, b"{a: " * 700_000])
def test_deep_nesting_ends_the_reading_of_the_file(data: bytes) -> None:
    """Megabytes of opening brackets are refused at the hundred-and-first, in no time."""
    started = time.perf_counter()
    sentence = _problem(data)
    seconds = time.perf_counter() - started

    assert sentence.endswith(
        "nests deeper than 100 levels; write it flatter; until then nothing in this file is taken over"
    )
    assert seconds < 0.5


def test_deep_json_is_refused() -> None:
    """JSON that nests deeper than its readers go is refused, whichever of them gives up first."""
    assert "a.json: is not JSON" in _problem(b'{"a":' * 5000, "a.json")
    assert _problem(b'{"a":' * 1000 + b"1" + b"}" * 1000, "a.json").endswith(
        "nests deeper than 100 levels; write it flatter; until then nothing in this file is taken over"
    )
