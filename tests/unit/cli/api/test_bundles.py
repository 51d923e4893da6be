"""CA bundles in words."""

from __future__ import annotations

import base64
import datetime

from pki import UNKNOWN_VERSION, VERSION, CertificateAuthority, altered

from controlplane.cli.api.bundles import certificates

NOW = datetime.datetime.now(datetime.UTC)
YEAR = datetime.timedelta(days=365)


def said(pem: bytes, now: datetime.datetime = NOW) -> list[str]:
    """What is said of a bundle, up to the times."""
    return [line.rpartition(" ")[0] for line in certificates(base64.b64encode(pem).decode(), now)]


def test_each_certificate_is_told_with_its_end() -> None:
    """By its subject; a bundle may hold several."""
    pem = CertificateAuthority("one").certificate + CertificateAuthority("two").certificate

    assert ["CN=one (expires at", "CN=two (expires at"] == said(pem)


def test_the_time_is_of_the_api() -> None:
    """RFC 3339, in UTC, to the second."""
    [line] = certificates(base64.b64encode(CertificateAuthority("a").certificate).decode(), NOW)
    moment = datetime.datetime.strptime(line.partition(" at ")[2], "%Y-%m-%dT%H:%M:%SZ)").replace(tzinfo=datetime.UTC)

    assert NOW < moment < NOW + YEAR


def test_what_does_not_hold_now_is_said() -> None:
    """Expired, or not yet valid."""
    pem = CertificateAuthority("a").certificate

    assert ["CN=a (expired at"] == said(pem, NOW + YEAR)
    assert ["CN=a (not valid before"] == said(pem, NOW - YEAR)


def test_what_is_no_certificate_is_said() -> None:
    """Whatever it is instead; an empty bundle is none."""
    assert [] == list(certificates("", NOW))
    for bundle in (
        "!",
        "YQ==",
        base64.b64encode(b"-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----").decode(),
        base64.b64encode(altered(CertificateAuthority("a").certificate, VERSION, UNKNOWN_VERSION)).decode(),
    ):
        [line] = certificates(bundle, NOW)
        assert line.startswith("<cannot be read: ")
