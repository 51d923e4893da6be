from __future__ import annotations

import pickle

import pytest

from controlplane.auth.tokens import TokenTable, load_tokens
from controlplane.errors import SettingsError
from controlplane.model.identity import UserInfo

KEY = b"k" * 32


def test_a_token_file_is_read_as_kube_apiserver_reads_it() -> None:
    """Quoted group lists, missing and empty groups, further columns, blank lines and CRLF are all understood."""
    text = 't1,alice,u1,"dev,qa"\r\n\nt2,bob,,ops,ignored\nt3,"a,b",u3\nt4,carol,u4,"x,,"\n"t\n5",dan,u5,\n,,\n'

    table, problems = load_tokens(text, "tokens.csv", KEY)

    assert [problem.field for problem in problems] == ["line 8"]
    expected = [
        UserInfo("alice", "u1", ("dev", "qa")),
        UserInfo("bob", "", ("ops",)),
        UserInfo("a,b", "u3"),
        UserInfo("carol", "u4", ("x", "", "")),
        UserInfo("dan", "u5", ("",)),
        None,
    ]
    assert expected == [table.user_of(token) for token in ("t1", "t2", "t3", "t4", "t\n5", "t5")]


def test_an_unknown_token_has_no_user() -> None:
    """Neither a prefix of a token, nor the empty token, nor bytes that are no UTF-8 are anybody's."""
    table, _ = load_tokens("secret,alice,1", "tokens.csv", KEY)

    assert [table.user_of(token) for token in ("secre", "", "\udcff")] == [None, None, None]


def test_a_line_without_a_token_is_a_problem_and_no_user() -> None:
    """An empty token is left out and shown, so that nobody is let in without one."""
    table, problems = load_tokens(",alice,1\nt,bob,2", "tokens.csv", KEY)

    assert [str(problem) for problem in problems] == [
        "tokens.csv: line 1: has no token; write one before the first comma or remove the line"
    ]
    assert len(table) == 1


def test_of_two_lines_with_one_token_the_later_counts() -> None:
    """A repeated token is shown as a problem that names both lines and not the token."""
    table, problems = load_tokens("s3cr3t,alice,1\ns3cr3t,bob,2", "tokens.csv", KEY)

    assert [str(problem) for problem in problems] == [
        "tokens.csv: line 2: repeats the token of line 1; keep one of them"
    ]
    assert UserInfo("bob", "2") == table.user_of("s3cr3t")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("s3cr3t,alice", "has 2 fields, not at least three"),
        ("s3cr3t", "has 1 fields, not at least three"),
        ('"s3cr3t,alice,1', "is not CSV"),
        ('"s3cr3t"x,alice,1', "is not CSV"),
        ('s3cr3t,al"ice,1', "is not CSV"),
        ("s3cr3t,,1", "names no user"),
        ('s3cr3t,alice,1,"dev, qa"', "group ' qa' begins or ends with a space"),
        ("s3cr3t, alice,1", "user ' alice' begins or ends with a space"),
        ("s3cr3t,alice,\x01", "uid '\\x01' holds a control character"),
    ],
)
def test_a_bad_line_is_named_and_its_token_is_not(line: str, complaint: str) -> None:
    """A line that cannot be used stops the start with file, line and remedy, and without the token."""
    with pytest.raises(SettingsError) as caught:
        load_tokens(f"ok,root,0\n{line}\n", "/etc/tokens.csv", KEY)

    assert str(caught.value).startswith(f"/etc/tokens.csv, line 2: {complaint}")
    assert "s3cr3t" not in str(caught.value)


def test_a_token_table_shows_no_token() -> None:
    """The repr counts tokens, the memory holds only HMACs, and pickling is refused."""
    table = TokenTable(KEY, {"s3cr3t": UserInfo("alice")})

    assert repr(table) == "TokenTable(1 tokens)"
    assert b"s3cr3t" not in b"".join(table._users)
    with pytest.raises(TypeError):
        pickle.dumps(table)


def test_tables_under_different_keys_hold_different_digests() -> None:
    """What is kept of a token depends on the process's own key."""
    digests = {tuple(TokenTable(key, {"t": UserInfo("a")})._users) for key in (b"1" * 32, b"2" * 32)}

    assert len(digests) == 2
