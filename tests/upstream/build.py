"""Builds the real servers that the live tests run against: etcd, kube-apiserver, kubectl and sample-apiserver.

In: `go.mod` and `go.sum` beside this file (they pin every module) and a Go toolchain on PATH.
Out: one folder of binaries in the user's cache, named after the hash of those two files; its path is printed last.
Law: a folder that exists is complete. Binaries are built in a temporary folder beside it and renamed once, so that an
interrupted build leaves nothing behind that a test could mistake for a server.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent

KUBERNETES_VERSION = "v1.36.3"

# Binary name -> Go package. The order is the order of building: the largest first warms the build cache for the rest.
PROGRAMS = {
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "sample-apiserver": "k8s.io/sample-apiserver",
    "etcd": "go.etcd.io/etcd/server/v3",
}

# Without these the servers call themselves v0.0.0-master and clients complain about the version skew.
LINKER_FLAGS = (
    f"-s -w -X k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}"
    " -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"
)


def folder() -> Path:
    """The folder the binaries are in, or will be in, for the modules pinned by go.mod and go.sum."""
    digest = hashlib.sha256()
    for source in ("go.mod", "go.sum"):
        digest.update((HERE / source).read_bytes())
    digest.update(repr((LINKER_FLAGS, sorted(PROGRAMS.items()))).encode())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "isthmus" / "upstream" / digest.hexdigest()[:16]


def binary(name: str) -> str:
    """The path of a program that was built.

    Raises:
        FileNotFoundError: when it was not; the text says how to build it.
    """
    path = folder() / name
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not built; run: make upstream")
    return str(path)


def build(target: Path) -> None:
    """Builds every program into `target`, which appears only when all of them are there.

    Raises:
        subprocess.CalledProcessError: when the Go toolchain refuses; its own words went to stderr.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false"}
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".building-") as scratch:
        for number, (name, package) in enumerate(PROGRAMS.items(), start=1):
            start = time.monotonic()
            print(f"[{number}/{len(PROGRAMS)}] building {name} (the first time takes minutes) ...", flush=True)
            subprocess.run(
                ["go", "build", "-trimpath", "-o", str(Path(scratch) / name), "-ldflags", LINKER_FLAGS, package],
                cwd=HERE,
                env=environment,
                check=True,
            )
            print(f"[{number}/{len(PROGRAMS)}] {name} built in {time.monotonic() - start:.0f} s", flush=True)
        finished = Path(scratch) / "finished"
        finished.mkdir()
        for name in PROGRAMS:
            (Path(scratch) / name).rename(finished / name)
        try:
            finished.rename(target)
        except OSError:
            # Another build won the race; its folder is as complete as ours.
            if not target.is_dir():
                raise


def main() -> int:
    """Builds what is missing and prints the folder; the exit code is 0, or 1 when a build failed."""
    parser = argparse.ArgumentParser(description="Build the upstream servers that the live tests use.")
    parser.add_argument("--print", action="store_true", help="print the folder and build nothing")
    arguments = parser.parse_args()
    target = folder()
    if not arguments.print and not target.is_dir():
        try:
            build(target)
        except FileNotFoundError:
            print("no `go` on PATH; `make upstream` installs one into .venv and puts it there", file=sys.stderr)
            return 1
        except subprocess.CalledProcessError as error:
            print(f"go build failed with exit code {error.returncode}; its own message is above", file=sys.stderr)
            return 1
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
