from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CertificateMaker = Callable[..., str]

NOT_BEFORE = datetime(2030, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(2031, 1, 1, tzinfo=UTC)
UID = x509.ObjectIdentifier("1.3.6.1.4.1.57683.2")


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="session")
def make_certificate() -> CertificateMaker:
    """Makes the PEM of a self-signed client certificate, valid in the year 2030."""

    def make(
        *names: str,
        groups: tuple[str, ...] = (),
        uids: tuple[str, ...] = (),
        usages: tuple[x509.ObjectIdentifier, ...] | None = (ExtendedKeyUsageOID.CLIENT_AUTH,),
    ) -> str:
        attributes = [
            *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups),
            *(x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names),
            *(x509.NameAttribute(UID, uid) for uid in uids),
        ]
        builder = (
            x509.CertificateBuilder(subject_name=x509.Name(attributes), issuer_name=x509.Name(attributes))
            .public_key(_key().public_key())
            .serial_number(1)
            .not_valid_before(NOT_BEFORE)
            .not_valid_after(NOT_AFTER)
        )
        if usages is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        certificate = builder.sign(_key(), hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM).decode()

    return make
