"""PEM blocks: which certificates a text holds, and whether a private key belongs to them.

In: bytes. Out: certificates, or what is wrong, in a sentence that repeats nothing of the bytes. Law: nothing is
normalised; callers keep the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def certificates(pem: bytes) -> Iterator[x509.Certificate | None]:
    """Each certificate block in turn, None for one that does not parse; other blocks and text are passed over."""
    for block in _CERTIFICATE.finditer(pem):
        try:
            yield x509.load_pem_x509_certificate(block.group())
        except ValueError:
            yield None


def wrong_with_certificates(pem: bytes) -> str:
    """What is wrong with a file of certificates, "" when there is at least one and each parses."""
    parsed = list(certificates(pem))
    if not parsed:
        return "holds no PEM certificate"
    if None in parsed:
        return f"certificate {parsed.index(None) + 1} in it does not parse"
    return ""


def wrong_with_key(key: bytes, chain: bytes) -> str:
    """What is wrong with a private key, "" when it belongs to the first certificate of `chain`."""
    try:
        parsed = load_pem_private_key(key, password=None)
    except TypeError:
        return "is protected by a password"
    except (ValueError, UnsupportedAlgorithm):
        return "holds no PEM private key that can be read"
    leaf = next(certificates(chain), None)
    spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if leaf is None or leaf.public_key().public_bytes(*spki) != parsed.public_key().public_bytes(*spki):
        return "does not belong to the first certificate of the certificate file"
    return ""
