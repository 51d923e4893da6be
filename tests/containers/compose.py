"""The services of docker-compose.yml for tests, as a project of their own.

In: a Docker daemon with an image of the working tree. Out: a running stack, asked with the real kubectl. Law: nothing
of a project is left afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import kubectl
from containers.daemon import Docker, succeeded
from process import ROOT, free_port, until

PROGRAMS = ("envoy", "isthmus", "servicecatalog")

_HEALTHY_SECONDS = 60.0


@dataclass(frozen=True)
class Compose:
    """The services of docker-compose.yml, as a project of their own."""

    docker: Docker
    project: str
    folder: Path
    port: int

    @property
    def manifests(self) -> Path:
        """The folder whose manifests are in force."""
        return self.folder / "manifests"

    @property
    def mine(self) -> str:
        """What Docker can tell the containers, volumes and networks of the project by."""
        return f"label=com.docker.compose.project={self.project}"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig, once it has been fetched."""
        return self.folder / "kubeconfig"

    def run(self, *arguments: str) -> str:
        """What a Compose command prints; it must succeed."""
        own = {"ISTHMUS_PORT": str(self.port), "ISTHMUS_MANIFESTS": str(self.manifests)}
        command = ["docker-compose", "--project-name", self.project, *arguments]
        return succeeded(command, {**self.docker.environment, **own}, ROOT)

    def up(self) -> None:
        """Starts everything, waits until it is healthy, and fetches the kubeconfig."""
        try:
            self.run("up", "--detach")
            self.healthy()
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.run('logs', '--tail=20')}") from error
        self.kubeconfig.write_text(self.fetched())

    def healthy(self) -> None:
        """Returns when every program is."""
        until(
            lambda: {"healthy"} == {self.inspect(name)["State"]["Health"]["Status"] for name in PROGRAMS},
            "envoy, isthmus and servicecatalog are healthy",
            _HEALTHY_SECONDS,
        )

    def fetched(self) -> str:
        """The kubeconfig as README.md says to get it."""
        return self.run("run", "--rm", "-T", "prepare", "cat", "kubeconfig")

    def inspect(self, service: str) -> dict[str, Any]:
        """What Docker knows of the container of a service."""
        mine = (self.mine, "--filter", f"label=com.docker.compose.service={service}")
        container = self.docker.run("ps", "--all", "--quiet", "--filter", *mine).strip()
        found: dict[str, Any]
        (found,) = json.loads(self.docker.run("inspect", container))
        return found

    def shell(self, service: str, script: str) -> str:
        """What a shell in the container of a service prints."""
        return self.docker.run("exec", self.inspect(service)["Id"], "sh", "-c", script)

    def kubectl(self, *arguments: str) -> CompletedProcess[str]:
        """What kubectl answers, with the kubeconfig of the stack."""
        return kubectl.run(self.kubeconfig, *arguments)

    def left(self) -> list[str]:
        """The names of all containers, volumes and networks of the project."""
        mine = ("--filter", self.mine)
        return [
            *self.docker.run("ps", "--all", "--format", "{{.Names}}", *mine).split(),
            *self.docker.run("volume", "ls", "--format", "{{.Name}}", *mine).split(),
            *self.docker.run("network", "ls", "--format", "{{.Name}}", *mine).split(),
        ]


@contextmanager
def project(docker: Docker, folder: Path) -> Iterator[Compose]:
    """A project with a port and a folder of manifests of its own; nothing of it is left afterwards."""
    compose = Compose(docker, folder.name.replace("_", "-"), folder, free_port())
    compose.manifests.mkdir()
    folder.chmod(0o755)
    try:
        yield compose
    finally:
        compose.run("down", "--volumes")
