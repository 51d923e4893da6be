"""PEM blocks: which certificates a text holds, and whether a private key belongs to them.

In: bytes. Out: certificates, or what is wrong, in a sentence that repeats nothing of the bytes. Law: bytes that are
good, and in an order that every reader understands alike, are given back as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from math import inf
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

_SPKI: Final = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def certificates(pem: bytes) -> Iterator[x509.Certificate | None]:
    """Each certificate block in turn, None for one that does not parse; other blocks and text are passed over."""
    for block in _CERTIFICATE.finditer(pem):
        yield _parsed(block.group())


def readable(pem: bytes) -> bytes:
    """The bytes themselves when every certificate in them parses, else the blocks that do, as Go's CertPool takes them.

    One unreadable block has Envoy refuse the whole bundle.
    """
    if all(certificates(pem)):
        return pem
    return b"".join(block.group() + b"\n" for block in _CERTIFICATE.finditer(pem) if _parsed(block.group()))


def renewed_first(pem: bytes) -> bytes:
    """The authorities in another order: of those with one key the one that ends last comes first.

    Envoy and gRPC ask the first certificate of a name alone, and when it has expired, so has for them whatever its key
    signed, though a renewed one follows. Keys are not mixed: among authorities with different ones the order is the
    user's. One that has not begun comes first as well, since nobody here knows the time. A bundle in which something
    does not parse is given back as it is.
    """
    return _rearranged(pem, lambda _: True)


def in_force(pem: bytes, now: float) -> bytes:
    """As `renewed_first`, without the authorities that do not hold `now` (Unix seconds), but when that is all of them.

    Nothing can be verified by those, and in a bundle of more than 16 Envoy's library goes by no order.
    """
    return _rearranged(pem, lambda period: period[0] <= now <= period[1])


def _rearranged(pem: bytes, wanted: Callable[[tuple[float, float]], bool]) -> bytes:
    blocks = [block.group() for block in _CERTIFICATE.finditer(pem)]
    parsed = [certificate for certificate in map(_parsed, blocks) if certificate is not None]
    if len(blocks) < 2 or len(parsed) < len(blocks):
        return pem
    periods = [_period(certificate) for certificate in parsed]
    keys_held = [_public_key(certificate) or block for certificate, block in zip(parsed, blocks, strict=True)]
    first_places = [keys_held.index(key) for key in keys_held]
    order = sorted(range(len(blocks)), key=lambda place: (first_places[place], -periods[place][1]))
    chosen = [place for place in order if wanted(periods[place])] or order
    if chosen == list(range(len(blocks))):
        return pem
    # Envoy heeds what else is in the file: lists of what was revoked.
    rest = _CERTIFICATE.sub(b"", pem).strip()
    return b"".join(part + b"\n" for part in (*(blocks[place] for place in chosen), rest) if part)


def _period(certificate: x509.Certificate) -> tuple[float, float]:
    """From when to when it holds (Unix seconds, both included)."""
    try:
        return certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    except ValueError:
        # ASN.1 has a year 0.
        return inf, -inf


def _parsed(block: bytes) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(block)
    except (ValueError, x509.InvalidVersion):
        return None


def keys(pem: bytes) -> frozenset[bytes]:
    """The public keys (DER) of all certificates that parse: authorities are the same when their keys are.

    A key of a kind that nothing here can verify with is left out.
    """
    found = (_public_key(certificate) for certificate in certificates(pem) if certificate is not None)
    return frozenset(key for key in found if key is not None)


def _public_key(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.public_key().public_bytes(*_SPKI)
    except (ValueError, UnsupportedAlgorithm):
        return None


def wrong_with_certificates(pem: bytes) -> str:
    """What is wrong with a file of certificates, "" when there is at least one and each parses."""
    parsed = list(certificates(pem))
    if not parsed:
        return "holds no PEM certificate"
    if None in parsed:
        return f"certificate {parsed.index(None) + 1} in it does not parse"
    try:
        whole = x509.load_pem_x509_certificates(pem)
    except (ValueError, x509.InvalidVersion):
        return "holds a PEM block that does not parse"
    # Programs must not differ in whom they take for an authority.
    return "" if whole == parsed else "holds a PEM block that can be read in two ways"


def wrong_with_key(key: bytes, chain: bytes) -> str:
    """What is wrong with a private key, "" when it belongs to the first certificate of `chain`."""
    try:
        parsed = load_pem_private_key(key, password=None)
    except TypeError:
        return "is protected by a password"
    except (ValueError, UnsupportedAlgorithm):
        return "holds no PEM private key that can be read"
    leaf = next(certificates(chain), None)
    if leaf is None or _public_key(leaf) != parsed.public_key().public_bytes(*_SPKI):
        return "does not belong to the first certificate of the certificate file"
    return ""
