"""`isthmus serve`."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from process import until

from controlplane import app, telemetry
from controlplane.cli import main, workspace
from controlplane.errors import StartError
from controlplane.settings.settings import Settings
from controlplane.sources import reading
from controlplane.sources.reading import Ahead, Readers


def test_the_settings_are_loaded_and_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs are set up as the settings say, then the control plane runs with these settings and the files read ahead."""
    served: list[Settings] = []
    read: list[str] = []
    logs: list[tuple[str, str]] = []

    async def serve(settings: Settings, *, ahead: Callable[[], Ahead]) -> None:
        served.append(settings)
        read.extend(ahead().seen)

    monkeypatch.setattr(app, "serve", serve)
    # The manifest is a moment old.
    monkeypatch.setattr(reading, "_YOUNG_SECONDS", -1e9)
    monkeypatch.setattr(telemetry, "configure", lambda level, log_format: logs.append((level, log_format)))
    with workspace.opened(tmp_path / "w") as opened:
        document = workspace.settings_document(opened, "127.0.0.1", 9443, {})
        workspace.write_yaml(opened.config, {**document, "log": {"level": "debug", "format": "json"}}, "comment")
        manifest = opened.config.parent / str(document["manifests"]) / "some.yaml"
        manifest.write_text("kind: Other\n")
    result = CliRunner().invoke(main, ["serve", "--config", str(opened.config)])

    assert result.exit_code == 0, result.stderr
    assert [settings.front_door.port for settings in served] == [9443]
    assert logs == [("debug", "json")]
    assert str(manifest) in read


def test_wrong_settings_are_said_one_a_line(tmp_path: Path) -> None:
    """Every wrong setting is named with its value; nothing is started."""
    config = tmp_path / "config.yaml"
    config.write_text("frontDoor: {port: 99999, certificateFile: a, privateKeyFile: b}\n")
    result = CliRunner().invoke(main, ["serve", "--config", str(config)])

    assert result.exit_code == 2
    assert f"{config}: frontDoor.port:" in result.stderr
    assert all(line.startswith(f"{config}: ") for line in result.stderr.splitlines())


def test_who_leaves_waits_for_no_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start that fails, and Ctrl-C, end what is being read ahead."""
    asked: list[Readers] = []

    def of(_: Path, readers: Readers) -> Ahead:
        asked.append(readers)
        until(lambda: readers.stopped, "it is stopped")
        return Ahead()

    async def serve(settings: Settings, **_: object) -> None:
        raise StartError("no")

    monkeypatch.setattr(Ahead, "of", of)
    monkeypatch.setattr(telemetry, "configure", lambda *_: None)
    monkeypatch.setattr(app, "serve", serve)
    with workspace.opened(tmp_path / "w") as opened:
        workspace.write_yaml(opened.config, workspace.settings_document(opened, "127.0.0.1", 9443, {}), "comment")
    result = CliRunner().invoke(main, ["serve", "--config", str(opened.config)])

    assert (1, [True]) == (result.exit_code, [readers.stopped for readers in asked])
