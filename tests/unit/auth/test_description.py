"""What the files of authentication come to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pki import CertificateAuthority

from controlplane.auth.description import Description, described
from controlplane.errors import SettingsError
from controlplane.settings.authentication import Authentication
from controlplane.settings.webhooks import Authorizers


def of_accounts(read: Callable[[Path], bytes]) -> Description:
    """What service accounts come to whose keys are fetched from a server with an authority of its own."""
    accounts = {"issuers": ["https://a"], "jwksURI": "https://a/keys", "caFile": "ca.pem"}
    authentication = Authentication.model_validate({"serviceAccounts": accounts})
    return described(authentication, Authorizers(), read, environment={}, key=bytes(16))[0]


def test_an_authority_may_be_called_by_its_name() -> None:
    """What is not ASCII in a bundle is a remark."""
    text = f"# Zürich\n{CertificateAuthority('one').certificate.decode()}"
    accounts = of_accounts(lambda _: text.encode()).jwt.service_accounts

    assert accounts is not None
    assert text == accounts.certificate_authority


def test_an_authority_that_is_no_certificate_is_said() -> None:
    """Where it is named, and what to do."""
    with pytest.raises(SettingsError, match=r"serviceAccounts\.caFile: .* put PEM certificates there"):
        of_accounts(lambda _: "é".encode())
