"""The development PKI."""

import datetime
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controlplane.cli import pki
from controlplane.errors import StartError

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
LOCAL = pki.leaves("127.0.0.1")
EVERYTHING = tuple(leaf.name for leaf in LOCAL)


def certificate(folder: Path, name: str) -> x509.Certificate:
    """The certificate of that name."""
    return x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())


def attribute(folder: Path, name: str, oid: x509.ObjectIdentifier) -> str:
    """The one attribute of that kind in a certificate's subject."""
    (found,) = certificate(folder, name).subject.get_attributes_for_oid(oid)
    return str(found.value)


def alternative_names(folder: Path, name: str) -> set[str]:
    """The DNS names and addresses a certificate is for."""
    extension = certificate(folder, name).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return {str(entry.value) for entry in extension.value}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A PKI made on the first of January 2026."""
    made = tmp_path / "pki"
    pki.ensure(made, LOCAL, NOW)
    return made


def test_the_first_start_issues_everything(tmp_path: Path) -> None:
    """A folder that is not there is made, with every leaf."""
    issued = pki.ensure(tmp_path / "pki", LOCAL, NOW)

    assert issued == EVERYTHING
    assert {file.stem for file in (tmp_path / "pki").iterdir()} == {*pki.AUTHORITIES, *EVERYTHING}
    assert [entry.name for entry in tmp_path.iterdir()] == ["pki"]


def test_keys_are_private(folder: Path) -> None:
    """The folder is for its owner alone, and so is each key."""
    modes = {stat.S_IMODE(file.stat().st_mode) for file in folder.glob("*.key")}

    assert modes == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(("user", "group"), [("admin", "system:masters"), ("alice", "developers")])
def test_users_carry_their_group(folder: Path, user: str, group: str) -> None:
    """A user's certificate names the user as common name and the group as organization, and is for clients."""
    usage = certificate(folder, user).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value

    assert attribute(folder, user, NameOID.COMMON_NAME) == user
    assert attribute(folder, user, NameOID.ORGANIZATION_NAME) == group
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_leaves_are_issued_by_their_own_authority(folder: Path) -> None:
    """Each leaf verifies against the authority it is meant for, and against no other."""
    for leaf in LOCAL:
        for authority in pki.AUTHORITIES:
            ca = certificate(folder, authority)
            if authority == leaf.authority:
                certificate(folder, leaf.name).verify_directly_issued_by(ca)
            else:
                with pytest.raises(ValueError, match="Issuer"):
                    certificate(folder, leaf.name).verify_directly_issued_by(ca)


def test_the_serving_certificate_holds_every_name_of_the_front_door(folder: Path) -> None:
    """Clients may reach the front door by any of its names."""
    assert alternative_names(folder, "serving") == {
        *("localhost", "127.0.0.1", "::1"),
        *("kubernetes", "kubernetes.default", "kubernetes.default.svc"),
    }


def test_a_second_start_issues_nothing(folder: Path) -> None:
    """What is valid is kept, to the byte."""
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    assert pki.ensure(folder, LOCAL, NOW + DAY) == ()
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


@pytest.mark.parametrize("days", [336, 400])
def test_leaves_that_run_out_are_renewed_under_the_same_authority(folder: Path, days: int) -> None:
    """Thirty days before its end and after it, a leaf is issued anew for the same key; authorities stay."""
    names = (*pki.AUTHORITIES, "admin")
    before = {name: (folder / f"{name}.crt").read_bytes() for name in names}
    key = (folder / "admin.key").read_bytes()
    now = NOW + days * DAY

    issued = pki.ensure(folder, LOCAL, now)
    changed = {name for name in names if (folder / f"{name}.crt").read_bytes() != before[name]}

    assert issued == EVERYTHING
    assert changed == {"admin"}
    assert (folder / "admin.key").read_bytes() == key
    assert certificate(folder, "admin").not_valid_after_utc == now + 365 * DAY


