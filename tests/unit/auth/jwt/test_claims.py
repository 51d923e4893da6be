"""Registered claims, and users that backends can be told of."""

from __future__ import annotations

import pytest

from controlplane.auth.evidence import Failed
from controlplane.auth.jwt.claims import audiences, credential_id, moment, user_info
from controlplane.model.identity import UserInfo


@pytest.mark.parametrize(("value", "expected"), [(1, 1.0), (1.5, 1.5), (None, None), (2**60, float(2**60))])
def test_moments_are_numbers(value: object, expected: float | None) -> None:
    """Whole seconds and parts of them; null is no moment."""
    assert moment({"exp": value}, "exp") == expected


@pytest.mark.parametrize("value", ["1", True, [1], {}])
def test_other_moments_fail(value: object) -> None:
    """What is no number is no moment."""
    assert moment({"exp": value}, "exp") == Failed("the claim exp is no number")


@pytest.mark.parametrize(("value", "expected"), [("1", 1.0), ("-1", -1.0), ("1.5e3", 1500.0), ("0", 0.0)])
def test_moments_may_be_quoted(value: str, expected: float) -> None:
    """Some issuers write numbers as strings, which go-oidc reads where it reads a number."""
    assert moment({"exp": value}, "exp", quoted=True) == expected


@pytest.mark.parametrize("value", ["", "soon", "1 ", "01", "+1", "1_0", "0x1", "inf", "nan", "1e999", "\u0661", "1\n"])
def test_what_json_would_not_call_a_number_is_no_quoted_one(value: str) -> None:
    """Nor is one that has no end."""
    assert moment({"exp": value}, "exp", quoted=True) == Failed("the claim exp is no number")


@pytest.mark.parametrize(
    ("value", "expected"), [("a", ("a",)), (["a", "b"], ("a", "b")), ([], ()), (None, ()), ("", ("",))]
)
def test_audiences_are_one_or_many(value: object, expected: tuple[str, ...]) -> None:
    """A string is one audience."""
    assert audiences({"aud": value}) == expected


def test_a_jti_is_a_credential_id() -> None:
    """As kube-apiserver writes it."""
    assert credential_id({"jti": "j"}) == {"authentication.kubernetes.io/credential-id": ("JTI=j",)}


def test_extras_are_sorted() -> None:
    """The same extras make the same user, in whatever order they came."""
    extra = {"b": ("1", "2"), "a": ("3",)}

    assert user_info("jane", "u", ["g"], extra) == UserInfo("jane", "u", ("g",), (("a", ("3",)), ("b", ("1", "2"))))


@pytest.mark.parametrize(
    ("name", "uid", "groups", "extra"),
    [
        ("", "", [], {}),
        ("jane\r", "", [], {}),
        ("jane", " u", [], {}),
        ("jane", "", ["system:masters "], {}),
        ("jane", "", ["g\n"], {}),
        ("jane", "", [], {"a": ("x\0",)}),
    ],
)
def test_users_that_headers_cannot_carry_fail(
    name: str, uid: str, groups: list[str], extra: dict[str, tuple[str, ...]]
) -> None:
    """A value that would reach a backend changed is refused, and is not in the reason."""
    failed = user_info(name, uid, groups, extra)

    assert isinstance(failed, Failed)
    assert "jane" not in failed.reason
