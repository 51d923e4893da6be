"""`isthmus apply` while it goes on: waiting for proxies, a server that goes away, and an interrupt."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import yaml
from click.testing import Result
from config_api import Api, role, serving
from isthmus_command import PATIENCE, isthmus, running

from controlplane.model.proxy import ProxyState


def roles(folder: Path, number: int) -> Path:
    """A file of so many roles."""
    path = folder / "roles.yaml"
    path.write_text(yaml.safe_dump_all([role(f"r{each}") for each in range(number)]))
    return path


async def apply(api: Api, *arguments: str) -> Result:
    """Runs `isthmus apply`."""
    return await isthmus(api.socket, "apply", *arguments)


async def test_a_wait_says_when_every_proxy_has_it(api: Api, tmp_path: Path) -> None:
    """Or that there is none."""
    path = roles(tmp_path, 1)
    alone = await apply(api, "-f", str(path), "--wait")
    api.proxies.connected = dict.fromkeys(("a", "b"), ProxyState.SYNCED)
    applying = asyncio.create_task(apply(api, "-f", str(path), "--wait"))
    api.proxies.waited_for.clear()
    async with asyncio.timeout(PATIENCE):
        await api.proxies.waited_for.wait()
    api.proxies.acknowledge("a", "b")
    done = await applying

    assert (0, "no proxy is connected; whoever connects gets it\n") == (alone.exit_code, alone.stderr)
    assert (0, "acknowledged by all 2 connected proxies\n") == (done.exit_code, done.stderr)


async def test_a_wait_that_is_too_long_is_a_failure(api: Api, tmp_path: Path) -> None:
    """Who is late is named; everything is applied all the same, without waiting for it again."""
    api.proxies.connected = {"a": ProxyState.SYNCED}
    path = roles(tmp_path, 300)
    result = await apply(api, "-f", str(path), "--wait", "--timeout", "1s")

    assert (1, 300) == (result.exit_code, len(result.stdout.splitlines()))
    assert result.stderr.startswith("error: timed out after 1s: a has not acknowledged yet")


async def test_a_server_that_goes_in_the_middle_is_said(tmp_path: Path) -> None:
    """With how much was applied before; applying again does the rest."""
    path = roles(tmp_path, 300)
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(serving(tmp_path))
        api.proxies.connected = {"a": ProxyState.SYNCED}
        applying = asyncio.create_task(apply(api, "-f", str(path), "--wait", "--timeout", "60s"))
        async with asyncio.timeout(PATIENCE):
            await api.proxies.waited_for.wait()
            api.proxies.waited_for.clear()
            api.proxies.acknowledge("a")
            await api.proxies.waited_for.wait()
    result = await applying
    async with serving(tmp_path) as api:
        again = await apply(api, "-f", str(path))

    assert (1, 128) == (result.exit_code, len(result.stdout.splitlines()))
    assert result.stderr.startswith(f"error: the connection to the server unix:{tmp_path}/config.sock failed (")
    assert "error: 128 of 300 objects were applied, and 0 refused, before the server failed" in result.stderr
    assert (0, 300) == (again.exit_code, len(again.stdout.splitlines()))
    assert 256 == again.stdout.count("unchanged")


async def test_a_server_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    """Nothing was applied, so nothing else is said."""
    path = roles(tmp_path, 1)
    result = await isthmus(tmp_path / "nothing.sock", "apply", "-f", str(path))

    assert (1, "", 1) == (result.exit_code, result.stdout, len(result.stderr.splitlines()))
    assert "No such file or directory" in result.stderr


async def test_an_interrupt_ends_it_quietly(api: Api, tmp_path: Path) -> None:
    """What was applied is, and the exit code is that of an interrupt."""
    api.proxies.connected = {"a": ProxyState.SYNCED}
    path = roles(tmp_path, 200)
    async with running(api.socket, "apply", "-f", str(path), "--wait", "--timeout", "60s") as process:
        async with asyncio.timeout(PATIENCE):
            await api.proxies.waited_for.wait()
            process.send_signal(signal.SIGINT)
            out, err = await process.communicate()

    assert (130, b"", b"") == (process.returncode, out, err)
