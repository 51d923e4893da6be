"""docker-compose.yml as a person uses it: built, brought up, asked with the real kubectl, taken down.

The image is built, and its containers run, by a Docker daemon of the tests' own, without a registry and a network.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from catalog import GROUP, SAMPLE
from containers.compose import PROGRAMS, Compose, project
from containers.daemon import Docker
from process import until
from rbac import grant

pytestmark = pytest.mark.compose

BROKERS = f"clusterservicebrokers.{GROUP}"


@pytest.fixture(scope="module")
def stack(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """A running stack for the tests that leave it as it was."""
    with project(docker, tmp_path_factory.mktemp("compose", numbered=False)) as compose:
        compose.up()
        yield compose


def service(name: str) -> dict[str, object]:
    """A Service that leads nowhere."""
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": 443}]}}


def test_kubectl_works_through_the_front_door(stack: Compose) -> None:
    """The admin finds the demo's resources, creates, gets and deletes them."""
    before = stack.kubectl("get", BROKERS)
    created = stack.kubectl("apply", "-f", str(SAMPLE))
    got = stack.kubectl("get", BROKERS, "-o", "name")
    deleted = stack.kubectl("delete", "-f", str(SAMPLE))

    assert (before.returncode, before.stderr) == (0, "No resources found\n")
    assert created.returncode == 0, created.stderr
    assert got.stdout == f"clusterservicebroker.{GROUP}/demo-broker\n", got.stderr
    assert deleted.returncode == 0, deleted.stderr


def test_whom_nothing_allows_is_refused(stack: Compose) -> None:
    """Authorization is asked: alice of the group developers reads, and does not write."""
    got = stack.kubectl("--context", "alice", "get", BROKERS)
    created = stack.kubectl("--context", "alice", "create", "-f", str(SAMPLE))

    assert got.returncode == 0, got.stderr
    assert 'User "alice" cannot create resource "clusterservicebrokers"' in created.stderr


def test_a_manifest_put_into_the_folder_is_in_force(stack: Compose) -> None:
    """The folder of manifests on this machine is the one that is watched."""
    asked = ("--context", "alice", "delete", BROKERS, "no-such-broker")
    refused = stack.kubectl(*asked)
    rule = {"apiGroups": [GROUP], "resources": ["clusterservicebrokers"], "verbs": ["delete"]}
    file = stack.manifests / "alice.yaml"
    file.write_text(yaml.safe_dump_all(grant("deletes-brokers", rule, users=["alice"])))
    until(lambda: "NotFound" in stack.kubectl(*asked).stderr, "alice may delete")
    file.unlink()

    assert "Forbidden" in refused.stderr


def test_the_config_api_is_reached_in_its_container(stack: Compose) -> None:
    """What is applied there is listed and can be deleted; another container sees neither socket nor database."""
    applied = stack.shell("isthmus", f"echo '{json.dumps(service('second'))}' | isthmus apply --wait -f -")
    listed = stack.shell("isthmus", "isthmus get services -o name")
    deleted = stack.shell("isthmus", "isthmus delete service second")
    seen = stack.shell("envoy", "ls -A /var/lib/isthmus /var/lib/isthmus/store /run/isthmus")

    assert applied.startswith("service/second created")
    assert listed == "service/second\n"
    assert deleted.startswith('service "second" deleted')
    assert "config.sock" not in seen
    assert "isthmus.db" not in seen


def test_the_store_is_backed_up_in_its_container(stack: Compose) -> None:
    """The copy is in the volume of the store, made while the control plane uses it."""
    said = stack.shell("isthmus", "isthmus backup store/isthmus.db")

    assert said.startswith("store/backups/")
    assert said.endswith("read back and whole\n")


def test_what_clients_write_outlives_the_containers(docker: Docker, tmp_path: Path) -> None:
    """The store is in a volume of its own, which `down` leaves and the next `up` finds."""
    with project(docker, tmp_path) as compose:
        compose.up()
        compose.shell("isthmus", f"echo '{json.dumps(service('kept'))}' | isthmus apply -f -")
        compose.run("down")
        compose.up()

        assert compose.shell("isthmus", "isthmus get services -o name") == "service/kept\n"


