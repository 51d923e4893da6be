"""A Docker daemon for tests alone.

In: what `prepare` made. Out: an environment in which `docker` and `docker-compose` talk to it. Law: it takes nothing
from a daemon that may run here already, does not touch the machine's packet filter, and ends with the tests, however
these end. Images stay in the user's cache, so that the second run builds only what has changed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from containers import prepare
from process import Process, until

BASE_IMAGE = "debian:bookworm-slim"

_START_SECONDS = 60.0
# Another run of these tests takes minutes at most.
_TURN_SECONDS = 600.0
# Layers that no build has used for so long are not kept.
_KEPT = "168h"


class Docker:
    """A running daemon."""

    def __init__(self, scratch: Path) -> None:
        """`scratch` is an empty folder with a short path, for sockets."""
        config = scratch / "config"
        config.mkdir()
        self._socket = scratch / "docker.sock"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "COMPOSE_"))},
            "DOCKER_HOST": f"unix://{self._socket}",
            "DOCKER_CONFIG": str(config),
            # The builder that needs nothing but the daemon.
            "DOCKER_BUILDKIT": "0",
            "COMPOSE_DOCKER_CLI_BUILD": "0",
        }
        self._daemon = Process(_command(scratch), scratch / "dockerd.log")

    def wait(self) -> None:
        """Returns when it answers; fails with its own last words when it does not."""
        until(lambda: not self._daemon.running or self._answers(), "dockerd answers", _START_SECONDS)
        assert self._daemon.running, f"dockerd does not run here:\n{self._daemon.log.read_text()[-3000:]}"

    def run(self, *arguments: str) -> str:
        """What a docker command prints; it must succeed."""
        return succeeded(["docker", *arguments], self.environment)

    def clear(self) -> None:
        """Removes what a run that was killed has left."""
        for container in self.run("ps", "--all", "--quiet").split():
            self.run("rm", "--force", "--volumes", container)
        self.run("volume", "prune", "--force")
        self.run("network", "prune", "--force")

    def stop(self) -> None:
        """Removes all containers, and ends it."""
        try:
            if self._daemon.running:
                self.clear()
                self.run("image", "prune", "--force", "--filter", f"until={_KEPT}")
        finally:
            self._daemon.stop()

    def _answers(self) -> bool:
        if not self._socket.is_socket():
            return False
        asked = subprocess.run(
            ["docker", "version"], env=self.environment, capture_output=True, timeout=30, check=False
        )
        return asked.returncode == 0


@contextmanager
def running() -> Iterator[Docker]:
    """A daemon that has the base image; it is the only one of its kind at a time."""
    obstacle = prepare.obstacle()
    assert not obstacle, obstacle
    data = prepare.folder() / "docker"
    data.mkdir(parents=True, exist_ok=True)
    with (
        (prepare.folder() / "lock").open("w") as lock,
        tempfile.TemporaryDirectory(prefix="isthmus-docker-", ignore_cleanup_errors=True) as scratch,
    ):
        until(lambda: _locked(lock.fileno()), "other tests have ended their Docker daemon", _TURN_SECONDS)
        docker = Docker(Path(scratch))
        try:
            docker.wait()
            docker.clear()
            if not docker.run("images", "--quiet", BASE_IMAGE):
                docker.run("import", str(prepare.base()), BASE_IMAGE)
            yield docker
        finally:
            docker.stop()


def succeeded(command: list[str], environment: dict[str, str], cwd: Path | None = None) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def _command(scratch: Path) -> list[str]:
    setpriv = shutil.which("setpriv")
    assert setpriv, "setpriv is not on PATH; it is in Debian's package util-linux"
    return [
        # However the tests end, the daemon ends in good order with its containers.
        *(setpriv, "--pdeathsig", "TERM", "dockerd"),
        *("--host", f"unix://{scratch / 'docker.sock'}"),
        *("--data-root", str(prepare.folder() / "docker")),
        *("--exec-root", str(scratch / "exec")),
        *("--pidfile", str(scratch / "dockerd.pid")),
        *("--bridge", "none", "--iptables=false", "--ip6tables=false"),
    ]


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
