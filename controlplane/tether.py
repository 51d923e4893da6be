"""Runs a program that does not outlive the process that started it.

In: the starter's process id and the program's arguments. Out: the program, in this very process. Law: when the starter
ends, however it ends, the kernel kills the program; a starter that is already gone starts nothing.

It is a script and not a `preexec_fn`: Python code between fork and exec may deadlock in a process with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ties this process to its starter and becomes the program."""
    starter, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    # The starter may have ended before the line above took hold; then this process has been given to another parent.
    if os.getppid() == starter:
        os.execv(program[0], program)  # noqa: S606 -- the arguments come from children.py, and no shell reads them


if __name__ == "__main__":
    main()
