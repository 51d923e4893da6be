"""What is written before any program is started."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from controlplane.cli import files, groundwork, workspace
from controlplane.cli.workspace import Workspace
from controlplane.errors import SettingsError, StartError

# As releases without a config API wrote them.
EARLIER = "# Written by Isthmus at every start; copy it to change it.\n"


@pytest.fixture
def opened(tmp_path: Path) -> Workspace:
    """A folder, and a short one for sockets."""
    return Workspace(tmp_path, Path("/run/isthmus"))


def wanted(opened: Workspace, port: int = 8443, core: dict[str, str] | None = None, workers: int = 0) -> dict[str, Any]:
    """The settings that a start asks for."""
    return workspace.settings_document(opened, "127.0.0.1", port, core or {}, workers)


def started(opened: Workspace, port: int = 8443) -> dict[str, Any]:
    """What a start leaves in the file."""
    configured = groundwork.configuration(opened, wanted(opened, port))
    groundwork.write(opened, configured, node_id="it", into=opened.bootstrap)
    document: dict[str, Any] = yaml.safe_load(opened.config.read_text())
    return document


def earlier(opened: Workspace, **more: object) -> str:
    """The file of an earlier release, which knew neither `store` nor `config`; with what a person has added."""
    old = Workspace(opened.root, Path("/tmp/isthmus-a1b2"))
    document = wanted(old, 9443, {"server": "https://10.0.0.1:6443"}, 2)
    kept = {name: value for name, value in document.items() if name not in {"store", "config"}}
    opened.config.write_text(EARLIER + files.as_yaml({**kept, **more}))
    return opened.config.read_text()


def test_settings_are_written_at_every_start(opened: Workspace) -> None:
    """What the command line says this time is in the file, with a store and a config API."""
    first, second = started(opened, 8443), started(opened, 9443)

    assert (first["frontDoor"]["port"], second["frontDoor"]["port"]) == (8443, 9443)
    assert second["store"] == {"sqlite": {"path": "isthmus.db"}}
    assert second["config"] == {"listen": "unix:/run/isthmus/config.sock"}


def test_settings_of_an_earlier_release_are_completed(opened: Workspace) -> None:
    """Whatever that start was asked for, its file is written anew."""
    earlier(opened)

    assert started(opened)["config"] == {"listen": "unix:/run/isthmus/config.sock"}


@pytest.mark.parametrize("more", [{"log": {"level": "debug"}}, {"config": {"listen": "unix:/mine.sock"}}])
def test_settings_of_an_earlier_release_that_somebody_has_changed_stay(
    opened: Workspace, more: dict[str, object]
) -> None:
    """A section that no release wrote was written by a person."""
    text = earlier(opened, store={"sqlite": {"path": "mine.db"}}, **more)

    configured = groundwork.configuration(opened, wanted(opened))

    assert configured.file is None
    assert configured.settings.front_door is not None
    assert configured.settings.front_door.port == 9443
    assert started(opened)["frontDoor"]["port"] == 9443
    assert opened.config.read_text() == text


@pytest.mark.parametrize(
    "change", [("8443", "9443"), ("manifests: manifests", "manifests: mine"), ("sha256:", "sha256:0")]
)
def test_settings_that_somebody_has_changed_stay(opened: Workspace, change: tuple[str, str]) -> None:
    """They are what is started with, and Envoy's bootstrap follows them."""
    started(opened)
    opened.config.write_text(opened.config.read_text().replace(*change))
    text = opened.config.read_text()

    started(opened)

    assert opened.config.read_text() == text


@pytest.mark.parametrize(
    "text",
    ["", "frontDoor: [", "a: 2001-99-99", EARLIER, EARLIER + "xds: 1\n", EARLIER + "- [\n", EARLIER + "a: 2001-99-99"],
)
def test_a_file_that_holds_no_settings_is_said_and_kept(opened: Workspace, text: str) -> None:
    """What a person has broken is theirs to mend."""
    opened.config.write_text(text)

    with pytest.raises(SettingsError, match=r"config\.yaml"):
        started(opened)

    assert opened.config.read_text() == text


def test_sockets_in_a_folder_that_is_not_ours_are_refused(opened: Workspace) -> None:
    """Whoever has the short folder of an earlier start could put sockets of their own in the place of ours."""
    usual = Workspace(opened.root, workspace.short_folder(opened.root))
    started(usual)
    opened.config.write_text(opened.config.read_text() + "# mine\n")

    assert groundwork.configuration(usual, wanted(usual)).file is None
    with pytest.raises(StartError, match=f"names sockets in {usual.sockets}, and that folder is not this user's"):
        groundwork.configuration(opened, wanted(opened))


def test_settings_that_cannot_be_used_are_not_written(opened: Workspace) -> None:
    """What was wrong on the command line leaves no file behind."""
    with pytest.raises(SettingsError, match="is not served over TLS"):
        groundwork.configuration(opened, wanted(opened, core={"server": "http://10.0.0.1"}))

    assert not opened.config.exists()
