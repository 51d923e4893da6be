from __future__ import annotations

import ssl

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from pki import P256, UNKNOWN_CURVE, CertificateAuthority, altered

from controlplane.sources.pem import certificates, keys, readable, wrong_with_certificates, wrong_with_key

CA = CertificateAuthority("ca")
CERTIFICATE, KEY = CA.issue("door")
BROKEN = b"-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n"


def test_each_block_is_judged_by_itself() -> None:
    """A broken block gives None in its place; text and keys between blocks are passed over."""
    parsed = list(certificates(b"text\n" + CERTIFICATE + BROKEN + KEY + CA.certificate))

    assert [certificate is not None for certificate in parsed] == [True, False, True]


def test_blocks_that_parse_are_kept_without_the_others() -> None:
    """What all parses stays as it is, byte for byte; of the rest the good blocks stay."""
    whole = b"text\n" + CERTIFICATE + CA.certificate

    assert (whole, CERTIFICATE + CA.certificate) == (readable(whole), readable(CERTIFICATE + BROKEN + CA.certificate))


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
