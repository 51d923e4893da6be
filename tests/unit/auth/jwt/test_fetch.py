"""Whom a fetch trusts."""

from __future__ import annotations

import ssl

import pytest
from pki import CertificateAuthority

from controlplane.auth.jwt.fetch import trust


def test_remarks_between_certificates_may_be_in_any_language() -> None:
    """A bundle often says whose each certificate is."""
    bundle = f"# Zürich\n{CertificateAuthority('one').certificate.decode()}"

    assert [((("commonName", "one"),),)] == [found["subject"] for found in trust(bundle).get_ca_certs()]


@pytest.mark.parametrize("authority", ["é", "nonsense", " "])
def test_what_holds_no_certificate_is_not_the_systems_roots(authority: str) -> None:
    """It is an error, of whatever characters it is."""
    with pytest.raises(ssl.SSLError):
        trust(authority)
