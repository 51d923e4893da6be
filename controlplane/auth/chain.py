"""Which authorities a client certificate comes from, for where Envoy verifies against several at once.

In: authorities, and the certificates a client has shown. Out: the chain to one of them, or why there is none. Law: only
a whole chain of signatures to one of these very authorities counts, whatever Envoy has said of the certificate, each
certificate in it within its period and fit for its part (RFC 5280: basicConstraints, keyUsage, extendedKeyUsage).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from controlplane.auth.certificate import UNREADABLE, common_name, serves_clients
from controlplane.auth.evidence import Evidence, Failed
from controlplane.auth.webhook.cache import Kept

# A client may show whatever it likes, and what it shows is tried in every order.
_INTERMEDIATES: Final = 4
_KEPT: Final = 4096
_LEAST_RSA_BITS: Final = 2048
_HASHES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain that holds between two moments (Unix seconds, both included).

    `common_name` is the client certificate's, "" when it has none.
    """

    common_name: str
    not_before: float
    not_after: float


Verifier: TypeAlias = Callable[[Evidence], Chain | Failed]


def verifier(authorities: bytes, clock: Callable[[], float]) -> Verifier:
    """What finds the chain of a client certificate to one of `authorities` (PEM); `clock` gives Unix seconds.

    Up to 4096 chains are remembered, by a digest of all that the client showed, which may be long. Certificates must be
    signed with SHA-2 by an ECDSA key or an RSA key of at least 2,048 bits; more than four intermediate ones are
    refused. They must be of X.509 version 3, but for a client certificate that one of `authorities` has itself issued:
    that may be of version 1, which says nothing but who it is and until when.

    Raises:
        ValueError: when a certificate of `authorities` does not parse.
    """
    if not authorities:
        return lambda _: Failed("there is no authority that could have issued the client certificate")
    believed = _Authorities(authorities)
    kept: Kept[Chain] = Kept(_KEPT)

    def chain_of(evidence: Evidence) -> Chain | Failed:
        if not evidence.certificate_verified:
            return Failed("the client certificate was not verified by any client CA")
        shown = f"{evidence.certificate}\n{evidence.certificate_chain}"
        digest, now = hashlib.sha256(shown.encode(errors="surrogatepass")).digest(), clock()
        chain = kept.get(digest, now)
        if chain is not None and chain.not_before <= now:
            return chain
        # A failure is not remembered: a certificate may begin later. Nor is a chain that ended: there may be another.
        try:
            chain = believed.chain(evidence.certificate, evidence.certificate_chain, now)
        except (*UNREADABLE, VerificationError) as error:
            return Failed(f"the client certificate does not come from the authority that counts here: {error}")
        # The library goes by whole seconds.
        if now > chain.not_after:
            return Failed("the client certificate, or one that it comes from, has expired")
        kept.put(digest, chain, chain.not_after)
        return chain

    return chain_of


class _Authorities:
    """Certificates that may begin a chain (PEM)."""

    def __init__(self, pem: bytes) -> None:
        self._certificates = x509.load_pem_x509_certificates(pem)
        self._store = Store(self._certificates)

    def chain(self, leaf: str, shown: str, now: float) -> Chain:
        """The chain of a client certificate among all that were `shown` (PEM) at the moment `now` (Unix seconds).

        Raises:
            VerificationError: when there is none; and what `UNREADABLE` lists, when a certificate cannot be read.
        """
        certificate = x509.load_pem_x509_certificate(leaf.encode())
        others = [each for each in _all(shown) if each != certificate]
        if len(others) > _INTERMEDIATES:
            raise VerificationError(f"{len(others)} intermediate certificates were shown")
        if certificate.version is x509.Version.v1:
            return self._of_first_version(certificate, now)
        builder = PolicyBuilder().store(self._store).time(datetime.fromtimestamp(now, UTC))
        policy = builder.max_chain_depth(_INTERMEDIATES).extension_policies(ca_policy=_CA, ee_policy=_LEAF)
        return _joined(policy.build_client_verifier().verify(certificate, others).chain)

    def _of_first_version(self, certificate: x509.Certificate, now: float) -> Chain:
        """The library takes none of version 1; `openssl x509 -req` makes them, and Go's verifier believes them."""
        for authority in self._certificates:
            chain = _joined((certificate, authority))
            # One that cannot be read has issued nothing here, and harms no other.
            with suppress(*UNREADABLE):
                if (
                    chain.not_before <= now <= chain.not_after
                    and _may_issue(authority)
                    and _issued(certificate, authority)
                ):
                    return chain
        raise VerificationError("it is of X.509 version 1, and no authority has issued it itself for this time")


def _joined(certificates: Sequence[x509.Certificate]) -> Chain:
    """The chain that begins with the client's own of `certificates`."""
    return Chain(
        common_name(certificates[0].subject),
        max(each.not_valid_before_utc.timestamp() for each in certificates),
        min(each.not_valid_after_utc.timestamp() for each in certificates),
    )


def _may_issue(authority: x509.Certificate) -> bool:
    """Whether nothing in it says that it issues no client certificates, or only some, as far as all of it is known."""
    constraints = usage = purposes = None
    for extension in authority.extensions:
        match extension.value:
            case x509.BasicConstraints():
                constraints = extension.value
            case x509.KeyUsage():
                usage = extension.value
            case x509.ExtendedKeyUsage():
                purposes = extension.value
            case x509.NameConstraints():
                return False
            case _ if extension.critical:
                return False
    return (
        (constraints is not None and constraints.ca)
        and (usage is None or usage.key_cert_sign)
        and (purposes is None or serves_clients(purposes))
    )


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether `authority` signed `certificate`, with keys and a hash as strong as the library demands elsewhere."""
    strong = isinstance(certificate.signature_hash_algorithm, _HASHES)
    if not (strong and _is_strong(certificate.public_key()) and _is_strong(authority.public_key())):
        return False
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _is_strong(key: object) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= _LEAST_RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)


def _all(pem: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(pem.encode()) if pem else []


def _signs_certificates(_: Policy, __: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("an authority's keyUsage does not include keyCertSign")


def _is_for_clients(_: Policy, __: x509.Certificate, usages: x509.ExtendedKeyUsage | None) -> None:
    if usages is not None and not serves_clients(usages):
        raise ValueError("the extended key usage does not include clientAuth")


# permit_all leaves names free, which client certificates have in the subject. The verifier itself sees to signatures,
# periods, cA and pathLenConstraint, name constraints, and critical extensions that nobody knows.
_LEAF: Final = ExtensionPolicy.permit_all().may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _is_for_clients)
_CA: Final = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _signs_certificates)
    .may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _is_for_clients)
)
