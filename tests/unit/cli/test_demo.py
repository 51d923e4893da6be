"""The demo's registration."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from controlplane.cli import demo, workspace
from controlplane.cli.workspace import Workspace
from controlplane.settings.address import Address

FIRST = demo.manifest(Address(host="127.0.0.1", port=4711), b"ca")
SECOND = demo.manifest(Address(host="127.0.0.1", port=4712), b"ca")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace."""
    with workspace.opened(tmp_path / "w") as found:
        yield found


def registration(opened: Workspace) -> Path:
    """Where the generated manifest is."""
    return opened.manifests / "servicecatalog.yaml"


def test_the_manifest_registers_the_demo_and_lets_developers_read() -> None:
    """The objects say where the demo is, what verifies it, and that the group developers only reads."""
    service, endpoints, api_service, role, binding = yaml.safe_load_all(FIRST)

    assert api_service["metadata"]["name"] == "v1beta1.servicecatalog.k8s.io"
    assert base64.b64decode(api_service["spec"]["caBundle"]) == b"ca"
    assert api_service["spec"]["service"] == {**service["metadata"], "port": service["spec"]["ports"][0]["port"]}
    assert endpoints["metadata"]["labels"] == {"kubernetes.io/service-name": service["metadata"]["name"]}
    assert endpoints["ports"] == [{"name": "https", "port": 4711, "protocol": "TCP"}]
    assert role["rules"][0]["verbs"] == ["get", "list", "watch"]
    assert binding["subjects"][0]["name"] == "developers"


def test_the_first_start_seeds_the_manifest(opened: Workspace) -> None:
    """An empty folder gets the registration."""
    assert demo.seed(opened, FIRST)
    assert registration(opened).read_bytes() == FIRST


def test_an_untouched_manifest_follows_the_port(opened: Workspace) -> None:
    """What nobody changed is generated anew when it no longer fits."""
    demo.seed(opened, FIRST)

    assert demo.seed(opened, SECOND)
    assert registration(opened).read_bytes() == SECOND


def test_a_changed_manifest_is_left_alone(opened: Workspace) -> None:
    """Once somebody changed it, it is theirs."""
    demo.seed(opened, FIRST)
    mine = FIRST.replace(b"ClusterIP", b"NodePort")
    registration(opened).write_bytes(mine)

    assert not demo.seed(opened, SECOND)
    assert registration(opened).read_bytes() == mine


def test_a_deleted_manifest_stays_deleted(opened: Workspace) -> None:
    """Deleting it is a choice, too."""
    demo.seed(opened, FIRST)
    registration(opened).unlink()

    assert not demo.seed(opened, SECOND)
    assert not registration(opened).exists()


def test_a_manifest_of_that_name_that_was_there_first_is_left_alone(opened: Workspace) -> None:
    """A file that was never generated is not taken for a generated one."""
    registration(opened).write_text("mine")

    assert not demo.seed(opened, FIRST)
    assert registration(opened).read_text() == "mine"


def test_a_withdrawn_demo_comes_back(opened: Workspace) -> None:
    """Starting without the demo and then with it again leaves things as they were."""
    demo.seed(opened, FIRST)

    demo.withdraw(opened)

    assert not registration(opened).exists()
    assert demo.seed(opened, FIRST)
    assert registration(opened).read_bytes() == FIRST


def test_a_changed_manifest_is_not_withdrawn(opened: Workspace) -> None:
    """Starting without the demo deletes nothing that somebody wrote."""
    demo.seed(opened, FIRST)
    registration(opened).write_text("mine")

    demo.withdraw(opened)

    assert registration(opened).read_text() == "mine"
