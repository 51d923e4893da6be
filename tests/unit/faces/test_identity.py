"""The certificate files of a face: used when good, followed, and kept when what replaces them is not."""

from __future__ import annotations

import asyncio
import datetime
from pathlib import Path

import pytest
from mtls import Mtls

from controlplane.errors import StartError
from controlplane.faces.identity import Identity, followed, read
from controlplane.model.problem import Problem
from controlplane.settings.tls import ServerTls


@pytest.fixture
def mtls(tmp_path: Path) -> Mtls:
    """Certificates in a folder of their own."""
    return Mtls(tmp_path)


def section_of(mtls: Mtls) -> ServerTls:
    """The section of a face with these certificates."""
    return ServerTls.model_validate(mtls.tls())


def test_good_files_are_read(mtls: Mtls) -> None:
    """Certificate, key and authority are those in the files, and the key is in no repr."""
    material, problems = read("xds.tls", section_of(mtls))

    assert problems == ()
    assert material is not None
    assert material.pair.certificate_chain == (mtls.folder / "plane.crt").read_bytes()
    assert material.client_ca == mtls.clients.certificate
    assert "PRIVATE KEY" not in repr(material)


def test_a_renewed_authority_comes_first(mtls: Mtls) -> None:
    """For gRPC asks the first certificate of a name alone."""
    expired = mtls.clients.again(-datetime.timedelta(days=1))
    mtls.replace("clients-ca.crt", expired + mtls.clients.certificate)
    material, _ = read("xds.tls", section_of(mtls))

    assert material is not None
    assert material.client_ca == mtls.clients.certificate + expired


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("plane.crt", None, "xds.tls.certificateFile: cannot be read (No such file or directory); put the file there"),
        ("plane.crt", b"x", "xds.tls.certificateFile: holds no PEM certificate; put PEM certificates there"),
        ("clients-ca.crt", b"", "xds.tls.clientCAFile: holds no PEM certificate; put PEM certificates there"),
        ("plane.key", b"x", "xds.tls.privateKeyFile: holds no PEM private key that can be read; put the unencrypted"),
    ],
)
def test_files_that_cannot_be_used_stop_the_start(name: str, content: bytes | None, sentence: str, mtls: Mtls) -> None:
    """The sentence names the file, the setting, what is wrong and what to do."""
    (mtls.folder / name).unlink()
    if content is not None:
        (mtls.folder / name).write_bytes(content)

    with pytest.raises(StartError) as caught:
        Identity("xds.tls", section_of(mtls), lambda _: None)

    assert str(caught.value).startswith(f"{mtls.folder / name}: {sentence}")
    assert len(str(caught.value).splitlines()) == 1


def test_a_key_of_another_certificate_is_no_key(mtls: Mtls) -> None:
    """Certificate and key belong together."""
    mtls.replace("plane.key", (mtls.folder / "envoy.key").read_bytes())
    material, problems = read("xds.tls", section_of(mtls))

    assert material is None
    assert ["does not belong to the first certificate of the certificate file"] == [each.message for each in problems]


async def test_a_replacement_is_taken_over_and_a_broken_one_is_reported_once(mtls: Mtls) -> None:
    """What was good stays in force while a broken file is there, and the problem goes when it is mended."""
    told: asyncio.Queue[tuple[Problem, ...]] = asyncio.Queue()
    async with followed("xds.tls", section_of(mtls), lambda _: told.put_nowait) as identity:
        first = identity.material
        mtls.replace("plane.crt", b"broken")
        broken = await asyncio.wait_for(told.get(), 10)
        assert identity.material is first

        mtls.rotate()
        solved = await asyncio.wait_for(told.get(), 10)

        assert ["xds.tls.certificateFile"] == [problem.field for problem in broken]
        assert solved == ()
        assert identity.material.pair.certificate_chain == (mtls.folder / "plane.crt").read_bytes()
        assert told.empty()


async def test_a_mounted_secret_is_followed(tmp_path: Path) -> None:
    """Kubernetes replaces all files at once, by pointing the link ..data to another folder."""
    for version in ("..v1", "..v2"):
        (tmp_path / version).mkdir()
    first, second = Mtls(tmp_path / "..v1"), Mtls(tmp_path / "..v2")
    (tmp_path / "..data").symlink_to("..v1")
    for name in ("plane.crt", "plane.key", "clients-ca.crt"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    first.folder = tmp_path
    async with followed("xds.tls", section_of(first), lambda _: lambda _: None) as identity:
        (tmp_path / "..next").symlink_to("..v2")
        (tmp_path / "..next").rename(tmp_path / "..data")
        async with asyncio.timeout(10):
            while identity.material.client_ca != second.clients.certificate:  # noqa: ASYNC110 -- nothing announces it
                await asyncio.sleep(0)

        assert identity.material.pair.certificate_chain == (tmp_path / "..v2" / "plane.crt").read_bytes()
