"""Client certificates: who a verified certificate names, as kube-apiserver's x509 authenticator reads it.

In: a certificate's PEM text. Out: the user and the period in which it is valid, or why it is refused.
Law: the chain is Envoy's to verify; usage, period and names are checked here again, the period at every request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controlplane.auth.evidence import Failed, Outcome, Recognised
from controlplane.auth.identity_headers import unfit
from controlplane.model.identity import UserInfo

CREDENTIAL_ID: Final = "authentication.kubernetes.io/credential-id"
UNREADABLE: Final = (
    *(ValueError, TypeError, UnsupportedAlgorithm),
    *(x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType),
)
"""What the library raises, sooner or later, for a certificate that it cannot make sense of."""
_UID: Final = x509.ObjectIdentifier("1.3.6.1.4.1.57683.2")
_CLIENT_USAGES: Final = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate that may identify a client between two moments (Unix seconds, both included).

    `user` is None when it has no common name: then it says nothing about who asks.
    """

    not_before: float
    not_after: float
    user: UserInfo | None

    def outcome(self, now: float) -> Outcome:
        """What the certificate says at the moment `now` (Unix seconds)."""
        if now < self.not_before:
            return Failed("the client certificate is not valid yet")
        if now > self.not_after:
            return Failed("the client certificate has expired")
        return Recognised(self.user, self.not_after, "the client certificate") if self.user is not None else None


def read_certificate(pem: str) -> ClientCertificate | Failed:
    """The first certificate of `pem`: CN is the user, every O a group, OID 1.3.6.1.4.1.57683.2 the UID."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        extensions = certificate.extensions
        subject = certificate.subject
    except UNREADABLE:
        return Failed("the client certificate cannot be parsed")
    if not _fit_for_clients(extensions):
        return Failed("the client certificate's extended key usage does not include clientAuth")
    user = _user(subject, certificate.fingerprint(SHA256()).hex())
    if isinstance(user, Failed):
        return user
    return ClientCertificate(
        not_before=certificate.not_valid_before_utc.timestamp(),
        not_after=certificate.not_valid_after_utc.timestamp(),
        user=user,
    )


def serves_clients(usages: x509.ExtendedKeyUsage) -> bool:
    """Whether clientAuth, or any purpose, is among them."""
    return any(usage in _CLIENT_USAGES for usage in usages)


def common_name(subject: x509.Name) -> str:
    """The last common name, as in Go's crypto/x509, or ""."""
    return next(reversed(_texts(subject, NameOID.COMMON_NAME)), "")


def _fit_for_clients(extensions: x509.Extensions) -> bool:
    try:
        return serves_clients(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return True


def _user(subject: x509.Name, fingerprint: str) -> UserInfo | Failed | None:
    uids = _texts(subject, _UID)
    if len(uids) > 1 or uids == [""]:
        return Failed("the client certificate's UID is empty or there are several")
    names = _texts(subject, NameOID.COMMON_NAME)
    groups = _texts(subject, NameOID.ORGANIZATION_NAME)
    for field, values in (("common name", names), ("organization", groups), ("UID", uids)):
        for value in values:
            reason = unfit(value)
            if reason is not None:
                return Failed(f"the client certificate's {field} {reason}")
    name = common_name(subject)
    if not name:
        return None
    return UserInfo(
        name=name,
        uid=uids[0] if uids else "",
        groups=tuple(groups),
        extra=((CREDENTIAL_ID, (f"X509SHA256={fingerprint}",)),),
    )


def _texts(subject: x509.Name, oid: x509.ObjectIdentifier) -> list[str]:
    return [value for attribute in subject.get_attributes_for_oid(oid) if isinstance(value := attribute.value, str)]
