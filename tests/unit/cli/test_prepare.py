"""`isthmus prepare`."""

import datetime
import ipaddress
import stat
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from controlplane.cli import main, pki
from controlplane.settings.load import load

WHEN = datetime.datetime.now(datetime.UTC)


def prepare(directory: Path, *arguments: str) -> Result:
    """`isthmus prepare` in `directory`."""
    return CliRunner().invoke(main, ["prepare", "--directory", str(directory), *arguments])


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A folder that has been prepared, with the demo."""
    result = prepare(tmp_path / "w", "--port", "9443", "--demo", "servicecatalog:6443")
    assert (result.exit_code, result.output) == (0, "")
    return tmp_path / "w"


def test_the_settings_can_be_used(prepared: Path) -> None:
    """The settings name files that are there, and sockets in the folder that Envoy shares."""
    loaded = load(prepared / "control-plane" / "config.yaml")
    named = [
        loaded.front_door.certificate_file,
        loaded.front_door.private_key_file,
        loaded.front_door.client_ca_file,
        loaded.manifests,
    ]

    assert ipaddress.ip_address(loaded.front_door.address).is_unspecified
    assert loaded.front_door.port == 9443
    assert str(loaded.xds.listen) == "unix:/run/isthmus/xds.sock"
    assert all(path is not None and path.exists() for path in named)


def test_the_config_api_is_the_control_planes_own(prepared: Path) -> None:
    """Envoy's container sees the other sockets, and neither the one by which is written nor the database."""
    loaded = load(prepared / "control-plane" / "config.yaml")

    assert loaded.config is not None
    assert str(loaded.config.listen) == "unix:/var/lib/isthmus/store/config.sock"
    assert loaded.store is not None
    assert loaded.store.sqlite.path == Path("/var/lib/isthmus/store/isthmus.db")
    assert loaded.xds.listen.path.startswith("/run/isthmus/")


def test_verdicts_outlast_a_restart_of_the_one_control_plane(prepared: Path) -> None:
    """A container that is replaced takes some seconds."""
    assert load(prepared / "control-plane" / "config.yaml").verdict_cache.ttl == datetime.timedelta(minutes=1)


def test_settings_that_somebody_has_changed_stay(prepared: Path) -> None:
    """A person's settings are what the next start has, and Envoy's bootstrap fits them."""
    config = prepared / "control-plane" / "config.yaml"
    config.write_text(config.read_text().replace("/run/isthmus/xds.sock", "/run/isthmus/other.sock"))
    text = config.read_text()

    assert prepare(prepared, "--port", "9443", "--demo", "servicecatalog:6443").exit_code == 0
    assert config.read_text() == text
    assert "/run/isthmus/other.sock" in (prepared / "envoy" / "envoy.yaml").read_text()


def test_the_bootstrap_leads_to_the_control_plane(prepared: Path) -> None:
    """Envoy's folder holds its bootstrap and nothing else."""
    bootstrap = yaml.safe_load((prepared / "envoy" / "envoy.yaml").read_text())
    (cluster,) = bootstrap["staticResources"]["clusters"]
    (locality,) = cluster["loadAssignment"]["endpoints"]

    assert [file.name for file in (prepared / "envoy").iterdir()] == ["envoy.yaml"]
    assert locality["lbEndpoints"][0]["endpoint"]["address"] == {"pipe": {"path": "/run/isthmus/xds.sock"}}
    assert bootstrap["node"]["id"] == "isthmus"


def test_a_program_gets_its_own_keys_alone(prepared: Path) -> None:
    """No authority's key, no user's key and no other program's key is in a program's folder; keys are private."""
    folders = ("control-plane", "envoy", "servicecatalog")
    keys = [key for folder in folders for key in sorted((prepared / folder).rglob("*.key"))]

    assert [str(key.relative_to(prepared)) for key in keys] == [
        "control-plane/pki/front-proxy-client.key",
        "control-plane/pki/serving.key",
        "servicecatalog/servicecatalog.key",
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in [*keys, prepared / "kubeconfig"]} == {0o600}


def test_the_kubeconfig_leads_to_the_published_port(prepared: Path) -> None:
    """What is published on this machine's loopback address is what kubectl connects to."""
    document = yaml.safe_load((prepared / "kubeconfig").read_text())

    assert document["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:9443"


def test_the_demo_is_registered_by_name(prepared: Path) -> None:
    """The demo's container is found by its DNS name, on its own port."""
    manifest = prepared / "control-plane" / "manifests" / "servicecatalog.yaml"
    service, api_service, *_ = yaml.safe_load_all(manifest.read_text())

    assert service["spec"] == {"type": "ExternalName", "externalName": "servicecatalog"}
    assert api_service["spec"]["service"]["port"] == 6443


def test_preparing_again_changes_nothing(prepared: Path) -> None:
    """Certificates, and with them kubeconfigs that were copied away, stay good."""
    before = {file: file.read_bytes() for file in prepared.rglob("*") if file.is_file()}
    result = prepare(prepared, "--port", "9443", "--demo", "servicecatalog:6443")
    after = {file: file.read_bytes() for file in prepared.rglob("*") if file.is_file()}

    assert result.exit_code == 0
    assert before == after


def test_a_renewed_certificate_is_handed_on(prepared: Path) -> None:
    """A certificate that ran out is issued anew, and the program that shows it gets the new one."""
    long_ago = WHEN - datetime.timedelta(days=350)
    (prepared / "pki" / "serving.crt").unlink()
    (prepared / "pki" / "serving.key").unlink()
    issued = pki.ensure(prepared / "pki", pki.leaves("127.0.0.1"), long_ago)
    old = (prepared / "pki" / "serving.crt").read_bytes()
    prepare(prepared)
    handed = (prepared / "control-plane" / "pki" / "serving.crt").read_bytes()

    assert "serving" in issued
    assert handed != old
    assert handed == (prepared / "pki" / "serving.crt").read_bytes()


def test_without_the_demo_nothing_is_registered(prepared: Path) -> None:
    """Preparing without --demo takes the registration back."""
    result = prepare(prepared)

    assert result.exit_code == 0
    assert list((prepared / "control-plane" / "manifests").glob("*.yaml")) == []


@pytest.mark.parametrize(
    ("demo", "sentence"),
    [
        ("servicecatalog", "'servicecatalog' is no address; write unix:/path.sock or HOST:PORT"),
        ("unix:/run/demo.sock", "'unix:/run/demo.sock' is a Unix socket; write HOST:PORT"),
    ],
)
def test_a_wrong_address_is_a_usage_error(tmp_path: Path, demo: str, sentence: str) -> None:
    """What is no host and port is refused before anything is written."""
    result = prepare(tmp_path / "w", "--demo", demo)

    assert result.exit_code == 2
    assert sentence in result.stderr
    assert not (tmp_path / "w").exists()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    """A file where the folder should be is said with its path and the option that helps."""
    (tmp_path / "w").touch()
    result = prepare(tmp_path / "w")

    assert result.exit_code == 1
    assert result.stderr == (f"{tmp_path}/w: File exists; see to {tmp_path}/w, or choose another with --directory\n")
