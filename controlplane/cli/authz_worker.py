"""`isthmus authz-worker`: one process that decides about requests; the control plane starts it, nobody else.

In: a socket as standard input. Out: an authorization face until the control plane is gone. Law: it takes its word from
that socket alone.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from typing import Final

import click

from controlplane import telemetry
from controlplane.errors import StartError
from controlplane.workers.worker import work

_STDIN: Final = 0


@click.command("authz-worker", hidden=True)
def command() -> None:
    """Decide about requests for the control plane that started this process."""
    if not stat.S_ISSOCK(os.fstat(_STDIN).st_mode):
        raise StartError(
            "authz-worker is started by the control plane; set authorization.workers, or give --authz-workers"
        )
    with telemetry.last_words():
        asyncio.run(work(socket.socket(fileno=_STDIN)))
