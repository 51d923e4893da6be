"""Settings of JSON Web Tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from controlplane.settings.authentication import Authentication, ServiceAccounts

ISSUER = "https://kubernetes.default.svc"


def test_no_token_is_believed_unless_told_so() -> None:
    """By default there are no service accounts, no audiences and no file."""
    section = Authentication()

    assert (None, (), None) == (section.service_accounts, section.audiences, section.configuration_file)


def test_service_accounts_are_written_as_kube_apiserver_calls_them() -> None:
    """Every key of the section is read; tokens that never end must be asked for."""
    section = Authentication.model_validate(
        {
            "serviceAccounts": {
                "issuers": [ISSUER],
                "keyFiles": ["sa.pub"],
                "jwksFile": "jwks.json",
                "jwksURI": "https://kube/openid/v1/jwks",
                "caFile": "ca.pem",
            },
            "audiences": ["isthmus"],
            "configurationFile": "authentication.yaml",
        }
    )

    assert section.audiences == ("isthmus",)
    assert section.configuration_file == Path("authentication.yaml")
    assert section.service_accounts == ServiceAccounts(
        issuers=(ISSUER,),
        key_files=(Path("sa.pub"),),
        jwks_file=Path("jwks.json"),
        jwks_uri="https://kube/openid/v1/jwks",
        ca_file=Path("ca.pem"),
        legacy_tokens=False,
    )


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"issuers": [], "keyFiles": ["a"]}, "at least 1 item"),
        ({"issuers": [""], "keyFiles": ["a"]}, "at least 1 character"),
        ({"issuers": [ISSUER]}, "no key is named; set keyFiles, jwksFile or jwksURI"),
        ({"issuers": [ISSUER], "jwksURI": "http://kube/jwks"}, "is not https; write https://HOST:PORT/openid/v1/jwks"),
        ({"issuers": [ISSUER], "keyFiles": ["a"], "caFile": "b"}, "caFile is set, and jwksURI is not; remove caFile"),
        ({"issuers": [ISSUER], "keyFiles": ["a"], "lookup": True}, "Extra inputs are not permitted"),
    ],
)
def test_what_does_not_fit_is_explained(wrong: dict[str, object], complaint: str) -> None:
    """The complaint says what is wrong and what to do."""
    with pytest.raises(ValidationError, match=complaint):
        ServiceAccounts.model_validate(wrong)
