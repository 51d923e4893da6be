"""The library that the control plane watches its folder with, alone, set as the control plane sets it.

In: files renamed into a folder. Out: how long each notification took. Law: nothing of the control plane takes part, so
that this is what no control plane could be faster than.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from pathlib import Path

from process import until
from watchfiles import watch


class FileWatcher:
    """Watches a folder of its own from the start."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="isthmus-watch-"))
        self._seen = threading.Semaphore(0)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        until(self._is_watching, "the watcher watches")

    def milliseconds(self, number: int) -> float:
        """From a rename into the folder to the notification."""
        while self._seen.acquire(blocking=False):
            pass
        temporary = self.folder.parent / f"{self.folder.name}.tmp"
        temporary.write_text("x")
        start = time.perf_counter()
        temporary.rename(self.folder / f"{number}.yaml")
        assert self._seen.acquire(timeout=10)
        return (time.perf_counter() - start) * 1000

    def stop(self) -> None:
        """Ends the watching."""
        self._end.set()
        self._thread.join()
        shutil.rmtree(self.folder)

    def _is_watching(self) -> bool:
        (self.folder / "probe").write_text(str(time.perf_counter()))
        return self._seen.acquire(timeout=0.1)

    def _run(self) -> None:
        for _ in watch(self.folder, stop_event=self._end, step=1, debounce=1, rust_timeout=100, yield_on_timeout=False):
            self._seen.release()
