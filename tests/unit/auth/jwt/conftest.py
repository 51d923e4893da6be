"""Keys and tokens for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from controlplane.auth.jwt.keys import VerificationKey

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Signer = Callable[..., str]


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    """An RSA key of 2048 bits."""
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="session")
def ec_key() -> ec.EllipticCurvePrivateKey:
    """An ECDSA key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="session")
def verification_key(ec_key: ec.EllipticCurvePrivateKey) -> VerificationKey:
    """The public half of `ec_key`, called "one"."""
    return VerificationKey("one", ec_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


@pytest.fixture(scope="session")
def signed(ec_key: ec.EllipticCurvePrivateKey) -> Signer:
    """Signs claims with `ec_key`, or with what is given."""

    def sign(
        claims: Mapping[str, Any], *, key: PrivateKey = ec_key, algorithm: str = "ES256", kid: str | None = "one"
    ) -> str:
        headers = {"kid": kid} if kid is not None else {}
        return jwt.encode(dict(claims), key, algorithm=algorithm, headers=headers)

    return sign
