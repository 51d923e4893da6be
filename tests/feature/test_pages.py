"""HTTP faces over real sockets: what is read of a request, and what is told of one that cannot be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from aiohttp import web

from controlplane.faces import pages
from controlplane.problems import Problems
from controlplane.settings.address import Address
from controlplane.settings.face import Face


async def _counted(request: web.Request) -> web.Response:
    return web.Response(text=str(len(request.headers)))


@pytest.fixture
async def face(tmp_path: Path) -> AsyncIterator[Path]:
    """The socket of a face that says how many header lines it has read."""
    application = web.Application()
    application.router.add_get("/apis", _counted)
    path = tmp_path / "face.sock"
    async with pages.listening(
        "discovery", Face(listen=Address(path=str(path))), application, Problems(structlog.get_logger()).reporter
    ):
        yield path


async def answered(face: Path, *lines: str) -> str:
    """The status line and the last line of what these lines are answered with."""
    reader, writer = await asyncio.open_unix_connection(face)
    writer.write("\r\n".join((*lines, "Connection: close", "", "")).encode())
    answer = (await reader.read()).decode().split("\r\n")
    writer.close()
    await writer.wait_closed()
    return f"{answer[0]} {answer[-1]}"


async def test_a_user_may_have_as_many_groups_as_envoy_lets_through(face: Path) -> None:
    """A thousand lines of identity and a cookie of 200 KiB are read."""
    groups = [f"X-Remote-Group: CN=group {number},OU=one of many,DC=example,DC=com" for number in range(1000)]

    lines = ("GET /apis HTTP/1.1", "Host: x", f"Cookie: {200 * 1024 * 'c'}", *groups)
    assert await answered(face, *lines) == "HTTP/1.1 200 OK 1003"


async def test_nothing_is_logged_of_a_request_that_cannot_be_read(face: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever sends it is told; the log would quote what may be a secret."""
    assert (await answered(face, "GET /apis HTTP/1.1", "Host: x")).startswith("HTTP/1.1 200 OK")
    with caplog.at_level(logging.DEBUG):
        for request in (("get /apis HTTP/1.1", "Host: x"), ("GET /apis HTTP/1.1", "Host: x", "Cookie secret")):
            assert "400 Bad Request" in await answered(face, *request)

    assert [record.message for record in caplog.records if record.name.startswith("aiohttp")] == []
