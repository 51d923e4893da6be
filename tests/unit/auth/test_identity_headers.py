from __future__ import annotations

import pytest

from controlplane.auth.identity_headers import identity_headers, unfit
from controlplane.model.identity import UserInfo


def test_every_group_and_extra_value_has_a_line_of_its_own() -> None:
    """Groups and extra values are never joined, and commas in them are left alone."""
    user = UserInfo("alice", "42", ("a,b", "c"), (("example.com/scopes", ("x", "y")),))

    actual = identity_headers(user)

    expected = (
        ("x-remote-user", "alice"),
        ("x-remote-uid", "42"),
        ("x-remote-group", "a,b"),
        ("x-remote-group", "c"),
        ("x-remote-extra-example.com%2fscopes", "x"),
        ("x-remote-extra-example.com%2fscopes", "y"),
    )
    assert expected == actual


def test_empty_uid_and_groups_are_left_out() -> None:
    """A user without a UID gets no x-remote-uid, and an empty group no line."""
    actual = identity_headers(UserInfo("alice", groups=("",)))

    assert actual == (("x-remote-user", "alice"),)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("plain-key_1.x", "plain-key_1.x"),
        ("!#$&'*+-.^_`|~", "!#$&'*+-.^_`|~"),
        ("a%b", "a%25b"),
        ("a b", "a%20b"),
        ("é", "%c3%a9"),
        ("(x)", "%28x%29"),
    ],
)
def test_extra_keys_are_escaped_as_client_go_escapes_them(key: str, name: str) -> None:
    """Every byte that is no token character, and the percent sign, is percent-encoded in the header's name."""
    actual = identity_headers(UserInfo("alice", extra=((key, ("v",)),)))

    assert (f"x-remote-extra-{name}", "v") == actual[-1]


@pytest.mark.parametrize(
    "user",
    [
        UserInfo(""),
        UserInfo("a\nb"),
        UserInfo("a", uid="\x00"),
        UserInfo("a", groups=("b\r\nx-remote-group: system:masters",)),
        UserInfo("a", groups=(" system:masters",)),
        UserInfo("a", extra=(("k", ("v ",)),)),
    ],
)
def test_an_identity_that_would_be_read_back_differently_is_never_written(user: UserInfo) -> None:
    """A missing name, a control character or an outer space anywhere is an error that does not show the value."""
    with pytest.raises(ValueError, match=r"^(a user without|the value of x-remote-)") as caught:
        identity_headers(user)

    assert "masters" not in str(caught.value)


@pytest.mark.parametrize("value", ["", "a", "a b", "é", "system:masters"])
def test_ordinary_values_are_fit_for_a_header(value: str) -> None:
    """Inner spaces and characters beyond ASCII travel in a header unchanged."""
    actual = unfit(value)

    assert actual is None
