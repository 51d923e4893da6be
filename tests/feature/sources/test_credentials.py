"""The certificate files over a real file system: what is said at the start, of each replacement, and of bad files."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from listening import Listener
from pki import CertificateAuthority
from watchfiles import Change as FileChange

from controlplane.errors import StartError
from controlplane.model.change import CredentialsChanged, Synced
from controlplane.model.credentials import ClientAuthorities, Credentials, KeyPair, Secret
from controlplane.model.problem import Problem
from controlplane.settings.request_header import RequestHeader
from controlplane.settings.settings import Core, Settings
from controlplane.sources import credentials
from controlplane.sources.credentials import CredentialsSource, read_credentials

NOW = time.time()
CA = CertificateAuthority("ca")
DOOR, DOOR_KEY = CA.issue("door")
PROXY, PROXY_KEY = CA.issue("proxy")
NEXT, NEXT_KEY = CA.issue("next")
FILES = {
    "door.crt": DOOR,
    "door.key": DOOR_KEY,
    "client-ca.crt": CA.certificate,
    "proxy.crt": PROXY,
    "proxy.key": PROXY_KEY,
    "roots.crt": CA.certificate,
}
CREDENTIALS = Credentials(
    KeyPair(DOOR, Secret(DOOR_KEY)), CA.certificate, KeyPair(PROXY, Secret(PROXY_KEY)), CA.certificate
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings that name a file for everything, all written."""
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    face = {"listen": "unix:/run/isthmus.sock"}
    values = {
        "frontDoor": {"certificateFile": "door.crt", "privateKeyFile": "door.key", "clientCAFile": "client-ca.crt"},
        "frontProxy": {"certificateFile": "proxy.crt", "privateKeyFile": "proxy.key"},
        "systemRootsFile": "roots.crt",
        "manifests": "manifests",
        "xds": face,
        "authorization": face,
        "discovery": face,
    }
    return Settings.model_validate(values).relative_to(tmp_path)


class CredentialsListener(Listener):
    """What is said of the files that settings name."""

    def __init__(self, settings: Settings, **options: Any) -> None:  # noqa: ANN401 - what CredentialsSource takes
        super().__init__(lambda report: CredentialsSource(settings, report, **options))


def _replace(file: Path, content: bytes) -> None:
    spare = file.with_name(f".{file.name}")
    spare.write_bytes(content)
    spare.rename(file)


async def test_the_credentials_then_synced(settings: Settings) -> None:
    """A source says the credentials in the files, then Synced, and has nothing to report."""
    async with CredentialsListener(settings) as listener:
        batches = [await listener.next(), await listener.next()]

        assert [(CredentialsChanged(CREDENTIALS),), (Synced("credentials"),)] == batches
        assert listener.silent


async def test_a_new_pair_comes_as_one_change(settings: Settings, tmp_path: Path) -> None:
    """Certificate and key replaced one after the other come out together, as one change."""
    async with CredentialsListener(settings) as listener:
        await listener.next()
        await listener.next()
        _replace(tmp_path / "door.crt", NEXT)
        _replace(tmp_path / "door.key", NEXT_KEY)
        [change] = await listener.next()

        assert isinstance(change, CredentialsChanged)
        assert KeyPair(NEXT, Secret(NEXT_KEY)) == change.credentials.serving
        assert CREDENTIALS.front_proxy == change.credentials.front_proxy


async def test_the_authority_of_the_core_is_followed(settings: Settings, tmp_path: Path) -> None:
    """A good one comes out; one that is none is a Problem and changes nothing."""
    (tmp_path / "core.crt").write_bytes(CA.certificate)
    core = Core(server="https://127.0.0.1:6443", ca_file=tmp_path / "core.crt")
    async with CredentialsListener(settings.model_copy(update={"core": core})) as listener:
        [first] = await listener.next()
        await listener.next()
        other = CertificateAuthority("other").certificate
        _replace(tmp_path / "core.crt", b"nonsense")
        problems = await listener.report()
        _replace(tmp_path / "core.crt", other)
        [change] = await listener.next()

    assert isinstance(first, CredentialsChanged)
    assert isinstance(change, CredentialsChanged)
    assert (CA.certificate, other) == (first.credentials.core_ca, change.credentials.core_ca)
    assert [problem.field for problem in problems] == ["core.caFile"]


