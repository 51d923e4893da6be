"""A whole `isthmus up` for live tests, as a person runs it.

In: a folder. Out: a stack that has said `ready`, and what it printed. Law: whatever it starts it ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from process import ROOT, free_port
from upstream import build

# Long enough for a busy machine; nothing waits this long unless it is broken.
PATIENCE_SECONDS = 120


@dataclass
class Up:
    """A running `isthmus up`: its folder, its process and what it has printed up to `ready`."""

    folder: Path
    process: subprocess.Popen[str]
    printed: list[str]

    def pid_of(self, name: str) -> int:
        """The process id in the summary line of a program."""
        (line,) = (line for line in self.printed if line.startswith(name) and "  pid " in line)
        return int(line.partition("  pid ")[2].split()[0])

    def kubectl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What kubectl answers with the kubeconfig of this run."""
        return subprocess.run(
            [build.binary("kubectl"), "--kubeconfig", str(self.folder / "kubeconfig"), *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
            env={**os.environ, "HOME": str(self.folder.parent)},
        )

    def end(self, number: signal.Signals) -> float:
        """Sends a signal and waits; returns the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=PATIENCE_SECONDS)
        return time.monotonic() - began


def processes_of(folder: Path) -> list[str]:
    """The command lines of all living processes that name the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


def start(folder: Path, port: int | None, *options: str) -> subprocess.Popen[str]:
    """`isthmus up` in its own folder, with one stream for all it prints; the port may be left to its settings."""
    command = [sys.executable, "-m", "controlplane", "up", "--directory", str(folder), "--concurrency", "1"]
    where = () if port is None else ("--port", str(port))
    return subprocess.Popen(
        [*command, *where, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
    )


def isthmus(cwd: Path, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """What another command answers in the folder `cwd`, to somebody who has no contexts file."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ISTHMUS", "XDG_"))}
    return subprocess.run(
        [sys.executable, "-m", "controlplane", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
        cwd=cwd,
        env={**kept, "HOME": str(home)},
    )


@contextmanager
def running(folder: Path, *options: str, with_port: bool = True) -> Iterator[Up]:
    """A stack that has said `ready`, ended when the context is left."""
    process = start(folder, free_port() if with_port else None, *options)
    watchdog = threading.Timer(PATIENCE_SECONDS, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        printed: list[str] = []
        for line in process.stdout:
            printed.append(line.rstrip("\n"))
            if printed[-1] == "ready":
                break
        logs = [f"{log.name}: {log.read_text()[-2000:]}" for log in (folder / "logs").glob("*.log")]
        assert printed[-1:] == ["ready"], "\n".join([*printed, *logs])
        yield Up(folder, process, printed)
    finally:
        watchdog.cancel()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=PATIENCE_SECONDS)
        assert process.stdout is not None
        process.stdout.close()
