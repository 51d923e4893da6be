"""`isthmus status` and `isthmus proxies` ask an admin face that demands a certificate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from mtls import Mtls
from process import free_port

from controlplane.admin.reports import Reports
from controlplane.admin.service import handlers
from controlplane.aio import Watchable
from controlplane.cli import main
from controlplane.faces import rpc
from controlplane.faces.rpc import RpcFace
from controlplane.model.topology import Topology
from controlplane.settings.load import load
from controlplane.xds.service import server_options


@pytest.fixture
def mtls(tmp_path: Path) -> Mtls:
    """The certificates of everybody."""
    return Mtls(tmp_path)


@pytest.fixture
async def document(mtls: Mtls) -> AsyncIterator[dict[str, object]]:
    """Settings with an admin face, which is served."""
    client = {name: value for name, value in mtls.envoy().items() if name != "resourcesDir"}
    document: dict[str, object] = {
        "frontDoor": {"certificateFile": "serving.crt", "privateKeyFile": "serving.key"},
        "manifests": "manifests",
        **{name: {"listen": f"unix:/run/{name}.sock"} for name in ("xds", "authorization", "discovery")},
        "admin": {"listen": f"127.0.0.1:{free_port()}", "tls": mtls.tls(), "client": client},
    }
    face = load(written(mtls, document)).admin
    assert face is not None
    reports = Reports(
        topology=Watchable(Topology()),
        problems=list,
        connected=tuple,
        epoch=lambda: 0.0,
        pause=asyncio.Event().wait,
    )
    told = handlers(reports)
    async with rpc.listening(RpcFace("admin", face, tuple(told)), server_options(), lambda _: lambda _: None):
        yield document


def written(mtls: Mtls, document: dict[str, object]) -> Path:
    """The settings file."""
    path = mtls.folder / "isthmus.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


async def asked(verb: str, mtls: Mtls, document: dict[str, object]) -> Result:
    """What a command comes to with these settings."""
    return await asyncio.to_thread(CliRunner().invoke, main, [verb, "--config", str(written(mtls, document))])


async def test_the_settings_say_what_the_commands_show(mtls: Mtls, document: dict[str, object]) -> None:
    """Both commands are answered."""
    status, proxies = await asked("status", mtls, document), await asked("proxies", mtls, document)

    assert (status.exit_code, proxies.exit_code) == (0, 0), status.stderr
    assert status.stdout.startswith("NAME")
    assert proxies.stdout == "no proxies connected\n"


async def test_a_name_that_is_not_allowed_is_one_sentence(mtls: Mtls, document: dict[str, object]) -> None:
    """It says what was presented and where to allow it."""
    mtls.write_pair("envoy", mtls.clients.issue("stranger", dns_names=["stranger"], server=False))
    result = await asked("status", mtls, document)

    assert result.exit_code == 1
    assert (
        "refuses this client (the client's certificate has stranger; nothing of that is in admin.tls" in result.stderr
    )


async def test_without_a_certificate_to_show_nobody_is_asked(mtls: Mtls, document: dict[str, object]) -> None:
    """The sentence names the settings that are missing."""
    admin = document["admin"]
    assert isinstance(admin, dict)
    del admin["client"]
    result = await asked("status", mtls, document)

    assert result.exit_code == 2
    assert "admin.tls is set, and admin.client is not; set admin.client.certificateFile" in result.stderr


async def test_a_certificate_that_cannot_be_read_is_one_sentence(mtls: Mtls, document: dict[str, object]) -> None:
    """It names the setting and the file."""
    (mtls.folder / "envoy.key").unlink()
    result = await asked("status", mtls, document)

    assert result.exit_code == 2
    assert f"admin.client.privateKeyFile: {mtls.folder / 'envoy.key'} cannot be read" in result.stderr
