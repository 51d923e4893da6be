"""The development PKI: four authorities and the certificates `isthmus up` needs, kept between starts.

In: a folder and the time. Out: `<name>.crt` and `<name>.key` (PEM) for everything below. Law: an authority, once made,
stays; a certificate is issued anew, for the same key, only when it runs out or lacks a name; what does not fit together
is said and never repaired silently.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controlplane.cli import files
from controlplane.errors import StartError
from controlplane.model.credentials import KeyPair, Secret

AUTHORITIES: Final = ("client-ca", "serving-ca", "front-proxy-ca", "servicecatalog-ca")
USERS: Final = ("admin", "alice")

_DAY: Final = datetime.timedelta(days=1)
_AUTHORITY_LIFETIME: Final = 3650 * _DAY
_LEAF_LIFETIME: Final = 365 * _DAY
_RENEW_BEFORE: Final = 30 * _DAY
# A clock that is set back a little must not make a fresh certificate "not yet valid".
_CLOCK_SKEW: Final = datetime.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One certificate to be had: a server's when it has `names` (DNS names and IP addresses), else a client's."""

    name: str
    authority: str
    common_name: str
    organization: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Pair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def leaves(address: str) -> tuple[Leaf, ...]:
    """All certificates for a front door that listens on `address` (an IP address)."""
    local = ("localhost", "127.0.0.1", "::1")
    own = () if address in local or ipaddress.ip_address(address).is_unspecified else (address,)
    cluster = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")
    return (
        Leaf("serving", "serving-ca", "isthmus", names=(*local, *own, *cluster)),
        Leaf("front-proxy-client", "front-proxy-ca", "front-proxy-client"),
        Leaf("admin", "client-ca", "admin", organization="system:masters"),
        Leaf("alice", "client-ca", "alice", organization="developers"),
        Leaf(
            "servicecatalog", "servicecatalog-ca", "servicecatalog", names=("servicecatalog.servicecatalog.svc", *local)
        ),
    )


def ensure(folder: Path, wanted: Iterable[Leaf], now: datetime.datetime) -> tuple[str, ...]:
    """Makes `folder` hold every authority and every leaf `wanted`; returns the names of the leaves issued.

    Raises:
        StartError: when a file is missing, unreadable or does not belong to the others.
        OSError: when the folder cannot be written.
    """
    if folder.exists():
        folder.chmod(0o700)
        return _complete(folder, wanted, now)
    # The folder appears whole, by one rename, so that an interrupted first start leaves no half of a PKI behind.
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        for name in AUTHORITIES:
            _store(scratch, name, _self_signed(f"isthmus {name}", now))
        issued = _complete(scratch, wanted, now)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return issued


def read(folder: Path, name: str) -> KeyPair:
    """The certificate and key of `name`, as PEM."""
    return KeyPair((folder / f"{name}.crt").read_bytes(), Secret((folder / f"{name}.key").read_bytes()))


def _complete(folder: Path, wanted: Iterable[Leaf], now: datetime.datetime) -> tuple[str, ...]:
    authorities: dict[str, _Pair] = {}
    for name in AUTHORITIES:
        authority = _load(folder, name)
        if authority is None:
            raise StartError(f"{folder / name}.crt is missing; {_remedy(folder)}")
        if authority.certificate.not_valid_after_utc - now < _RENEW_BEFORE:
            expiry = authority.certificate.not_valid_after_utc.date()
            raise StartError(f"{folder / name}.crt is valid only until {expiry}; {_remedy(folder)}")
        authorities[name] = authority
    issued: list[str] = []
    for leaf in wanted:
        authority = authorities[leaf.authority]
        pair = _load(folder, leaf.name)
        if pair is not None:
            _require_issued_by(folder, leaf, pair, authority)
            if _good(leaf, pair.certificate, now):
                continue
        key = pair.key if pair is not None else ec.generate_private_key(ec.SECP256R1())
        _store(folder, leaf.name, _Pair(_issue(leaf, key, authority, now), key))
        issued.append(leaf.name)
    return tuple(issued)


def _load(folder: Path, name: str) -> _Pair | None:
    certificate_file, key_file = folder / f"{name}.crt", folder / f"{name}.key"
    present = [file for file in (certificate_file, key_file) if file.exists()]
    if not present:
        return None
    if len(present) == 1:
        missing = key_file if present == [certificate_file] else certificate_file
        raise StartError(f"{missing} is missing; {_remedy(folder)}")
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    except ValueError as error:
        raise StartError(f"{certificate_file} holds no PEM certificate; {_remedy(folder)}") from error
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise StartError(f"{key_file} holds no PEM private key; {_remedy(folder)}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise StartError(f"{key_file} is not the key of {certificate_file.name}; {_remedy(folder)}")
    return _Pair(certificate, key)


def _require_issued_by(folder: Path, leaf: Leaf, pair: _Pair, authority: _Pair) -> None:
    try:
        pair.certificate.verify_directly_issued_by(authority.certificate)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise StartError(
            f"{folder / leaf.name}.crt was not issued by {leaf.authority}.crt; {_remedy(folder)}"
        ) from error


def _good(leaf: Leaf, certificate: x509.Certificate, now: datetime.datetime) -> bool:
    in_time = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc - _RENEW_BEFORE
    names: set[str] = set()
    with contextlib.suppress(x509.ExtensionNotFound):
        present = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = {str(name.value) for name in present}
    return in_time and names.issuperset(leaf.names)


def _remedy(folder: Path) -> str:
    return f"delete the folder {folder} and start again: every certificate in it is made anew"


def _store(folder: Path, name: str, pair: _Pair) -> None:
    private = pair.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    if not (folder / f"{name}.key").exists():
        files.write(folder / f"{name}.key", private, mode=0o600)
    files.write(folder / f"{name}.crt", pair.certificate.public_bytes(serialization.Encoding.PEM))


def _self_signed(common_name: str, now: datetime.datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = _builder(name, name, key.public_key(), ca=True, now=now, not_after=now + _AUTHORITY_LIFETIME)
    return _Pair(builder.sign(key, hashes.SHA256()), key)


def _issue(leaf: Leaf, key: ec.EllipticCurvePrivateKey, authority: _Pair, now: datetime.datetime) -> x509.Certificate:
    organization = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, leaf.organization)] if leaf.organization else []
    subject = x509.Name([*organization, x509.NameAttribute(NameOID.COMMON_NAME, leaf.common_name)])
    not_after = min(now + _LEAF_LIFETIME, authority.certificate.not_valid_after_utc)
    usage = ExtendedKeyUsageOID.SERVER_AUTH if leaf.names else ExtendedKeyUsageOID.CLIENT_AUTH
    issuer = authority.certificate
    builder = (
        _builder(subject, issuer.subject, key.public_key(), ca=False, now=now, not_after=not_after)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    )
    if leaf.names:
        names = [_general_name(name) for name in leaf.names]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(authority.key, hashes.SHA256())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    *,
    ca: bool,
    now: datetime.datetime,
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
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )
