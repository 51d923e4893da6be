"""Files of manifests, read and understood, by several processes when there is much to read.

In: paths. Out: an observation of each. Law: who reads makes no difference to what is read: what a process of ours did
not answer is read here. None of them outlives the reading, and one whose reader is gone ends with its next answer.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from controlplane.sources.contents import Contents, answered, ask, contents
from controlplane.sources.disk import Signature, list_folder
from controlplane.sources.documents import Limits
from controlplane.sources.folder import Broken, Content, Gone, Observation
from controlplane.sources.manifest import observed

PROGRAM: Final = (sys.executable, "-P", "-m", contents.__module__)

# To start one takes as long as to read some hundreds of kilobytes, so that this much is worth it. More than a few are
# no use, for what they read is understood here, by one.
_SHARE_BYTES: Final = 1 << 20
_MOST: Final = 4


def observe_files(
    paths: Collection[str], limits: Limits, *, cores: int | None = None, program: Sequence[str] = PROGRAM
) -> dict[str, Observation]:
    """What these files hold now; `cores` are those of the machine, unless told otherwise."""
    sizes = {path: _size(path) for path in paths}
    readers = min(_MOST, cores or os.cpu_count() or 1, len(sizes), sum(sizes.values()) // _SHARE_BYTES)
    found: dict[str, Observation] = {}
    if readers > 1:
        # Dealt out like cards, the largest first: all have as much to do.
        dealt = sorted(sizes, key=sizes.__getitem__, reverse=True)
        shares = [dealt[number::readers] for number in range(readers)]
        with ThreadPoolExecutor(readers, "reading") as threads:
            for some in threads.map(lambda share: dict(_asked(share, limits, program)), shares):
                found |= some
    return {path: found[path] if path in found else _observation(contents(path, limits)) for path in sizes}


@dataclass(frozen=True, slots=True)
class Ahead:
    """What files held that were read before anybody asked: by path, each as it was seen on the disk before."""

    seen: Mapping[str, tuple[Signature, Observation]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, limits: Limits | None = None) -> Self:
        """What the files in a folder and below hold now; nothing when there is no such folder."""
        files = list_folder(folder).files
        observed = observe_files(files, limits or Limits())
        return cls({path: (files[path], observation) for path, observation in observed.items()})


def _asked(paths: Sequence[str], limits: Limits, program: Sequence[str]) -> Iterator[tuple[str, Observation]]:
    """What a process of its own says of the files, as far as it does."""
    with (
        suppress(OSError, EOFError, pickle.UnpicklingError),
        # In a group of its own: Ctrl-C is for this process, which then ends the other by not listening any more.
        subprocess.Popen(  # noqa: S603 -- our own module
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,
        ) as process,
    ):
        assert process.stdin is not None  # noqa: S101 -- narrows
        assert process.stdout is not None  # noqa: S101 -- narrows
        ask(process.stdin, paths, limits)
        for path in paths:
            yield path, _observation(answered(process.stdout, path))


def _observation(found: Contents) -> Content | Broken | Gone:
    return Gone() if found is None else observed(found)


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0
