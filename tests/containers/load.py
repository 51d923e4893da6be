"""A constant load on a front door, and what became of each request that failed.

In: a kubeconfig with several users, paths. Out: failures with the moment at which each was sent. Law: requests go at
the same rate whatever becomes of them, so that the number of failures measures how long it failed.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml
from containers import tls
from process import until

_PAUSE_SECONDS = 0.02
_PATIENCE = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True)
class Failure:
    """A request that was not answered with 200; the status is 0 when there was no answer at all."""

    sent: float
    request: str
    status: int
    retry_after: str
    body: bytes


class Load:
    """GETs of each path as each user, 50 a second for each, over connections that are kept, until the `with` ends."""

    def __init__(self, kubeconfig: Path, paths: Sequence[str]) -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        (cluster,) = (each["cluster"] for each in document["clusters"])
        self._url = cluster["server"]
        self._users = {each["name"]: _context(cluster, each["user"]) for each in document["users"]}
        self._paths = paths
        self._end = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self.total = 0
        self.failures: list[Failure] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def more(self, requests: int) -> None:
        """Waits until that many more requests have ended."""
        goal = self.total + requests
        until(lambda: self.total >= goal, f"{requests} more requests")

    def said(self) -> str:
        """How many requests failed, which, and over what time."""
        if not self.failures:
            return f"0 of {self.total} requests failed"
        sent = [failure.sent for failure in self.failures]
        seconds = max(sent) - min(sent)
        kinds = Counter((failure.request, failure.status) for failure in self.failures)
        each = "; ".join(f"{request}: {count} of status {status}" for (request, status), count in sorted(kinds.items()))
        return f"{len(self.failures)} of {self.total} requests failed over {seconds:.1f} s ({each})"

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for user, context in self._users.items():
                for path in self._paths:
                    tasks.create_task(self._ask(user, context, path))

    async def _ask(self, user: str, context: ssl.SSLContext, path: str) -> None:
        # A GET whose connection is closed before a byte of the answer came is sent once more by aiohttp, on another
        # connection, as Go's client does; whatever fails then, or cannot connect at all, is counted.
        connector = aiohttp.TCPConnector(ssl=context)
        async with aiohttp.ClientSession(connector=connector, timeout=_PATIENCE) as session:
            while not self._end.is_set():
                sent, retry_after = time.monotonic(), ""
                try:
                    async with session.get(self._url + path) as response:
                        status, body = response.status, await response.read()
                        retry_after = response.headers.get("Retry-After", "")
                except (aiohttp.ClientError, TimeoutError) as error:
                    status, body = 0, repr(error).encode()
                self.total += 1
                if status != 200:
                    self.failures.append(Failure(sent, f"{user} GET {path}", status, retry_after, body))
                await asyncio.sleep(_PAUSE_SECONDS)


def _context(cluster: dict[str, Any], user: dict[str, Any]) -> ssl.SSLContext:
    names = ("client-certificate-data", "client-key-data")
    pair = (base64.b64decode(user[name]) for name in names)
    return tls.client(base64.b64decode(cluster["certificate-authority-data"]), *pair)
