"""Who is calling, by the proxy's certificate and headers."""

import pytest
from servicecatalog.identity import Stranger, User, authenticate, common_name

ALLOWED = frozenset({"front-proxy"})


def test_the_headers_make_the_user() -> None:
    """Name, UID, groups line by line and extra values are read; commas do not split groups."""
    headers = [
        ("X-Remote-User", "alice"),
        ("X-Remote-Uid", "42"),
        ("X-Remote-Group", "a,b"),
        ("x-remote-group", "c"),
        ("X-Remote-Extra-Example.com%2fScope", "one"),
        ("X-Remote-Extra-example.com%2Fscope", "two"),
        ("X-Other", "ignored"),
    ]
    user = authenticate("front-proxy", ALLOWED, headers)

    assert user == User("alice", "42", ("a,b", "c"), (("example.com/scope", ("one", "two")),))


@pytest.mark.parametrize(
    ("proxy", "allowed", "headers"),
    [
        ("other", ALLOWED, [("X-Remote-User", "alice")]),
        ("", ALLOWED, [("X-Remote-User", "alice")]),
        ("front-proxy", ALLOWED, []),
        ("front-proxy", ALLOWED, [("X-Remote-User", "")]),
        ("front-proxy", ALLOWED, [("X-Remote-Group", "system:masters")]),
    ],
)
def test_a_wrong_proxy_or_a_missing_user_is_a_stranger(
    proxy: str, allowed: frozenset[str], headers: list[tuple[str, str]]
) -> None:
    """Neither the certificate nor the headers are enough alone."""
    assert isinstance(authenticate(proxy, allowed, headers), Stranger)


def test_no_allowed_names_trusts_every_name_the_ca_signed() -> None:
    """An empty list of names leaves the decision to the CA."""
    assert authenticate("anyone", frozenset(), [("X-Remote-User", "alice")]) == User("alice", "", (), ())


def test_the_first_user_name_counts() -> None:
    """A second X-Remote-User line changes nothing."""
    user = authenticate("p", frozenset(), [("X-Remote-User", "alice"), ("X-Remote-User", "root")])

    assert user == User("alice", "", (), ())


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    """Whatever bytes a header holds, the user can be written as JSON."""
    user = authenticate("p", frozenset(), [("X-Remote-User", "a\udcff")])

    assert user == User("a\ufffd", "", (), ())


def test_the_common_name_is_read_from_the_subject() -> None:
    """The form in which `ssl` describes a certificate is understood; no certificate has no name."""
    certificate = {"subject": ((("organizationName", "o"),), (("commonName", "front-proxy"),))}

    assert common_name(certificate) == "front-proxy"
    assert common_name(None) == ""


def test_absent_parts_are_left_out_of_the_audit() -> None:
    """A user with only a name is written as only a name."""
    assert User("alice", "", (), ()).body() == {"username": "alice"}
