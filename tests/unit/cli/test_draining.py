"""Waiting for an Envoy to let go of its clients."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from controlplane.cli.draining import drained


@asynccontextmanager
async def admin(path: Path, active: Iterator[int]) -> AsyncIterator[list[str]]:
    """An admin page on a Unix socket that says these numbers of requests under way; what it was asked."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(f"{request.method} {request.path_qs}")
        if request.path == "/stats":
            return web.Response(text=f"http.front_door.downstream_rq_active: {next(active)}\n")
        return web.Response(text="OK\n")

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.UnixSite(runner, str(path)).start()
    try:
        yield asked
    finally:
        await runner.cleanup()


async def test_clients_are_sent_away_and_waited_for(tmp_path: Path) -> None:
    """The listeners drain, then it is asked until no request is under way."""
    async with admin(tmp_path / "a", iter((2, 1, 0))) as asked:
        await drained(tmp_path / "a", 10)

    assert asked[0] == "POST /drain_listeners?graceful&skip_exit"
    assert len(asked) == 4


async def test_a_watch_is_not_waited_for_longer_than_that(tmp_path: Path) -> None:
    """What never ends is left after the time."""
    before = time.monotonic()
    async with admin(tmp_path / "a", iter(lambda: 1, 0)):
        await drained(tmp_path / "a", 0.2)

    assert 0.2 <= time.monotonic() - before < 5


async def test_an_envoy_that_is_gone_needs_nothing(tmp_path: Path) -> None:
    """No socket, no waiting."""
    before = time.monotonic()

    await drained(tmp_path / "none", 10)

    assert time.monotonic() - before < 5
