"""An Envoy that is about to end lets go of its clients first.

In: Envoy's admin socket. Out: an Envoy that has told its clients to go elsewhere, and has answered what it was asked.
Law: never raises and never takes longer than it may; a watch is not waited for longer than that either.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

import aiohttp

# The name in the URL means nothing on a Unix socket.
_ADMIN: Final = "http://envoy"
_ACTIVE: Final = "http.front_door.downstream_rq_active"
_BETWEEN_SECONDS: Final = 0.05


async def drained(admin: Path, seconds: float) -> None:
    """Returns when the Envoy at that socket has no request under way, or after `seconds`, or when it is gone."""
    with suppress(TimeoutError, aiohttp.ClientError, OSError):
        async with (
            asyncio.timeout(seconds),
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(admin)), trust_env=False) as session,
        ):
            # HTTP/1.1 answers say "Connection: close" from here on, HTTP/2 connections get a GOAWAY.
            await _said(session, "POST", "/drain_listeners?graceful&skip_exit")
            while await _active(session):  # noqa: ASYNC110 -- Envoy tells only who asks
                await asyncio.sleep(_BETWEEN_SECONDS)


async def _active(session: aiohttp.ClientSession) -> int:
    text = await _said(session, "GET", f"/stats?filter={re.escape(_ACTIVE)}")
    found = re.search(r": (\d+)$", text.strip())
    return int(found[1]) if found else 0


async def _said(session: aiohttp.ClientSession, method: str, path: str) -> str:
    async with session.request(method, f"{_ADMIN}{path}") as response:
        return await response.text()