@pytest.mark.parametrize("service", [*PROGRAMS, "prepare"])
def test_no_container_has_rights_or_a_writable_root(stack: Compose, service: str) -> None:
    """Every service runs as an ordinary user without capabilities, on a root file system that is read-only."""
    found = stack.inspect(service)
    host = found["HostConfig"]

    assert found["Config"]["User"] == "65532:65532"
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Privileged"] is False


@pytest.mark.parametrize("service", PROGRAMS)
def test_a_program_cannot_do_what_it_was_denied(stack: Compose, service: str) -> None:
    """The kernel confirms it: no capability, none to be gained, and nothing of the image can be written."""
    status = dict(line.split(":\t", 1) for line in stack.shell(service, "cat /proc/1/status").splitlines())
    wrote = stack.shell(service, "touch /opt/isthmus/x /etc/x /var/lib/isthmus/x 2>&1 || true")

    assert status["Uid"].split() == ["65532"] * 4
    assert {status[name] for name in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert wrote.count("Read-only file system") == 3


@pytest.mark.parametrize(
    ("service", "keys"),
    [
        ("envoy", []),
        ("isthmus", ["/etc/isthmus/pki/front-proxy-client.key", "/etc/isthmus/pki/serving.key"]),
        ("servicecatalog", ["/etc/servicecatalog/servicecatalog.key"]),
    ],
)
def test_a_program_sees_no_key_of_another(stack: Compose, service: str, keys: list[str]) -> None:
    """A program that is taken over gives away its own key and no authority's."""
    skipped = "-path /proc -prune -o -path /sys -prune"
    secret = "'*.key' -print -o -name kubeconfig -print"
    found = stack.shell(service, f"find / {skipped} -o -name {secret} 2>/dev/null || true")

    assert sorted(set(found.split())) == keys


def test_the_image_holds_no_secret(docker: Docker) -> None:
    """What is made at the start is in volumes; the image has empty folders for it."""
    found = docker.run("run", "--rm", "isthmus:latest", "find", "/var/lib/isthmus", "/run/isthmus", "-type", "f")
    keys = docker.run("run", "--rm", "--user=0", "isthmus:latest", "find", "/", "-xdev", "-name", "*.key")

    assert found == ""
    assert keys == ""


def test_only_the_front_door_is_published(stack: Compose) -> None:
    """One port is reachable from outside of the containers, and from this machine alone."""
    published = [
        port for name in PROGRAMS for port in (stack.inspect(name)["HostConfig"]["PortBindings"] or {}).items()
    ]

    assert published == [(f"{stack.port}/tcp", [{"HostIp": "127.0.0.1", "HostPort": str(stack.port)}])]


def test_preparing_again_keeps_kubeconfigs_good(stack: Compose) -> None:
    """What every start runs leaves the certificates of the one before in force."""
    stack.run("run", "--rm", "-T", "prepare")

    assert stack.fetched() == stack.kubeconfig.read_text()


def test_programs_that_are_killed_come_back(stack: Compose) -> None:
    """Nothing that a killed program leaves behind, sockets above all, keeps its next start from working."""
    for service in PROGRAMS:
        os.kill(stack.inspect(service)["State"]["Pid"], signal.SIGKILL)
    until(lambda: all(stack.inspect(service)["RestartCount"] == 1 for service in PROGRAMS), "all have been restarted")
    until(lambda: stack.kubectl("get", BROKERS).returncode == 0, "the front door answers")


def test_nothing_is_left_when_it_is_taken_down(docker: Docker, tmp_path: Path) -> None:
    """`down --volumes` removes every container, volume and network."""
    with project(docker, tmp_path) as compose:
        compose.run("up", "--detach")
        running = compose.left()
        compose.run("down", "--volumes")

        assert len(running) == len(PROGRAMS) + 1 + 6 + 1
        assert compose.left() == []