async def test_a_half_replaced_pair_is_waited_for(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate whose key comes a moment later is no Problem: the files are read when they have been quiet."""
    reports: asyncio.Queue[set[tuple[FileChange, str]]] = asyncio.Queue()

    async def awatch(*_: Path, **__: object) -> AsyncIterator[set[tuple[FileChange, str]]]:
        while True:
            yield await reports.get()
            reports.task_done()

    seen: list[bytes] = []

    def noting_read(read: Settings, now: float) -> tuple[Credentials | None, tuple[Problem, ...]]:
        seen.append((tmp_path / "door.key").read_bytes())
        return read_credentials(read, now)

    monkeypatch.setattr(credentials, "read_credentials", noting_read)
    async with CredentialsListener(settings, awatch=awatch) as listener:
        await listener.next()
        await listener.next()
        for name, content in (("door.crt", NEXT), ("door.key", NEXT_KEY)):
            _replace(tmp_path / name, content)
            reports.put_nowait({(FileChange.added, str(tmp_path / name))})
            await reports.join()
        [change] = await listener.next()

        assert isinstance(change, CredentialsChanged)
        assert KeyPair(NEXT, Secret(NEXT_KEY)) == change.credentials.serving
        assert seen == [DOOR_KEY, NEXT_KEY]
        assert listener.silent


async def test_only_reports_of_the_files_are_heeded(settings: Settings, tmp_path: Path) -> None:
    """What else happens in the folders of the files does not have them read again."""
    heeded: dict[str, bool] = {}

    async def awatch(
        *_: Path, watch_filter: Callable[[FileChange, str], bool], **__: object
    ) -> AsyncIterator[set[tuple[FileChange, str]]]:
        for name in ("door.key", "..data", "notes.txt", ".door.key"):
            heeded[name] = watch_filter(FileChange.modified, str(tmp_path / name))
        yield set()

    async with CredentialsListener(settings, awatch=awatch) as listener:
        await listener.next()

    assert heeded == {"door.key": True, "..data": True, "notes.txt": False, ".door.key": False}


async def test_a_mounted_secret_is_followed(settings: Settings, tmp_path: Path) -> None:
    """Files that lead through the link ..data are read anew when Kubernetes points it elsewhere."""
    for version, certificate, key in (("..v1", DOOR, DOOR_KEY), ("..v2", NEXT, NEXT_KEY)):
        (tmp_path / version).mkdir()
        (tmp_path / version / "door.crt").write_bytes(certificate)
        (tmp_path / version / "door.key").write_bytes(key)
    (tmp_path / "..data").symlink_to("..v1")
    for name in ("door.crt", "door.key"):
        (tmp_path / name).unlink()
        (tmp_path / name).symlink_to(f"..data/{name}")
    async with CredentialsListener(settings) as listener:
        await listener.next()
        await listener.next()
        (tmp_path / "..tmp").symlink_to("..v2")
        (tmp_path / "..tmp").rename(tmp_path / "..data")
        [change] = await listener.next()

        assert isinstance(change, CredentialsChanged)
        assert KeyPair(NEXT, Secret(NEXT_KEY)) == change.credentials.serving


async def test_a_replacement_without_report_is_found(settings: Settings, tmp_path: Path) -> None:
    """A file whose replacement nobody reports is found when the files are read again."""

    async def awatch(*_: Path, **__: object) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield set()

    async with CredentialsListener(settings, awatch=awatch, compare_seconds=0.01) as listener:
        await listener.next()
        await listener.next()
        _replace(tmp_path / "roots.crt", DOOR)
        [change] = await listener.next()

        assert isinstance(change, CredentialsChanged)
        assert change.credentials.system_roots == DOOR


async def test_a_broken_replacement_changes_nothing_but_the_problems(settings: Settings, tmp_path: Path) -> None:
    """Files that break later are told, the credentials stay; mended, the Problem is gone without a change."""
    async with CredentialsListener(settings) as listener:
        await listener.next()
        await listener.next()
        _replace(tmp_path / "door.key", NEXT_KEY)
        [problem] = await listener.report()
        _replace(tmp_path / "door.key", DOOR_KEY)
        solved = await listener.report()
        silent = listener.silent
    sentence = (
        f"{tmp_path}/door.key: frontDoor.privateKeyFile: "
        "does not belong to the first certificate of the certificate file; "
        f"put the unencrypted key of {tmp_path}/door.crt there, in PEM"
    )

    assert sentence == str(problem)
    assert solved == ()
    assert silent


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (
            "door.crt",
            None,
            (
                "frontDoor.certificateFile: cannot be read (No such file or directory); "
                "put the file there, readable for the user that Isthmus runs as, or correct the setting"
            ),
        ),
        (
            "client-ca.crt",
            b"",
            "frontDoor.clientCAFile: is empty; put PEM there",
        ),
        (
            "proxy.crt",
            b"text",
            "frontProxy.certificateFile: holds no PEM certificate; put PEM certificates there",
        ),
        (
            "roots.crt",
            DOOR + b"-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n",
            "systemRootsFile: certificate 2 in it does not parse; put PEM certificates there",
        ),
        (
            "proxy.key",
            b"text",
            (
                "frontProxy.privateKeyFile: holds no PEM private key that can be read; "
                "put the unencrypted key of {folder}/proxy.crt there, in PEM"
            ),
        ),
    ],
)
async def test_a_file_that_cannot_be_used_stops_the_start(
    name: str, content: bytes | None, sentence: str, settings: Settings, tmp_path: Path
) -> None:
    """At the start each file that cannot be used is named with its setting and remedy."""
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(StartError) as raised:
        await anext(CredentialsSource(settings, lambda _: None).changes())
    assert f"{tmp_path}/{name}: {sentence.format(folder=tmp_path)}" == str(raised.value)


def with_front_proxies(settings: Settings, **asserting: object) -> Settings:
    """The same settings with a section on front proxies whose authority is in front-proxies-ca.crt."""
    folder = settings.front_door.certificate_file.parent
    section = RequestHeader.model_validate({"clientCAFile": folder / "front-proxies-ca.crt", **asserting})
    authentication = settings.authentication.model_copy(update={"request_header": section})
    return settings.model_copy(update={"authentication": authentication})


async def test_the_authority_of_front_proxies_is_followed(settings: Settings, tmp_path: Path) -> None:
    """It comes with the other certificates, and anew when its file is replaced."""
    first, second = (CertificateAuthority("front proxies").certificate for _ in range(2))
    (tmp_path / "front-proxies-ca.crt").write_bytes(first)
    async with CredentialsListener(with_front_proxies(settings)) as listener:
        [change] = await listener.next()
        await listener.next()
        assert isinstance(change, CredentialsChanged)
        assert ClientAuthorities(CA.certificate, first) == change.credentials.client_authorities
        _replace(tmp_path / "front-proxies-ca.crt", second)
        [change] = await listener.next()

        assert isinstance(change, CredentialsChanged)
        assert ClientAuthorities(CA.certificate, second) == change.credentials.client_authorities


def test_an_authority_that_users_have_too_needs_names(settings: Settings, tmp_path: Path) -> None:
    """Otherwise whoever has a client certificate could ask as anybody; kube-apiserver refuses to start then, too."""
    (tmp_path / "front-proxies-ca.crt").write_bytes(CertificateAuthority("other").certificate + CA.certificate)

    credentials, problems = read_credentials(with_front_proxies(settings), NOW)
    assert credentials is None
    (problem,) = problems
    assert str(problem) == (
        f"{tmp_path}/front-proxies-ca.crt: authentication.requestHeader.clientCAFile: holds an authority of "
        "frontDoor.clientCAFile, and authentication.requestHeader.allowedNames is empty; "
        "name the common names of front proxies, or use an authority of their own"
    )

    credentials, problems = read_credentials(with_front_proxies(settings, allowedNames=["edge"]), NOW)
    assert credentials is not None
    assert problems == ()


def _paths(cafile: str | None, capath: str) -> ssl.DefaultVerifyPaths:
    # typeshed does not know that there may be no file.
    return ssl.DefaultVerifyPaths(cafile, capath, "", "", "", "")  # type: ignore[arg-type]


async def test_without_a_setting_the_operating_systems_roots_are_taken(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The roots are those of the operating system, as one file or beside the hashed ones; without any, a Problem."""
    (tmp_path / "ca-certificates.crt").write_bytes(PROXY)
    settings = settings.model_copy(update={"system_roots_file": None})
    found = []
    for paths in (_paths(str(tmp_path / "roots.crt"), ""), _paths(None, str(tmp_path)), _paths(None, "/nowhere")):
        monkeypatch.setattr(ssl, "get_default_verify_paths", lambda paths=paths: paths)
        credentials, problems = read_credentials(settings, NOW)
        assert credentials is not None
        found.append((credentials.system_roots, [str(problem) for problem in problems]))

    assert [
        (CA.certificate, []),
        (PROXY, []),
        (
            b"",
            [
                (
                    "/nowhere/ca-certificates.crt: systemRootsFile: the operating system's root certificates cannot be "
                    "read (No such file or directory); "
                    "install them, or set systemRootsFile; until then every APIService needs a caBundle"
                )
            ],
        ),
    ] == found
