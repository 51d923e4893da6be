"""Client certificates of any make, from one authority, valid in the year 2030.

In: names, groups, UIDs, usages. Out: PEM. Law: all come from the authority that `authorities` gives.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controlplane.model.credentials import ClientAuthorities

NOT_BEFORE = datetime(2030, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(2031, 1, 1, tzinfo=UTC)
_UID = x509.ObjectIdentifier("1.3.6.1.4.1.57683.2")
_ISSUER = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "clients")])


def client_certificate(
    *names: str,
    groups: tuple[str, ...] = (),
    uids: tuple[str, ...] = (),
    usages: tuple[x509.ObjectIdentifier, ...] | None = (ExtendedKeyUsageOID.CLIENT_AUTH,),
) -> str:
    """A certificate with these names in its subject."""
    attributes = [
        *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups),
        *(x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names),
        *(x509.NameAttribute(_UID, uid) for uid in uids),
    ]
    builder = _builder(x509.Name(attributes), 2)
    if usages is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return _signed(builder).decode()


@cache
def authorities() -> ClientAuthorities:
    """Whose certificates they are."""
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    return ClientAuthorities(users=_signed(_builder(_ISSUER, 1).add_extension(constraints, critical=True)))


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _builder(subject: x509.Name, number: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=_ISSUER)
        .public_key(_key().public_key())
        .serial_number(number)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
    )


def _signed(builder: x509.CertificateBuilder) -> bytes:
    return builder.sign(_key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
