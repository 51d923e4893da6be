from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from controlplane.settings.request_header import RequestHeader


def section(**settings: object) -> RequestHeader:
    """The section with an authority and these settings."""
    return RequestHeader.model_validate({"clientCAFile": "ca.crt", **settings})


def test_the_headers_are_kubernetes_own_unless_told_otherwise() -> None:
    """Those that a kube-apiserver sends to the servers behind it; a UID only when it is asked for, and any name."""
    actual = section()

    assert actual.client_ca_file == Path("ca.crt")
    assert actual.allowed_names == ()
    assert (actual.username_headers, actual.uid_headers) == (("x-remote-user",), ())
    assert (actual.group_headers, actual.extra_headers_prefix) == (("x-remote-group",), ("x-remote-extra-",))


def test_names_of_headers_are_lower_case_and_trimmed() -> None:
    """Any token will do, in any case, and spaces around it are none of it."""
    actual = section(usernameHeaders=["X-Remote-User", " Gate_User "], extraHeadersPrefix=["X!#$%&'*+.^_`|~-"])

    assert actual.username_headers == ("x-remote-user", "gate_user")
    assert actual.extra_headers_prefix == ("x!#$%&'*+.^_`|~-",)


@pytest.mark.parametrize("name", ["", " ", "X Remote", "X-Remote:", 'X"', "X\\", "-User", "_User", "Ü", "x\ny"])
def test_what_is_no_header_name_is_refused(name: str) -> None:
    """Neither a name nor a prefix may hold what no header name can."""
    for setting in ("usernameHeaders", "uidHeaders", "groupHeaders", "extraHeadersPrefix"):
        with pytest.raises(ValidationError, match="is no header name"):
            section(**{setting: [name]})


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "Host",
        "Impersonate-User",
        "Content-Type",
        "X-Forwarded-For",
        "X_Forwarded_For",
        "X-Isthmus-Route",
        "x_envoy_attempt",
        "Audit-ID",
        "Sec-WebSocket-Protocol",
    ],
)
def test_a_header_with_another_meaning_is_refused(name: str) -> None:
    """It would be taken from every request."""
    for setting in ("usernameHeaders", "uidHeaders", "groupHeaders"):
        with pytest.raises(ValidationError, match="has another meaning already; choose a header of its own"):
            section(**{setting: [name]})


@pytest.mark.parametrize("prefix", ["X-", "x", "X-Forwarded-", "Auth", "Impersonate-Extra-", "X-Isthmus-", "x_i"])
def test_a_prefix_of_headers_with_another_meaning_is_refused(prefix: str) -> None:
    """One that is too short would take headers that others need."""
    with pytest.raises(ValidationError, match="begins headers that have another meaning; choose a longer one"):
        section(extraHeadersPrefix=[prefix])


def test_a_header_of_a_common_family_may_be_named() -> None:
    """X-Forwarded-User is what many proxies send."""
    assert section(usernameHeaders=["X-Forwarded-User"]).username_headers == ("x-forwarded-user",)


@pytest.mark.parametrize(
    "wrong", [{"usernameHeaders": []}, {"allowedNames": [""]}, {"clientCAFile": None}, {"names": []}]
)
def test_what_would_believe_nobody_is_refused(wrong: dict[str, object]) -> None:
    """No header for the name, an empty common name, no authority, and settings there are none of."""
    with pytest.raises(ValidationError):
        section(**wrong)
