"""Which authorities a client certificate comes from, for where Envoy verifies against several at once.

In: authorities, and the certificates a client has shown. Out: the chain to one of them, or why there is none. Law: only
a whole chain of signatures to one of these very authorities counts, whatever Envoy has said of the certificate, each
certificate in it within its period and fit for its part (RFC 5280: basicConstraints, keyUsage, extendedKeyUsage).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, TypeAlias

from cryptography import x509
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

# A client may show whatever it likes, and what it shows is tried in every order.
_INTERMEDIATES: Final = 4
_KEPT: Final = 4096


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

    Up to 4096 chains are remembered, by all that the client showed. Certificates must be of X.509 version 3 and signed
    with SHA-2 by an ECDSA key or an RSA key of at least 2,048 bits; more than four intermediate ones are refused.

    Raises:
        ValueError: when a certificate of `authorities` does not parse.
    """
    if not authorities:
        return lambda _: Failed("there is no authority that could have issued the client certificate")
    store = Store(x509.load_pem_x509_certificates(authorities))

    def found(leaf: str, shown: str) -> Chain:
        builder = PolicyBuilder().store(store).time(datetime.fromtimestamp(clock(), UTC))
        policy = builder.max_chain_depth(_INTERMEDIATES).extension_policies(ca_policy=_CA, ee_policy=_LEAF)
        certificate = x509.load_pem_x509_certificate(leaf.encode())
        others = [each for each in _all(shown) if each != certificate]
        if len(others) > _INTERMEDIATES:
            raise VerificationError(f"{len(others)} intermediate certificates were shown")
        chain = policy.build_client_verifier().verify(certificate, others).chain
        return Chain(
            common_name(certificate.subject),
            max(each.not_valid_before_utc.timestamp() for each in chain),
            min(each.not_valid_after_utc.timestamp() for each in chain),
        )

    # What raises is not remembered.
    remembered = lru_cache(maxsize=_KEPT)(found)

    def chain_of(evidence: Evidence) -> Chain | Failed:
        if not evidence.certificate_verified:
            return Failed("the client certificate was not verified by any client CA")
        try:
            chain = remembered(evidence.certificate, evidence.certificate_chain)
            if chain.not_before <= clock() <= chain.not_after:
                return chain
            # There may be another chain, since authorities are renewed.
            return found(evidence.certificate, evidence.certificate_chain)
        except (*UNREADABLE, VerificationError) as error:
            return Failed(f"the client certificate does not come from the authority that counts here: {error}")

    return chain_of


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
