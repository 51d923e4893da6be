"""Makes what the test of docker-compose.yml needs: a Docker daemon's programs, and an image to build on.

In: Debian's packages, and root. Out: the programs below on PATH, and Debian bookworm with Python as a tar file in the
user's cache, so that no registry of images is needed. Law: a file that exists is complete, and where nothing can be
made the reason is one sentence, with which the test fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SUITE = "bookworm"
INCLUDED = ("ca-certificates", "python3", "python3-venv")
# Program -> the Debian package it is in.
PROGRAMS = {
    "docker": "docker.io",
    "dockerd": "docker.io",
    "docker-compose": "docker-compose",
    "debootstrap": "debootstrap",
}


def folder() -> Path:
    """The folder in the user's cache for everything about containers."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "isthmus" / "containers"


def base() -> Path:
    """The tar file of the image that is built on, whether it exists or not."""
    return folder() / f"{SUITE}.tar"


def obstacle() -> str:
    """Why containers cannot be run on this machine as it is now; empty when they can."""
    missing = _missing()
    if os.geteuid() == 0 and not missing and base().is_file():
        return ""
    wants = [] if os.geteuid() == 0 else ["root"]
    wants += [f"{program} (Debian package {PROGRAMS[program]})" for program in missing]
    wants += [] if base().is_file() else [str(base())]
    return (
        f"the compose stack cannot be run here for want of {', '.join(wants)}; run `make compose-base` as root on "
        "Debian, or leave these tests out: make test ARGS=\"-m 'not compose'\""
    )


def main() -> int:
    """Makes what is missing; the exit code is 1 when making it failed, 0 also where it cannot be tried."""
    if not obstacle():
        return 0
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(obstacle(), file=sys.stderr)
        return 0
    try:
        _install(sorted({PROGRAMS[program] for program in _missing()}))
        if not base().is_file():
            _make_base()
    except subprocess.CalledProcessError as error:
        print(f"{error.cmd[0]} failed with exit code {error.returncode}:\n{error.output[-4000:]}", file=sys.stderr)
        return 1
    return 0


def _missing() -> list[str]:
    return [program for program in PROGRAMS if shutil.which(program) is None]


def _install(packages: list[str]) -> None:
    if not packages:
        return
    print(f"installing {', '.join(packages)} ...", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update"], environment)
    _run(["apt-get", "install", "--yes", "--no-install-recommends", *packages], environment)


def _make_base() -> None:
    print(f"making an image of Debian {SUITE} (the first time takes a minute) ...", flush=True)
    started = time.monotonic()
    folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder(), prefix=".making-") as scratch:
        root, tar = Path(scratch) / "root", Path(scratch) / "base.tar"
        _run(["debootstrap", "--variant=minbase", f"--include={','.join(INCLUDED)}", SUITE, str(root)])
        _run(
            [
                "tar",
                "--numeric-owner",
                "--exclude=./var/cache/apt/archives/*.deb",
                "-C",
                str(root),
                "-cf",
                str(tar),
                ".",
            ]
        )
        tar.rename(base())
    print(f"Debian {SUITE} made in {time.monotonic() - started:.0f} s", flush=True)


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


if __name__ == "__main__":
    sys.exit(main())
