"""Public keys that tokens are signed with, and the check of a signature.

In: PEM files as kube-apiserver's --service-account-key-file, or a JSON Web Key Set. Out: keys, or why there are none.
Law: a private key is read for its public half and dropped at once; only asymmetric algorithms exist here.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import jwt
import orjson
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from controlplane.auth.certificate import UNREADABLE
from controlplane.auth.jwt.compact import Unverified
from controlplane.errors import SettingsError

PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

ALGORITHMS: Final = frozenset({"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"})
"""What kube-apiserver lets an issuer sign with when it is configured by file; EdDSA is not among it."""

_LEAST_RSA_BITS: Final = 1024
_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_PEM_BLOCK: Final = re.compile(r"-----BEGIN ([^-\n]+)-----\s*([A-Za-z0-9+/=\s]+)-----END \1-----")


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key (DER, SubjectPublicKeyInfo) and the name that tokens call it by."""

    key_id: str
    der: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NoKeys:
    """Why a document gives no keys."""

    reason: str


def keys_of_pem(text: str) -> tuple[VerificationKey, ...] | NoKeys:
    """The RSA and ECDSA keys in all PEM blocks of `text`: public keys, certificates, private keys; others are skipped.

    Each is called as kube-apiserver calls it: by the SHA-256 of its DER form, in base64url.
    """
    keys = [key for block in _PEM_BLOCK.finditer(text) if (key := _public_key(_der(block[2]))) is not None]
    if not keys:
        return NoKeys("data does not contain any valid RSA or ECDSA public keys")
    return tuple(VerificationKey(_name(der), der) for der in map(_spki, keys))


def keys_of_jwks(document: bytes) -> tuple[VerificationKey, ...] | NoKeys:
    """The RSA and ECDSA keys of a JSON Web Key Set (RFC 7517); keys of other kinds and for encryption are skipped."""
    try:
        content = orjson.loads(document)
    except orjson.JSONDecodeError:
        return NoKeys("it is no JSON")
    listed = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        return NoKeys("it is no JSON Web Key Set: it has no list `keys`")
    return tuple(key for entry in listed if (key := _of_jwk(entry)) is not None)


def read_keys(pem_files: Mapping[str, str], jwks_files: Mapping[str, bytes]) -> tuple[VerificationKey, ...]:
    """The keys in files, by path what each holds.

    Raises:
        SettingsError: when a file gives no key; the text names the file and what it should hold.
    """
    keys: list[VerificationKey] = []
    for path, text in pem_files.items():
        found = keys_of_pem(text)
        if isinstance(found, NoKeys):
            raise SettingsError(f"{path}: {found.reason}; write public keys, certificates or private keys in PEM")
        keys += found
    for path, document in jwks_files.items():
        found = keys_of_jwks(document)
        if isinstance(found, NoKeys) or not found:
            reason = found.reason if isinstance(found, NoKeys) else "it has no RSA or ECDSA key for signatures"
            raise SettingsError(
                f'{path}: {reason}; write {{"keys": [...]}} as /openid/v1/jwks of a kube-apiserver shows it'
            )
        keys += found
    return tuple(keys)


class KeyRing:
    """Keys made ready for use; the repr counts them."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Iterable[VerificationKey] = ()) -> None:
        self._keys = tuple((key.key_id, load_der_public_key(key.der)) for key in keys)

    def verifies(self, token: Unverified) -> bool:
        """Whether one of the keys made the signature of `token`, under one of `ALGORITHMS`.

        Only keys of the token's key ID are tried, all of them when it names none.
        """
        return token.algorithm in ALGORITHMS and any(
            _verifies(token, key) for key_id, key in self._keys if token.key_id in ("", key_id)
        )

    def __len__(self) -> int:
        return len(self._keys)

    def __repr__(self) -> str:
        return f"KeyRing({len(self)} keys)"


def _verifies(token: Unverified, key: object) -> bool:
    if isinstance(key, ec.EllipticCurvePublicKey):
        fits = token.algorithm == _CURVES.get(key.curve.name)
    else:
        fits = isinstance(key, rsa.RSAPublicKey) and not token.algorithm.startswith("ES")
    return fits and jwt.get_algorithm_by_name(token.algorithm).verify(token.signed, key, token.signature)


def _of_jwk(entry: object) -> VerificationKey | None:
    if not isinstance(entry, dict) or entry.get("kty") not in ("RSA", "EC"):
        return None
    # To Go's decoder null is the empty string, and what is empty is not said.
    if entry.get("use") not in (None, "", "sig"):
        return None
    key_id = "" if entry.get("kid") is None else entry["kid"]
    try:
        key: object = jwt.PyJWK({name: value for name, value in entry.items() if name != "alg"}).key
    except (jwt.PyJWTError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, UnsupportedAlgorithm):
        return None
    public = _fit(key)
    return VerificationKey(key_id, _spki(public)) if public is not None and isinstance(key_id, str) else None


def _public_key(der: bytes) -> PublicKey | None:
    for read in (
        lambda data: load_der_private_key(data, password=None).public_key(),
        load_der_public_key,
        lambda data: x509.load_der_x509_certificate(data).public_key(),
    ):
        try:
            return _fit(read(der))
        except UNREADABLE:
            continue
    return None


def _fit(key: object) -> PublicKey | None:
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        key = key.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key if key.key_size >= _LEAST_RSA_BITS else None
    return key if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES else None


def _der(block: str) -> bytes:
    try:
        return base64.b64decode("".join(block.split()), validate=True)
    except ValueError:
        return b""


def _spki(key: PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _name(der: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
