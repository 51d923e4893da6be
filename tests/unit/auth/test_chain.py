from __future__ import annotations

import ssl
import tracemalloc
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controlplane.auth.chain import Chain, verifier
from controlplane.auth.evidence import Evidence, Failed

START = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SERVERS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
CLIENTS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
ANYTHING = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
SOME_NAMES = x509.NameConstraints([x509.DNSName("a.example")], None)
UNHEARD_OF = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"x")
# In DER: [0] INTEGER 2, and the algorithm of the signatures here.
VERSION_3 = bytes.fromhex("a003020102")
ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
NO_SIGNING = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


@cache
def key_of(name: str) -> ec.EllipticCurvePrivateKey:
    """The key of whoever has that name."""
    return ec.generate_private_key(ec.SECP256R1())


def certificate(
    name: str,
    issuer: str = "root",
    *extensions: x509.ExtensionType,
    ca: bool | None = False,
    days: tuple[int, int] = (0, 365),
    critical: bool = False,
    path_length: int | None = None,
    signer: str = "",
) -> str:
    """The PEM of a certificate, good from one day of 2030 to another; without a `signer` the issuer's key signs it."""
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)] if each else []) for each in (issuer, name)]
    builder = (
        x509.CertificateBuilder(issuer_name=names[0], subject_name=names[1])
        .public_key(key_of(name).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START + days[0] * DAY)
        .not_valid_after(START + days[1] * DAY)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length), critical=True)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=critical)
    signed = builder.sign(key_of(signer or issuer), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def first_version(pem: str, signer: str = "root") -> str:
    """A certificate without extensions in X.509 version 1 (RFC 5280, 4.1), signed anew by whoever has that name."""
    inner = x509.load_pem_x509_certificate(pem.encode()).tbs_certificate_bytes
    _, version, content = inner.partition(VERSION_3)
    # Version 1 is what is not written.
    assert version
    body = sequence(content)
    signature = key_of(signer).sign(body, ec.ECDSA(hashes.SHA256()))
    return ssl.DER_cert_to_PEM_cert(
        sequence(body + ECDSA_WITH_SHA256 + bytes((0x03, len(signature) + 1, 0)) + signature)
    )


def sequence(content: bytes) -> bytes:
    """A SEQUENCE in DER."""
    if len(content) < 128:
        return bytes((0x30, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes((0x30, 128 + len(length))) + length + content


def day(number: float) -> float:
    """A moment in Unix seconds: so many days into 2030."""
    return (START + number * DAY).timestamp()


def root(name: str = "root", *extensions: x509.ExtensionType, ca: bool | None = True) -> str:
    """A self-signed authority."""
    return certificate(name, name, *extensions, ca=ca)


def chain(authorities: str, leaf: str, *others: str, moment: float = 10) -> Chain | Failed:
    """What comes of a certificate and those shown beside it, some days into 2030."""
    evidence = Evidence(leaf, certificate_verified=True, certificate_chain="".join((leaf, *others)) if others else "")
    return verifier(authorities.encode(), lambda: day(moment))(evidence)


def test_a_certificate_of_an_authority_has_a_chain() -> None:
    """It holds while every certificate in it does, and tells the client's name."""
    actual = chain(root(), certificate("edge", days=(1, 30)))

    assert Chain("edge", day(1), day(30)) == actual


def test_a_chain_goes_through_authorities_between() -> None:
    """Two of them, in any order, the leaf among them or not; the earliest end counts."""
    between = certificate("between", "root", ca=True, days=(0, 20))
    below = certificate("below", "between", ca=True)
    leaf = certificate("edge", "below")

    for others in ((below, between), (between, below), (below, between, root())):
        assert Chain("edge", day(0), day(20)) == chain(root(), leaf, *others)


def test_each_of_several_authorities_counts() -> None:
    """A bundle holds more than one."""
    assert isinstance(chain(root("other") + root(), certificate("edge")), Chain)


@pytest.mark.parametrize(
    "extensions", [(), (CLIENTS,), (ANYTHING,), (x509.SubjectAlternativeName([x509.DNSName("edge")]),), (UNHEARD_OF,)]
)
def test_names_and_unimportant_extensions_are_free(extensions: tuple[x509.ExtensionType, ...]) -> None:
    """A client certificate needs no subject alternative name, and may have what nobody knows."""
    assert isinstance(chain(root(), certificate("", "root", *extensions)), Chain)


BETWEEN = certificate("between", "root", ca=True)
FAULTY = {
    "another authority of that name": (root(), certificate("edge", signer="thief")),
    "another authority": (root("other"), certificate("edge")),
    "a link that is missing": (root(), certificate("edge", "between")),
    "a link that is no authority": (root(), certificate("edge", "b"), certificate("b")),
    "a link that somebody else has signed": (
        root(),
        certificate("edge", "between"),
        certificate("between", "root", ca=True, signer="thief"),
    ),
    "a link that may have none below it": (
        root(),
        certificate("edge", "below"),
        certificate("below", "between", ca=True),
        certificate("between", "root", ca=True, path_length=0),
    ),
    "a link that has ended": (root(), certificate("edge", "b"), certificate("b", "root", ca=True, days=(0, 9))),
    "a link for servers": (root(), certificate("edge", "b"), certificate("b", "root", SERVERS, ca=True)),
    "a link that signs no certificates": (
        root(),
        certificate("edge", "b"),
        certificate("b", "root", NO_SIGNING, ca=True),
    ),
    "an authority that is none": (root(ca=False), certificate("edge")),
    "an authority that does not say it is one": (root(ca=None), certificate("edge")),
    "an authority for servers": (root("root", SERVERS), certificate("edge")),
    "a certificate for servers": (root(), certificate("edge", "root", SERVERS)),
    "a certificate that has ended": (root(), certificate("edge", days=(0, 9))),
    "a certificate that has not begun": (root(), certificate("edge", days=(11, 20))),
    "a critical extension that nobody knows": (root(), certificate("edge", "root", UNHEARD_OF, critical=True)),
    "too many certificates": (root(), certificate("edge"), *(root(f"r{number}") for number in range(5))),
    "no certificate": (root(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    "no authority": ("", certificate("edge")),
}


@pytest.mark.parametrize("fault", FAULTY)
def test_a_chain_with_a_fault_is_none(fault: str) -> None:
    """Whatever is wrong with one certificate, the client's does not count."""
    authorities, leaf, *others = FAULTY[fault]

    assert isinstance(chain(authorities, leaf, *others), Failed)


OLD = first_version(certificate("edge", ca=None, days=(1, 30)))
ENDED = certificate("root", "root", ca=True, days=(0, 9))


def test_a_certificate_of_version_1_has_the_chain_of_its_authority() -> None:
    """As `openssl x509 -req` makes them: believed while it and the authority that has issued it itself last."""
    assert x509.load_pem_x509_certificate(OLD.encode()).version is x509.Version.v1

    assert Chain("edge", day(1), day(30)) == chain(root(), OLD)
    assert Chain("edge", day(1), day(20)) == chain(ENDED + certificate("root", "root", ca=True, days=(0, 20)), OLD)
    assert Chain("edge", day(1), day(30)) == chain(root("other") + root("root", CLIENTS), OLD, BETWEEN)


def test_an_authority_with_a_key_of_an_unknown_kind_harms_no_other() -> None:
    """A certificate of version 1 comes from the one behind it."""
    known, unknown = (bytes.fromhex(f"06082a8648ce3d0301{last}") for last in ("07", "02"))
    strange = ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(root("other")).replace(known, unknown))
    with pytest.raises((UnsupportedAlgorithm, ValueError)):
        x509.load_pem_x509_certificate(strange.encode()).public_key()

    assert Chain("edge", day(1), day(30)) == chain(strange + root(), OLD)


FAULTY_OF_VERSION_1 = {
    "somebody else has signed it": (root(), first_version(certificate("edge", ca=None), signer="thief")),
    "it comes from another authority": (root("other"), OLD),
    "it comes from a link": (root(), first_version(certificate("edge", "between", ca=None), "between"), BETWEEN),
    "it has ended": (root(), first_version(certificate("edge", ca=None, days=(0, 9)))),
    "it has not begun": (root(), first_version(certificate("edge", ca=None, days=(11, 20)))),
    "the authority has ended": (ENDED, OLD),
    "the authority is none": (root(ca=False), OLD),
    "the authority does not say it is one": (root(ca=None), OLD),
    "the authority signs no certificates": (root("root", NO_SIGNING), OLD),
    "the authority is for servers": (root("root", SERVERS), OLD),
    "the authority issues for some names only": (root("root", SOME_NAMES), OLD),
    "the authority is not known in full": (certificate("root", "root", UNHEARD_OF, ca=True, critical=True), OLD),
    "the authority is of version 1, too": (first_version(root(ca=None)), OLD),
}


@pytest.mark.parametrize("fault", FAULTY_OF_VERSION_1)
def test_a_certificate_of_version_1_with_a_fault_has_no_chain(fault: str) -> None:
    """What the library sees to for others holds for these."""
    authorities, leaf, *others = FAULTY_OF_VERSION_1[fault]

    assert isinstance(chain(authorities, leaf, *others), Failed)


def test_what_clients_show_is_not_kept() -> None:
    """Whoever shows ever other certificates beside its own, each as long as it likes, fills no memory."""
    chain_of = verifier(root().encode(), lambda: day(10))
    leaf = certificate("edge")
    long = [
        certificate("x", "x", x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(100_000)))
        for _ in range(20)
    ]

    tracemalloc.start()
    try:
        for each in long:
            assert isinstance(chain_of(Evidence(leaf, certificate_verified=True, certificate_chain=leaf + each)), Chain)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept < 100_000


def test_what_envoy_has_not_verified_is_not_looked_at() -> None:
    """The handshake's own check stays a condition: only it proves that the client has the key."""
    actual = verifier(root().encode(), lambda: day(10))(Evidence(certificate("edge")))

    assert Failed("the client certificate was not verified by any client CA") == actual


def test_a_remembered_chain_ends_in_time() -> None:
    """What was found before is not believed past its end, and another chain is found where there is one."""
    moment = [10.0]
    renewed = certificate("root", "root", ca=True, days=(5, 100))
    chain_of = verifier((certificate("root", "root", ca=True, days=(0, 20)) + renewed).encode(), lambda: day(moment[0]))
    evidence = Evidence(certificate("edge", days=(0, 60)), certificate_verified=True)

    assert [chain_of(evidence), chain_of(evidence)] == [Chain("edge", day(0), day(20))] * 2
    moment[0] = 30
    assert Chain("edge", day(5), day(60)) == chain_of(evidence)
    moment[0] = 61
    assert isinstance(chain_of(evidence), Failed)


@pytest.mark.parametrize(
    "leaf", [certificate("edge", days=(0, 10)), first_version(certificate("edge", ca=None, days=(0, 10)))]
)
def test_a_chain_ends_within_a_second(leaf: str) -> None:
    """The last moment of a certificate is its end itself, and nothing after it."""
    ends = verifier(root().encode(), lambda: day(10))
    later = verifier(root().encode(), lambda: day(10) + 0.001)
    evidence = Evidence(leaf, certificate_verified=True)

    assert isinstance(ends(evidence), Chain)
    assert isinstance(later(evidence), Failed)


def test_a_failure_is_not_remembered() -> None:
    """A certificate that begins tomorrow is believed tomorrow."""
    moment = [0.0]
    chain_of = verifier(root().encode(), lambda: day(moment[0]))
    evidence = Evidence(certificate("edge", days=(1, 30)), certificate_verified=True)

    assert isinstance(chain_of(evidence), Failed)
    moment[0] = 1
    assert isinstance(chain_of(evidence), Chain)
