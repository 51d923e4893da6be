"""Checks that the lock files still belong to pyproject.toml.

In: pyproject.toml and the `.txt` files beside this script. Out: one line a defect on stderr, exit code 1 if any.
Law: offline; a requirement that a lock does not satisfy, a pin without a hash and an address of a registry are defects.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Prints every defect; the exit code is 0 when there is none."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())
    runtime: list[str] = project["project"]["dependencies"]
    groups: dict[str, list[str]] = project["dependency-groups"]
    defects = [
        *_defects("bootstrap.txt", groups["bootstrap"]),
        *_defects("runtime.txt", runtime),
        *_defects("dev.txt", [*runtime, *groups["dev"], *groups["upstream"]]),
    ]
    for defect in defects:
        print(f"{defect}; run `make lock`", file=sys.stderr)
    return 1 if defects else 0


def _defects(name: str, wanted: Iterable[str]) -> list[str]:
    text = (HERE / name).read_text()
    pins = re.findall(r"^([a-z0-9-]+)==(\S+)(?: ;.*?)? (\\?)$", text, flags=re.MULTILINE)
    versions = {package: version for package, version, _ in pins}
    defects = [f"requirements/{name} pins {package} without a hash" for package, _, more in pins if not more]
    if "://" in text:
        defects.append(f"requirements/{name} holds an address")
    for line in wanted:
        requirement = Requirement(line)
        version = versions.get(canonicalize_name(requirement.name))
        if version is None or version not in requirement.specifier:
            defects.append(
                f"requirements/{name} has {version or 'nothing'} where pyproject.toml asks for {requirement}"
            )
    return defects


if __name__ == "__main__":
    sys.exit(main())
