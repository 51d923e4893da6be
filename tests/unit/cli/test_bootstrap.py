"""`isthmus bootstrap`."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from controlplane.cli import main, workspace


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A settings file as `isthmus up` writes it."""
    with workspace.opened(tmp_path / "w") as opened:
        workspace.write_yaml(opened.config, workspace.settings_document(opened, "127.0.0.1", 8443, {}), "comment")
    return opened.config


def test_yaml_and_json_say_the_same(config: Path) -> None:
    """Both outputs are one document, with the node that was named and the socket of the settings."""
    arguments = ["bootstrap", "--config", str(config), "--node-id", "edge-1", "--node-cluster", "edge"]
    as_yaml = CliRunner().invoke(main, arguments)
    as_json = CliRunner().invoke(main, [*arguments, "-o", "json"])

    assert (as_yaml.exit_code, as_json.exit_code) == (0, 0)
    assert yaml.safe_load(as_yaml.stdout) == json.loads(as_json.stdout)
    assert json.loads(as_json.stdout)["node"] == {"id": "edge-1", "cluster": "edge"}
    assert str(config.parent / "run" / "xds.sock") in as_json.stdout


def test_wrong_settings_are_one_sentence(tmp_path: Path) -> None:
    """A settings file that is missing ends with the code of a wrong setting."""
    result = CliRunner().invoke(main, ["bootstrap", "--config", str(tmp_path / "none.yaml")])

    assert result.exit_code == 2
    assert "none.yaml: cannot be read" in result.stderr
    assert len(result.stderr.splitlines()) == 1
