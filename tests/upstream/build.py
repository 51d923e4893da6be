"""Builds the real programs that the live tests run against: etcd, kube-apiserver, kubectl, sample-apiserver, grpcurl.

In: `go.mod` and `go.sum` beside this file and in the folders here (they pin every module), a Go toolchain on PATH.
Out: a folder of binaries for each in the user's cache, named after the hash of those two files; the path of the first
is printed last. Law: a folder that exists is complete. Binaries are built in a temporary folder beside it and renamed
once, so that an interrupted build leaves nothing behind that a test could mistake for a program.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent

KUBERNETES_VERSION = "v1.36.3"

# Without these the servers call themselves v0.0.0-master and clients complain about the version skew.
_VERSION_FLAGS = (
    f"-s -w -X k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}"
    " -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"
)


@dataclass(frozen=True)
class Module:
    """One go.mod, and what is built from it: binary name -> Go package, the largest first, which warms the cache."""

    source: Path
    programs: Mapping[str, str]
    linker_flags: str

    @property
    def folder(self) -> Path:
        """The folder the binaries are in, or will be in, for what go.mod and go.sum pin."""
        digest = hashlib.sha256()
        for name in ("go.mod", "go.sum"):
            digest.update((self.source / name).read_bytes())
        digest.update(repr((self.linker_flags, sorted(self.programs.items()))).encode())
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cache / "isthmus" / "upstream" / digest.hexdigest()[:16]


KUBERNETES = Module(
    HERE,
    {
        "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
        "kubectl": "k8s.io/kubernetes/cmd/kubectl",
        "sample-apiserver": "k8s.io/sample-apiserver",
        "etcd": "go.etcd.io/etcd/server/v3",
    },
    _VERSION_FLAGS,
)
# Apart: it wants another version of gRPC than the servers do.
GRPCURL = Module(HERE / "grpcurl", {"grpcurl": "github.com/fullstorydev/grpcurl/cmd/grpcurl"}, "-s -w")
MODULES = (KUBERNETES, GRPCURL)


def binary(name: str) -> str:
    """The path of a program that was built.

    Raises:
        FileNotFoundError: when it was not; the text says how to build it.
    """
    path = next(module.folder for module in MODULES if name in module.programs) / name
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not built; run: make upstream")
    return str(path)


def build(module: Module) -> None:
    """Builds every program of a module into its folder, which appears only when all of them are there.

    Raises:
        subprocess.CalledProcessError: when the Go toolchain refuses; its own words went to stderr.
    """
    target = module.folder
    target.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false"}
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".building-") as scratch:
        for name, package in module.programs.items():
            start = time.monotonic()
            print(f"building {name} (the first time takes minutes) ...", flush=True)
            subprocess.run(
                ["go", "build", "-trimpath", "-o", str(Path(scratch) / name), "-ldflags", module.linker_flags, package],
                cwd=module.source,
                env=environment,
                check=True,
            )
            print(f"{name} built in {time.monotonic() - start:.0f} s", flush=True)
        finished = Path(scratch) / "finished"
        finished.mkdir()
        for name in module.programs:
            (Path(scratch) / name).rename(finished / name)
        try:
            finished.rename(target)
        except OSError:
            # Another build won the race; its folder is as complete as ours.
            if not target.is_dir():
                raise


def main() -> int:
    """Builds what is missing and prints Kubernetes' folder; the exit code is 0, or 1 when a build failed."""
    parser = argparse.ArgumentParser(description="Build the upstream programs that the live tests use.")
    parser.add_argument("--print", action="store_true", help="print the folder and build nothing")
    arguments = parser.parse_args()
    missing = [] if arguments.print else [module for module in MODULES if not module.folder.is_dir()]
    for module in missing:
        try:
            build(module)
        except FileNotFoundError:
            print("no `go` on PATH; `make upstream` installs one into .venv and puts it there", file=sys.stderr)
            return 1
        except subprocess.CalledProcessError as error:
            print(f"go build failed with exit code {error.returncode}; its own message is above", file=sys.stderr)
            return 1
    print(KUBERNETES.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
