"""Files of manifests, read and understood, by several processes when there is much to read.

In: paths. Out: an observation of each. Law: who reads makes no difference to what is read: what a process of ours did
not answer is read here. None of them outlives the reading, be it stopped or done, and one whose reader is gone ends
with its next answer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from controlplane.sources.contents import Contents, Unanswered, answered, ask, contents
from controlplane.sources.disk import Signature, list_folder, signature
from controlplane.sources.documents import Limits
from controlplane.sources.folder import Broken, Content, Gone, Observation
from controlplane.sources.manifest import observed

PROGRAM: Final = (sys.executable, "-P", "-m", contents.__module__)

# To start one takes as long as to read some hundreds of kilobytes, so that this much is worth it. More than a few are
# no use, for what they read is understood here, by one.
_SHARE_BYTES: Final = 1 << 20
_MOST: Final = 4

# Where file systems keep whole seconds, a file may be written again without looking any different.
_YOUNG_SECONDS: Final = 2.0


class Readers:
    """The processes that read, until they are stopped; `stop` may be called from any thread, and at any time."""

    def __init__(self) -> None:
        self.stopped = False
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()

    def stop(self) -> None:
        """Ends them all, and whatever would start after."""
        with self._lock:
            self.stopped = True
            for process in self._processes:
                process.kill()

    def joined(self, process: subprocess.Popen[bytes]) -> None:
        """Takes in a process."""
        with self._lock:
            self._processes.add(process)
            if self.stopped:
                process.kill()

    def left(self, process: subprocess.Popen[bytes]) -> None:
        """Forgets a process, which has ended or is about to."""
        with self._lock:
            self._processes.discard(process)


def observe_files(
    paths: Collection[str],
    limits: Limits,
    *,
    cores: int | None = None,
    program: Sequence[str] = PROGRAM,
    readers: Readers | None = None,
) -> dict[str, Observation]:
    """What these files hold now; `cores` are those that this process may use, unless told otherwise.

    Of `readers` that were stopped there are fewer observations, or none.
    """
    readers = readers or Readers()
    sizes = {path: _size(path) for path in paths}
    shares = _shares(sizes, cores or _cores())
    found: dict[str, Observation] = {}
    if len(shares) > 1:
        with ThreadPoolExecutor(len(shares), "reading") as threads:
            try:
                for some in threads.map(lambda share: dict(_asked(share, limits, program, readers)), shares):
                    found |= some
            except BaseException:
                # Ctrl-C, which is not to wait for what is left.
                readers.stop()
                raise
    return dict(_completed(sizes, found, limits, readers))


@dataclass(frozen=True, slots=True)
class Ahead:
    """What files held that were read before anybody asked: by path, each as it was seen on the disk then."""

    seen: Mapping[str, tuple[Signature, Observation]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, readers: Readers, limits: Limits | None = None) -> Self:
        """What the files in a folder and below hold now; nothing when there is no such folder, or on being stopped.

        Only files that nobody was writing: whoever looks at them again must be able to tell whether they are the same.
        """
        old = time.time() - _YOUNG_SECONDS
        files = list_folder(folder).files
        found = observe_files([path for path in files if _older(files[path], old)], limits or Limits(), readers=readers)
        if readers.stopped:
            return cls()
        return cls(
            {
                path: (files[path], observation)
                for path, observation in found.items()
                if isinstance(observation, Content) and signature(path) == files[path]
            }
        )


def _shares(sizes: Mapping[str, int], cores: int) -> list[list[str]]:
    """What each of several processes reads; dealt out like cards, the largest first: all have as much to do."""
    number = min(_MOST, cores, len(sizes), sum(sizes.values()) // _SHARE_BYTES)
    dealt = sorted(sizes, key=sizes.__getitem__, reverse=True)
    return [dealt[first::number] for first in range(number)]


def _asked(
    paths: Sequence[str], limits: Limits, program: Sequence[str], readers: Readers
) -> Iterator[tuple[str, Observation]]:
    """What a process of its own says of the files, as far as it does."""
    with (
        suppress(OSError, Unanswered),
        # In a group of its own: Ctrl-C is for this process, which ends the others.
        subprocess.Popen(  # noqa: S603 -- our own module
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,
        ) as process,
    ):
        readers.joined(process)
        try:
            assert process.stdin is not None  # noqa: S101 -- narrows
            assert process.stdout is not None  # noqa: S101 -- narrows
            ask(process.stdin, paths, limits)
            for path in paths:
                yield path, _observation(answered(process.stdout, path))
        finally:
            readers.left(process)


def _completed(
    paths: Collection[str], found: Mapping[str, Observation], limits: Limits, readers: Readers
) -> Iterator[tuple[str, Observation]]:
    for path in paths:
        if readers.stopped:
            return
        yield path, found[path] if path in found else _observation(contents(path, limits))


def _observation(found: Contents) -> Content | Broken | Gone:
    return Gone() if found is None else observed(found)


def _older(seen: Signature, seconds: float) -> bool:
    return bool(seen) and max(seen[-2:]) < seconds * 1e9


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


def _cores() -> int:
    # A container may be given fewer than there are.
    return len(os.sched_getaffinity(0))
