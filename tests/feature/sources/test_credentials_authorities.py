"""The authorities in the certificate files: which of them come out at what moment."""

from __future__ import annotations

import datetime
import time
from pathlib import Path

import pytest
from listening import Listener
from pki import CertificateAuthority

from controlplane.model.change import CredentialsChanged
from controlplane.settings.settings import Settings
from controlplane.sources.credentials import CredentialsSource, read_credentials

NOW = time.time()
DAY = datetime.timedelta(days=1)
FILES = ("clients.crt", "roots.crt", "core.crt", "front-proxies.crt")
AUTHORITIES = {name: CertificateAuthority(name) for name in FILES}
DOOR, DOOR_KEY = AUTHORITIES["clients.crt"].issue("door")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a file for each kind of authority, in which a renewed one follows the one that has expired."""
    for name, authority in AUTHORITIES.items():
        (tmp_path / name).write_bytes(authority.again(-DAY) + authority.certificate)
    (tmp_path / "door.crt").write_bytes(DOOR + AUTHORITIES["clients.crt"].again(-DAY))
    (tmp_path / "door.key").write_bytes(DOOR_KEY)
    face = {"listen": "unix:/run/isthmus.sock"}
    document = {
        "frontDoor": {"certificateFile": "door.crt", "privateKeyFile": "door.key", "clientCAFile": "clients.crt"},
        "core": {"server": "https://127.0.0.1:6443", "caFile": "core.crt"},
        "systemRootsFile": "roots.crt",
        "authentication": {"requestHeader": {"clientCAFile": "front-proxies.crt"}},
        "manifests": "manifests",
        **dict.fromkeys(("xds", "authorization", "discovery"), face),
    }
    return Settings.model_validate(document).relative_to(tmp_path)


def test_of_the_authorities_those_in_force_come_out(settings: Settings, tmp_path: Path) -> None:
    """In every file of authorities; the chain that clients are shown stays as it is."""
    read, problems = read_credentials(settings, NOW)

    assert problems == ()
    assert read is not None
    assert read.serving is not None
    assert read.serving.certificate_chain == (tmp_path / "door.crt").read_bytes()
    found = (read.client_ca, read.system_roots, read.core_ca, read.request_header_ca)
    assert tuple(AUTHORITIES[name].certificate for name in FILES) == found


async def test_an_authority_that_ends_is_gone_without_a_change_of_its_file(settings: Settings, tmp_path: Path) -> None:
    """What is in the files is compared with the moment as well."""
    authority = AUTHORITIES["clients.crt"]
    renewed = authority.again(3 * DAY)
    (tmp_path / "clients.crt").write_bytes(authority.certificate + renewed)
    moment = NOW
    async with Listener(
        lambda report: CredentialsSource(settings, report, compare_seconds=0.01, clock=lambda: moment)
    ) as listener:
        [first] = await listener.next()
        await listener.next()
        moment += 2 * DAY.total_seconds()
        # The other authorities end as well; a file that would be left without one keeps what it has.
        [change] = await listener.next()

    assert isinstance(first, CredentialsChanged)
    assert isinstance(change, CredentialsChanged)
    assert (renewed + authority.certificate, renewed) == (first.credentials.client_ca, change.credentials.client_ca)