def test_leaves_are_kept_while_more_than_thirty_days_are_left(folder: Path) -> None:
    """A leaf is not renewed before its time."""
    assert pki.ensure(folder, LOCAL, NOW + 334 * DAY) == ()


def test_another_address_renews_only_the_serving_certificate(folder: Path) -> None:
    """A front door that moves gets a certificate with its new address in it."""
    issued = pki.ensure(folder, pki.leaves("192.0.2.7"), NOW)

    assert issued == ("serving",)
    assert "192.0.2.7" in alternative_names(folder, "serving")


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])  # noqa: S104 -- the address is only put into a name list
def test_an_unspecified_address_is_no_name(address: str) -> None:
    """Listening everywhere adds no name: nobody connects to 0.0.0.0."""
    (serving,) = (leaf for leaf in pki.leaves(address) if leaf.name == "serving")

    assert address not in serving.names


def test_a_leaf_that_was_deleted_is_issued_again(folder: Path) -> None:
    """Both files of a leaf gone is a wish for new ones."""
    (folder / "alice.crt").unlink()
    (folder / "alice.key").unlink()

    assert pki.ensure(folder, LOCAL, NOW) == ("alice",)


def test_an_authority_about_to_end_is_said(folder: Path) -> None:
    """An authority is never replaced silently: every client that trusts it would be cut off."""
    with pytest.raises(StartError, match=r"client-ca\.crt is valid only until 2035-12-30; delete the folder"):
        pki.ensure(folder, LOCAL, NOW + 3625 * DAY)


def test_a_missing_half_is_said(folder: Path) -> None:
    """A certificate without its key names the file that is missing."""
    (folder / "admin.key").unlink()

    with pytest.raises(StartError, match=r"admin\.key is missing; delete the folder .*pki and start again"):
        pki.ensure(folder, LOCAL, NOW)


def test_a_missing_authority_is_said(folder: Path) -> None:
    """A lost authority is not replaced: its leaves would belong to nobody."""
    (folder / "serving-ca.crt").unlink()
    (folder / "serving-ca.key").unlink()

    with pytest.raises(StartError, match=r"serving-ca\.crt is missing"):
        pki.ensure(folder, LOCAL, NOW)


@pytest.mark.parametrize(
    ("file", "sentence"),
    [("admin.crt", r"admin\.crt holds no PEM certificate"), ("admin.key", r"admin\.key holds no PEM private key")],
)
def test_a_half_written_file_is_said(folder: Path, file: str, sentence: str) -> None:
    """A file that was cut off is named, and none of it is shown."""
    whole = (folder / file).read_text()
    (folder / file).write_text(whole[: len(whole) // 2])

    with pytest.raises(StartError, match=sentence) as caught:
        pki.ensure(folder, LOCAL, NOW)

    assert whole.splitlines()[1][:20] not in str(caught.value)


def test_a_key_of_another_certificate_is_said(folder: Path) -> None:
    """A pair that does not match is not used."""
    (folder / "admin.key").write_bytes((folder / "alice.key").read_bytes())

    with pytest.raises(StartError, match=r"admin\.key is not the key of admin\.crt"):
        pki.ensure(folder, LOCAL, NOW)


def test_a_leaf_of_another_authority_is_said(folder: Path, tmp_path: Path) -> None:
    """A certificate that somebody else issued under the same name is not used."""
    pki.ensure(tmp_path / "other", LOCAL, NOW)
    for suffix in ("crt", "key"):
        (folder / f"serving.{suffix}").write_bytes((tmp_path / "other" / f"serving.{suffix}").read_bytes())

    with pytest.raises(StartError, match=r"serving\.crt was not issued by serving-ca\.crt"):
        pki.ensure(folder, LOCAL, NOW)


def test_what_is_read_does_not_show_its_key(folder: Path) -> None:
    """A key pair in memory prints without the key."""
    pair = pki.read(folder, "admin")

    assert pair.private_key.reveal() == (folder / "admin.key").read_bytes()
    assert "PRIVATE" not in repr(pair)
