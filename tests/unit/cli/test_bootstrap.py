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


def with_tls(tmp_path: Path) -> Path:
    """A settings file whose xDS face has TLS."""
    tls = {
        "certificateFile": "plane.crt",
        "privateKeyFile": "plane.key",
        "clientCAFile": "clients-ca.crt",
        "allowedNames": ["envoy.example.org"],
    }
    document = {
        "frontDoor": {"certificateFile": "serving.crt", "privateKeyFile": "serving.key"},
        "manifests": "manifests",
        "xds": {"listen": "0.0.0.0:18000", "advertise": "isthmus.example.org:18000", "tls": tls},
        "authorization": {"listen": "unix:/run/authorization.sock"},
        "discovery": {"listen": "unix:/run/discovery.sock"},
        "envoy": {
            "certificateFile": "envoy.crt",
            "privateKeyFile": "envoy.key",
            "caFile": "planes-ca.crt",
            "resourcesDir": "resources",
        },
    }
    path = tmp_path / "isthmus.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_with_tls_the_resource_files_are_written_where_envoy_finds_them(tmp_path: Path) -> None:
    """The bootstrap refers to the two files, and they refer to Envoy's certificate files; no certificate is read."""
    result = CliRunner().invoke(main, ["bootstrap", "--config", str(with_tls(tmp_path)), "-o", "json"])
    written = {path.name: path.read_text() for path in (tmp_path / "resources").iterdir()}

    assert result.exit_code == 0, result.stderr
    assert set(written) == {"isthmus-client.json", "isthmus-authority.json"}
    assert all(str(tmp_path / "resources" / name) in result.stdout for name in written)
    assert str(tmp_path / "envoy.key") in written["isthmus-client.json"]
    assert str(tmp_path / "planes-ca.crt") in written["isthmus-authority.json"]
    assert '"exact": "isthmus.example.org"' in result.stdout


def test_the_resource_files_can_be_written_elsewhere(tmp_path: Path) -> None:
    """The bootstrap still says where Envoy finds them, as the settings do."""
    elsewhere = tmp_path / "image"
    arguments = ["bootstrap", "--config", str(with_tls(tmp_path)), "--resources-dir", str(elsewhere)]
    result = CliRunner().invoke(main, arguments)

    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in elsewhere.iterdir()) == ["isthmus-authority.json", "isthmus-client.json"]
    assert str(tmp_path / "resources" / "isthmus-client.json") in result.stdout
    assert not (tmp_path / "resources").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """It says which folder, and how to choose another; nothing is printed that would refer to missing files."""
    (tmp_path / "resources").write_text("")
    result = CliRunner().invoke(main, ["bootstrap", "--config", str(with_tls(tmp_path))])

    assert result.exit_code == 1
    assert f"{tmp_path / 'resources'}: File exists; see to the folder, or choose another with --resources-dir" in (
        result.stderr
    )
    assert result.stdout == ""


def test_without_tls_nothing_is_written(config: Path) -> None:
    """A Unix socket needs no certificates."""
    before = sorted(config.parent.iterdir())
    result = CliRunner().invoke(main, ["bootstrap", "--config", str(config), "-o", "json"])

    assert result.exit_code == 0
    assert "transportSocket" not in result.stdout
    assert sorted(config.parent.iterdir()) == before
