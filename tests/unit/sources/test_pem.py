from __future__ import annotations

import datetime
import ssl
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from pki import P256, UNKNOWN_CURVE, CertificateAuthority, altered

from controlplane.sources.pem import (
    certificates,
    in_force,
    keys,
    readable,
    renewed_first,
    wrong_with_certificates,
    wrong_with_key,
)

CA = CertificateAuthority("ca")
CERTIFICATE, KEY = CA.issue("door")
NOW = time.time()
DAY = datetime.timedelta(days=1)
OLD, RENEWED = CA.again(-DAY), CA.again(9 * DAY)
OTHER = CertificateAuthority("ca").certificate
BROKEN = b"-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n"


def test_each_block_is_judged_by_itself() -> None:
    """A broken block gives None in its place; text and keys between blocks are passed over."""
    parsed = list(certificates(b"text\n" + CERTIFICATE + BROKEN + KEY + CA.certificate))

    assert [certificate is not None for certificate in parsed] == [True, False, True]


def test_blocks_that_parse_are_kept_without_the_others() -> None:
    """What all parses stays as it is, byte for byte; of the rest the good blocks stay."""
    whole = b"text\n" + CERTIFICATE + CA.certificate

    assert (whole, CERTIFICATE + CA.certificate) == (readable(whole), readable(CERTIFICATE + BROKEN + CA.certificate))


@pytest.mark.parametrize(
    ("pem", "expected"),
    [
        ((OLD, CA.certificate, RENEWED), (RENEWED, CA.certificate, OLD)),
        ((RENEWED, OLD), (RENEWED, OLD)),
        # Another key is another authority, whatever its name.
        ((OLD, OTHER, RENEWED), (RENEWED, OLD, OTHER)),
        ((OTHER, RENEWED), (OTHER, RENEWED)),
        ((OLD, BROKEN, RENEWED), (OLD, BROKEN, RENEWED)),
    ],
)
def test_of_one_key_the_certificate_that_ends_last_is_first(
    pem: tuple[bytes, ...], expected: tuple[bytes, ...]
) -> None:
    """Authorities with different keys stay in their order; what does not parse leaves everything as it is."""
    assert b"".join(expected) == renewed_first(b"".join(pem))


def test_authorities_out_of_their_period_are_left_out() -> None:
    """Those that ended and those to come, but for a file that would be left without any."""
    later = NOW + 5 * DAY.total_seconds()

    assert CA.certificate == in_force(OLD + CA.certificate, NOW)
    assert RENEWED == in_force(CA.certificate + OTHER + RENEWED, later)
    assert OLD == in_force(CA.certificate + OLD, NOW - 1.5 * DAY.total_seconds())
    assert CA.certificate + OLD == in_force(OLD + CA.certificate, later)


def test_what_else_is_in_a_bundle_stays_in_it() -> None:
    """Envoy heeds revocation lists; a bundle in order is not touched at all."""
    revoked = b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"

    assert RENEWED + OLD + revoked == renewed_first(OLD + revoked + RENEWED)
    assert b"text\n" + RENEWED + revoked + OLD == renewed_first(b"text\n" + RENEWED + revoked + OLD)


def test_a_period_that_no_calendar_has_is_none() -> None:
    """ASN.1 has a year 0."""
    distant = CA.again(40 * 365 * DAY)
    der = ssl.PEM_cert_to_DER_cert(distant.decode())
    year = der.index(b"\x18\x0f") + 2
    strange = ssl.DER_cert_to_PEM_cert(der[:year] + b"0000" + der[year + 4 :]).encode()

    assert CA.certificate == in_force(strange + CA.certificate, NOW)


def test_a_certificate_of_an_unknown_version_does_not_parse() -> None:
    """X.509 knows the versions 1 to 3 as 0 to 2; 2 (the second, which nobody uses) is refused by the parser."""
    der = ssl.PEM_cert_to_DER_cert(CA.certificate.decode())
    second = ssl.DER_cert_to_PEM_cert(der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01", 1)).encode()

    assert [None] == list(certificates(second))


@pytest.mark.parametrize(
    ("pem", "wrong"),
    [
        (CERTIFICATE + CA.certificate, ""),
        (b"", "holds no PEM certificate"),
        (KEY, "holds no PEM certificate"),
        (CERTIFICATE + BROKEN, "certificate 2 in it does not parse"),
    ],
)
def test_every_certificate_of_a_file_must_parse(pem: bytes, wrong: str) -> None:
    """A file of certificates holds at least one, and each of them parses."""
    assert wrong == wrong_with_certificates(pem)


def test_a_key_belongs_to_the_first_certificate() -> None:
    """A key is right when it is that of the first certificate, not of a later one."""
    other = "does not belong to the first certificate of the certificate file"

    assert not wrong_with_key(KEY, CERTIFICATE + CA.certificate)
    assert other == wrong_with_key(KEY, CA.certificate + CERTIFICATE)
    assert other == wrong_with_key(KEY, b"")


def test_a_certificate_with_a_key_of_an_unknown_kind_stops_nothing() -> None:
    """It parses; no private key belongs to it, and it is nobody's authority."""
    strange = altered(CERTIFICATE, P256, UNKNOWN_CURVE)

    assert not wrong_with_certificates(strange)
    assert "does not belong to the first certificate of the certificate file" == wrong_with_key(KEY, strange)
    assert keys(CA.certificate) == keys(strange + CA.certificate)


def test_a_key_that_cannot_be_used_says_why() -> None:
    """A key behind a password and a file without key are told apart."""
    locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
    )

    assert wrong_with_key(locked, CERTIFICATE) == "is protected by a password"
    assert wrong_with_key(CERTIFICATE, CERTIFICATE) == "holds no PEM private key that can be read"
