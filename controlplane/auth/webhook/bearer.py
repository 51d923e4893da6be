"""The Authorization header of a connection, with a token file read again while it is in use.

In: a `Connection` and what reads its file. Out: the header's value. Law: a file that cannot be read any more leaves the
token that was read last in use, as in client-go.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from math import inf
from typing import Final

from controlplane.auth.webhook.kubeconfig import Connection, Reader
from controlplane.model.credentials import Secret

_TOKEN: Final = re.compile(rb"[!-~]+")
# The kubelet replaces a token of the shortest lifetime, ten minutes, two minutes before its end.
_KEPT_SECONDS: Final = 50.0


class Bearer:
    """What a connection shows in its Authorization header; `clock` gives seconds."""

    def __init__(self, connection: Connection, read: Reader, clock: Callable[[], float]) -> None:
        self._file = connection.token_file
        self._shown = connection.authorization
        self._read = read
        self._clock = clock
        self._due = -inf

    async def header(self) -> Secret | str | None:
        """The header's value, None for no header, or a text: why there is a token file and no token."""
        if self._file is None or self._clock() < self._due:
            return self._shown
        try:
            token = (await asyncio.to_thread(self._read, self._file)).strip()
        except OSError as error:
            token, defect = b"", f"cannot be read ({error.strerror})"
        else:
            defect = "holds no token"
        if _TOKEN.fullmatch(token):
            self._shown = Secret(b"Bearer " + token)
        elif self._shown is None:
            return f"the token file {self._file} {defect}"
        self._due = self._clock() + _KEPT_SECONDS
        return self._shown

    def refused(self) -> None:
        """The server did not believe the header: a token file is read anew before the next question."""
        self._due = -inf
