from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from controlplane.auth.certificate import ClientCertificate, read_certificate
from controlplane.auth.evidence import Failed, Recognised
from controlplane.model.identity import UserInfo

NOT_BEFORE = 1893456000.0
NOT_AFTER = 1924992000.0


def test_a_certificate_names_user_groups_uid_and_credential(make_certificate: Callable[..., str]) -> None:
    """CN is the user, each O a group in order, the UID's OID the uid, and the DER's hash the credential-id."""
    pem = make_certificate("alice", groups=("dev", "qa,x"), uids=("42",))

    actual = read_certificate(pem)

    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    user = UserInfo(
        "alice", "42", ("dev", "qa,x"), (("authentication.kubernetes.io/credential-id", (f"X509SHA256={digest}",)),)
    )
    assert ClientCertificate(NOT_BEFORE, NOT_AFTER, user) == actual


def test_of_several_common_names_the_last_counts(make_certificate: Callable[..., str]) -> None:
    """Two CNs give the last one, as in Go's crypto/x509."""
    actual = read_certificate(make_certificate("first", "last"))

    assert isinstance(actual, ClientCertificate)
    assert actual.user is not None
    assert actual.user.name == "last"


def test_a_certificate_without_a_common_name_says_nothing(make_certificate: Callable[..., str]) -> None:
    """No CN is no opinion: such a certificate identifies nobody, whatever its groups."""
    actual = read_certificate(make_certificate(groups=("system:masters",)))

    assert ClientCertificate(NOT_BEFORE, NOT_AFTER, None) == actual


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (NOT_BEFORE - 1, Failed("the client certificate is not valid yet")),
        (NOT_BEFORE, Recognised(UserInfo("alice"), until=NOT_AFTER)),
        (NOT_AFTER, Recognised(UserInfo("alice"), until=NOT_AFTER)),
        (NOT_AFTER + 1, Failed("the client certificate has expired")),
    ],
)
def test_a_certificate_holds_only_within_its_period(moment: float, expected: Recognised | Failed) -> None:
    """The period includes both its ends and nothing outside of them."""
    certificate = ClientCertificate(NOT_BEFORE, NOT_AFTER, UserInfo("alice"))

    assert expected == certificate.outcome(moment)


@pytest.mark.parametrize(
    ("usages", "believed"),
    [
        (None, True),
        ((ExtendedKeyUsageOID.CLIENT_AUTH,), True),
        ((ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH), True),
        ((ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,), True),
        ((ExtendedKeyUsageOID.SERVER_AUTH,), False),
        ((x509.ObjectIdentifier("1.2.3.4"),), False),
    ],
)
def test_a_certificate_for_other_purposes_is_refused(
    make_certificate: Callable[..., str], usages: tuple[x509.ObjectIdentifier, ...] | None, *, believed: bool
) -> None:
    """Only clientAuth, any purpose, or no restriction at all make a client certificate."""
    actual = read_certificate(make_certificate("alice", usages=usages))

    assert believed is isinstance(actual, ClientCertificate)


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        ({"names": ("a\nb",)}, "the client certificate's common name holds a control character"),
        ({"names": ("a\0",)}, "the client certificate's common name holds a control character"),
        ({"groups": ("x\r\ny",)}, "the client certificate's organization holds a control character"),
        ({"groups": (" system:masters",)}, "the client certificate's organization begins or ends with a space"),
        ({"uids": ("1\x7f",)}, "the client certificate's UID holds a control character"),
        ({"uids": ("1", "2")}, "the client certificate's UID is empty or there are several"),
    ],
)
def test_names_that_a_header_would_change_are_refused(
    make_certificate: Callable[..., str], subject: dict[str, tuple[str, ...]], reason: str
) -> None:
    """A CN, O or UID that a backend would read differently makes the whole certificate useless."""
    names = subject.get("names", ("alice",))
    pem = make_certificate(*names, groups=subject.get("groups", ()), uids=subject.get("uids", ()))

    assert Failed(reason) == read_certificate(pem)


@pytest.mark.parametrize("pem", ["x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_refused(pem: str) -> None:
    """Text that does not parse is evidence that does not hold."""
    actual = read_certificate(pem)

    assert Failed("the client certificate cannot be parsed") == actual
