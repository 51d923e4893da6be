"""Throw-away certificates for tests: authorities and the leaf certificates they issue.

In: names and addresses. Out: PEM bytes. Law: every certificate passes OpenSSL's strict checks (key identifiers, key
usage), so that a test that sees a handshake fail sees it fail for its own reason.
"""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Iterable
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VERSION, UNKNOWN_VERSION = b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x04"
"""The version of a certificate (DER), and one that there is none."""
P256, UNKNOWN_CURVE = b"\x2a\x86\x48\xce\x3d\x03\x01\x07", b"\x2a\x86\x48\xce\x3d\x03\x01\x3f"
"""The object identifier of the curve of a key (DER), and one that there is none."""
PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_DAY = datetime.timedelta(days=1)


def altered(pem: bytes, before: bytes, after: bytes) -> bytes:
    """A certificate (PEM) with other bytes at the first place in its DER that has `before`; its signature is wrong."""
    der = ssl.PEM_cert_to_DER_cert(pem.decode())
    assert before in der
    return ssl.DER_cert_to_PEM_cert(der.replace(before, after, 1)).encode()


class CertificateAuthority:
    """An authority with an ECDSA P-256 key, self-signed or signed by `issuer`; `certificate` is its PEM."""

    def __init__(self, name: str, issuer: CertificateAuthority | None = None) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name, ())
        by = issuer or self
        builder = _builder(self._name, by._name, self._key.public_key(), ca=True, not_after=_now() + _DAY)
        if issuer is not None:
            builder = builder.add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer._key.public_key()), critical=False
            )
        self._certificate = builder.sign(by._key, hashes.SHA256())
        self.certificate: bytes = self._certificate.public_bytes(serialization.Encoding.PEM)

    def again(self, lifetime: datetime.timedelta) -> bytes:
        """Another certificate (PEM) of the same name and key; a negative `lifetime` makes one that has expired."""
        builder = _builder(self._name, self._name, self._key.public_key(), ca=True, not_after=_now() + lifetime)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        common_name: str,
        *,
        organizations: Iterable[str] = (),
        dns_names: Iterable[str] = (),
        ip_addresses: Iterable[str] = (),
        uris: Iterable[str] = (),
        client: bool = True,
        server: bool = True,
        lifetime: datetime.timedelta = _DAY,
        key: PrivateKey | None = None,
    ) -> tuple[bytes, bytes]:
        """A certificate and its private key (both PEM) for `common_name`; `organizations` become its groups.

        `client` and `server` are the extended key usages; a negative `lifetime` makes one that has expired. Without
        `key` one is made on P-256.
        """
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = _name(common_name, organizations)
        not_after = _now() + lifetime
        builder = _builder(subject, self._name, key.public_key(), ca=False, not_after=not_after)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
        )
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH] * client + [ExtendedKeyUsageOID.SERVER_AUTH] * server
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in dns_names]
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in ip_addresses]
        names += [x509.UniformResourceIdentifier(uri) for uri in uris]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def _now() -> datetime.datetime:
    return datetime.datetime.now(tz=datetime.UTC)


def _name(common_name: str, organizations: Iterable[str]) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization) for organization in organizations]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey,
    *,
    ca: bool,
    not_after: datetime.datetime,
) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(_now(), not_after) - _DAY)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )
