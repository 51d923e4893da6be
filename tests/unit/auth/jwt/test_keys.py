"""Public keys, and the check of signatures."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pki import UNKNOWN_VERSION, VERSION, CertificateAuthority, altered

from controlplane.auth.jwt.compact import unverified
from controlplane.auth.jwt.keys import KeyRing, NoKeys, VerificationKey, keys_of_jwks, keys_of_pem, read_keys
from controlplane.errors import SettingsError

CLAIMS = {"iss": "x"}
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def public_pem(key: PrivateKey) -> str:
    """The public half of `key`."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def private_pem(key: PrivateKey, form: PrivateFormat) -> str:
    """The private key itself."""
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def jwk(key: PrivateKey, **more: object) -> dict[str, Any]:
    """The public half of `key` as a JSON Web Key."""
    kind = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**kind.to_jwk(key.public_key(), as_dict=True), **more}


def key_set(*keys: object) -> bytes:
    """A JSON Web Key Set."""
    return json.dumps({"keys": keys}).encode()


def ring(*keys: VerificationKey) -> KeyRing:
    """The keys made ready."""
    return KeyRing(keys)


def verified(key_ring: KeyRing, token: str) -> bool:
    """Whether one of the keys signed `token`."""
    parts = unverified(token)
    return parts is not None and key_ring.verifies(parts)


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
def test_rsa_signatures_hold(algorithm: str, rsa_key: rsa.RSAPrivateKey, signed: Callable[..., str]) -> None:
    """All of RS* and PS* are verified with an RSA key, whatever `alg` its JWK names."""
    keys = keys_of_jwks(key_set(jwk(rsa_key, kid="one", alg="RS256")))

    assert not isinstance(keys, NoKeys)
    assert verified(ring(*keys), signed(CLAIMS, key=rsa_key, algorithm=algorithm))


@pytest.mark.parametrize(
    ("curve", "algorithm"), [(ec.SECP256R1(), "ES256"), (ec.SECP384R1(), "ES384"), (ec.SECP521R1(), "ES512")]
)
def test_ecdsa_signatures_hold(curve: ec.EllipticCurve, algorithm: str, signed: Callable[..., str]) -> None:
    """Each ES* is verified with a key on its curve, from a JWK and from PEM."""
    key = ec.generate_private_key(curve)
    of_jwks, of_pem = keys_of_jwks(key_set(jwk(key, kid="one"))), keys_of_pem(public_pem(key))
    token = signed(CLAIMS, key=key, algorithm=algorithm)

    assert not isinstance(of_jwks, NoKeys)
    assert not isinstance(of_pem, NoKeys)
    assert verified(ring(*of_jwks), token)
    assert verified(ring(*of_pem), signed(CLAIMS, key=key, algorithm=algorithm, kid=None))


def test_another_keys_signature_does_not_hold(verification_key: VerificationKey, signed: Callable[..., str]) -> None:
    """A signature by another key of the same curve is refused."""
    token = signed(CLAIMS, key=ec.generate_private_key(ec.SECP256R1()))

    assert not verified(ring(verification_key), token)


def test_a_changed_token_does_not_hold(verification_key: VerificationKey, signed: Callable[..., str]) -> None:
    """Other claims under a good signature are refused."""
    header, _, signature = signed(CLAIMS).split(".")
    other = base64.urlsafe_b64encode(b'{"iss":"x","sub":"admin"}').rstrip(b"=").decode()

    assert not verified(ring(verification_key), f"{header}.{other}.{signature}")


@pytest.mark.parametrize(("kid", "expected"), [("one", True), (None, True), ("", True), ("two", False), ("ONE", False)])
def test_the_key_id_chooses(
    kid: str | None, expected: bool, verification_key: VerificationKey, signed: Callable[..., str]
) -> None:
    """Only keys of the token's key ID are tried; all of them when it names none."""
    assert verified(ring(verification_key), signed(CLAIMS, kid=kid)) is expected


def test_unsigned_and_symmetric_tokens_do_not_hold(rsa_key: rsa.RSAPrivateKey, signed: Callable[..., str]) -> None:
    """`none`, and HMAC under what is public, are refused, whatever keys there are."""
    keys = keys_of_pem(public_pem(rsa_key))
    assert not isinstance(keys, NoKeys)
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256"}).encode()).rstrip(b"=").decode()
    body = base64.urlsafe_b64encode(json.dumps(CLAIMS).encode()).rstrip(b"=").decode()
    forged = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
        f"{head}.{body}".encode(), keys[0].der
    )
    signature = base64.urlsafe_b64encode(forged).rstrip(b"=").decode()

    assert not verified(ring(*keys), f"{head}.{body}.{signature}")
    assert not verified(ring(*keys), jwt.encode(CLAIMS, None, algorithm="none"))


def test_eddsa_does_not_hold(signed: Callable[..., str]) -> None:
    """As in kube-apiserver, EdDSA is no algorithm, and its keys are skipped."""
    key = ed25519.Ed25519PrivateKey.generate()
    keys = keys_of_jwks(key_set(jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)))

    assert keys == ()
    assert keys_of_pem(public_pem(key)) == NoKeys("data does not contain any valid RSA or ECDSA public keys")
    assert not verified(ring(), signed(CLAIMS, key=key, algorithm="EdDSA"))


def test_an_algorithm_must_fit_its_key(rsa_key: rsa.RSAPrivateKey, signed: Callable[..., str]) -> None:
    """An RSA key verifies no ES256, and a key on P-384 no ES256."""
    keys = [keys_of_pem(public_pem(key)) for key in (rsa_key, ec.generate_private_key(ec.SECP384R1()))]

    assert not any(verified(ring(*found), signed(CLAIMS, kid=None)) for found in keys if not isinstance(found, NoKeys))


def test_pem_files_hold_public_keys_certificates_and_private_keys(rsa_key: rsa.RSAPrivateKey) -> None:
    """Every form that --service-account-key-file takes is read, several in a file, other blocks skipped."""
    elliptic = ec.generate_private_key(ec.SECP256R1())
    certificate, private = CertificateAuthority("CA").issue("signer")
    text = "\n".join(
        (
            "# keys",
            public_pem(rsa_key),
            "-----BEGIN NONSENSE-----\nAAAA\n-----END NONSENSE-----",
            private_pem(rsa_key, PrivateFormat.TraditionalOpenSSL),
            private_pem(rsa_key, PrivateFormat.PKCS8),
            private_pem(elliptic, PrivateFormat.TraditionalOpenSSL),
            certificate.decode(),
            private.decode(),
        )
    )
    keys = keys_of_pem(text)

    assert not isinstance(keys, NoKeys)
    assert len(keys) == 6
    assert len(set(keys[:3])) == 1
    assert keys[4] == keys[5]


def test_pem_keys_are_called_as_kube_apiserver_calls_them(ec_key: ec.EllipticCurvePrivateKey) -> None:
    """The key ID is the SHA-256 of the public key's DER form in base64url without padding."""
    keys = keys_of_pem(public_pem(ec_key))

    assert not isinstance(keys, NoKeys)
    assert len(keys[0].key_id) == 43
    assert keys == keys_of_pem(private_pem(ec_key, PrivateFormat.PKCS8))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        altered(CertificateAuthority("CA").certificate, VERSION, UNKNOWN_VERSION).decode(),
    ],
    ids=["empty", "text", "no key", "no certificate"],
)
def test_a_pem_file_without_keys_says_so(text: str) -> None:
    """The sentence is kube-apiserver's."""
    assert keys_of_pem(text) == NoKeys("data does not contain any valid RSA or ECDSA public keys")


@pytest.mark.parametrize("document", [b"", b"{}", b"[]", b'{"keys": {}}', b"<html>", b"\xff"])
def test_what_is_no_key_set_says_so(document: bytes) -> None:
    """A document that is no JSON Web Key Set gives a reason."""
    assert isinstance(keys_of_jwks(document), NoKeys)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {},
        "text",
        {"kty": "oct", "k": "c2VjcmV0", "kid": "one"},
        {"kty": "RSA"},
        {"kty": "RSA", "n": [], "e": "AQAB"},
        {"kty": "RSA", "n": "AQ", "e": "AQAB"},
        {"kty": "RSA", "n": "", "e": ""},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": 1, "x": 2, "y": 3},
        {"kty": ["RSA"]},
    ],
)
def test_keys_that_cannot_be_used_are_skipped(entry: object, ec_key: ec.EllipticCurvePrivateKey) -> None:
    """One bad key does not harm the others of its set."""
    keys = keys_of_jwks(key_set(entry, jwk(ec_key, kid="good"), jwk(ec_key, kid=1), jwk(ec_key, use="enc")))

    assert not isinstance(keys, NoKeys)
    assert [key.key_id for key in keys] == ["good"]


@pytest.mark.parametrize("use", [None, "", "sig"])
def test_a_key_that_says_nothing_of_its_use_is_for_signatures(
    use: str | None, ec_key: ec.EllipticCurvePrivateKey
) -> None:
    """Null is the empty string to Go's decoder, in the key ID, too."""
    keys = keys_of_jwks(key_set({**jwk(ec_key), "kid": None, "use": use}))

    assert not isinstance(keys, NoKeys)
    assert [key.key_id for key in keys] == [""]


def test_a_private_jwk_gives_its_public_half(ec_key: ec.EllipticCurvePrivateKey) -> None:
    """What is kept of a private key is public."""
    private = jwt.algorithms.ECAlgorithm.to_jwk(ec_key, as_dict=True)
    keys = keys_of_jwks(key_set(private))

    assert keys == keys_of_jwks(key_set(jwk(ec_key)))


def test_key_files_are_read_together(ec_key: ec.EllipticCurvePrivateKey) -> None:
    """PEM files and key sets add up."""
    keys = read_keys({"/keys.pem": public_pem(ec_key)}, {"/jwks.json": key_set(jwk(ec_key, kid="one"))})

    assert len(keys) == 2


@pytest.mark.parametrize(
    ("pem_files", "jwks_files"), [({"/k": "x"}, {}), ({}, {"/k": b"x"}), ({}, {"/k": b'{"keys": []}'})]
)
def test_a_key_file_without_keys_is_named(pem_files: dict[str, str], jwks_files: dict[str, bytes]) -> None:
    """The error names the file and what to write there."""
    with pytest.raises(SettingsError, match=r"^/k: .*; write "):
        read_keys(pem_files, jwks_files)


def test_keys_are_not_shown(verification_key: VerificationKey) -> None:
    """Neither repr holds a key."""
    assert repr(ring(verification_key)) == "KeyRing(1 keys)"
    assert "der" not in repr(verification_key)
