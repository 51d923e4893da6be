"""`isthmus watch` and `isthmus get --watch`: every change, once."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from config_api import Api, reference, role, serving
from isthmus_command import PATIENCE, isthmus, printed, running


class Relay:
    """Passes on what comes to a socket, until it is cut."""

    def __init__(self, socket: Path, behind: Path) -> None:
        self.socket = socket
        self._behind = behind
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Takes connections."""
        self._server = await asyncio.start_unix_server(self._take, self.socket)

    async def cut(self) -> None:
        """Ends every connection, and takes no more."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()
        self.socket.unlink(missing_ok=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_unix_connection(self._behind)
        self._writers |= {writer, behind_writer}
        try:
            await asyncio.gather(_pass(reader, behind_writer), _pass(behind_reader, writer))
        except OSError:
            return
        finally:
            for each in (writer, behind_writer):
                self._writers.discard(each)
                each.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.transport.abort()


@asynccontextmanager
async def relayed(api: Api) -> AsyncIterator[Relay]:
    """A relay before the config API."""
    relay = Relay(api.folder.parent / "relay.sock", api.socket)
    await relay.open()
    try:
        yield relay
    finally:
        await relay.cut()


def columns(lines: list[str]) -> list[list[str]]:
    """The cells of lines."""
    return [line.split()[:2] for line in lines]


async def test_a_line_a_change(api: Api) -> None:
    """First what there is, then what happens; only what is selected."""
    await api.apply(role("a", labels={"x": "1"}))
    await api.apply(role("other"))
    async with running(api.socket, "watch", "clusterroles", "-l", "x") as watch:
        begun = await printed(watch, 2)
        await api.apply(role("b", labels={"x": "1"}))
        await api.apply(role("a", "list", labels={"x": "1"}))
        await api.call("Delete", reference=reference("ClusterRole", "b"))
        told = await printed(watch, 3)

    assert [["EVENT", "NAME"], ["ADDED", "a"]] == columns(begun)
    assert [["ADDED", "b"], ["MODIFIED", "a"], ["DELETED", "b"]] == columns(told)


async def test_one_object_is_watched_by_its_name(api: Api) -> None:
    """Also one that is not there yet."""
    async with running(api.socket, "watch", "clusterrole/b", "--no-headers", "-o", "wide") as watch:
        await api.apply(role("a"))
        await api.apply(role("b"))
        told = await printed(watch, 1)

    assert [["ADDED", "b"]] == columns(told)


async def test_json_is_a_document_a_line(api: Api) -> None:
    """With the type of the change and the object; what there is at the start may be left out."""
    await api.apply(role("a"))
    async with (
        running(api.socket, "watch", "clusterroles", "-o", "json") as everything,
        running(api.socket, "watch", "clusterroles", "-o", "json", "--watch-only") as changes,
    ):
        begun = [json.loads(line) for line in await printed(everything, 1)]
        reading, number = asyncio.create_task(printed(changes, 1)), 0
        while not reading.done():
            # Nothing says when the second has begun: what changes before that is not its to tell.
            number += 1
            await api.apply(role("a", f"v{number}"))
            await printed(everything, 1)
        told = [json.loads(line) for line in await reading]

    assert [("ADDED", "a")] == [(one["type"], one["object"]["metadata"]["name"]) for one in begun]
    assert ["MODIFIED"] == [one["type"] for one in told]
    assert {"type", "object"} == set(told[0])


async def test_a_cut_is_not_noticed(api: Api) -> None:
    """What happened while the server could not be reached is told when it can be, and nothing is told twice."""
    await api.apply(role("a"))
    async with relayed(api) as relay, running(relay.socket, "watch", "clusterroles", "--no-headers") as watch:
        told = await printed(watch, 1)
        await api.apply(role("b"))
        told += await printed(watch, 1)
        await relay.cut()
        texts = [json.dumps(role(name)) for name in ("c", "d")]
        await api.call("BatchApply", json=texts, options={"field_manager": "test"})
        await api.call("Delete", reference=reference("ClusterRole", "a"))
        await relay.open()
        told += await printed(watch, 3)
        await api.apply(role("e"))
        told += await printed(watch, 1)
        watch.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE):
            rest, errors = await watch.communicate()

    assert [
        ["ADDED", "a"],
        ["ADDED", "b"],
        ["ADDED", "c"],
        ["ADDED", "d"],
        ["DELETED", "a"],
        ["ADDED", "e"],
    ] == columns(told)
    assert (b"", b"", 130) == (rest, errors, watch.returncode)


async def test_what_was_forgotten_meanwhile_is_found_out(api: Api) -> None:
    """When the server has forgotten where the watch was, it lists anew and tells what is different."""
    await api.apply(role("a"))
    await api.apply(role("b"))
    async with relayed(api) as relay, running(relay.socket, "watch", "clusterroles", "--no-headers") as watch:
        await printed(watch, 2)
        await relay.cut()
        await api.call("Delete", reference=reference("ClusterRole", "a"))
        await api.apply(role("b", "list"))
        done = await api.apply(role("c"))
        await api.store.compact(done.revision)
        await relay.open()
        told = await printed(watch, 3)
        await api.apply(role("d"))
        told += await printed(watch, 1)

    assert [["DELETED", "a"], ["MODIFIED", "b"], ["ADDED", "c"], ["ADDED", "d"]] == columns(told)


async def test_a_server_that_starts_anew_is_gone_on_with(tmp_path: Path) -> None:
    """The watch goes on with the next server on the same store."""
    async with AsyncExitStack() as stack:
        async with serving(tmp_path) as first:
            await first.apply(role("a"))
            watch = await stack.enter_async_context(running(first.socket, "watch", "clusterroles", "--no-headers"))
            told = await printed(watch, 1)
        async with serving(tmp_path) as second:
            await second.apply(role("b"))
            told += await printed(watch, 1)

    assert [["ADDED", "a"], ["ADDED", "b"]] == columns(told)


async def test_get_watches_as_kubectl_does(api: Api) -> None:
    """Without saying what happened, unless that is wanted."""
    await api.apply(role("a"))
    async with (
        running(api.socket, "get", "clusterroles", "-w") as plain,
        running(api.socket, "get", "clusterrole", "a", "--watch", "--output-watch-events") as one,
    ):
        begun = await printed(plain, 2), await printed(one, 2)
        await api.apply(role("b"))
        await api.apply(role("a", "list"))
        told = await printed(plain, 2), await printed(one, 1)

    assert ["NAME", "a"] == [line.split()[0] for line in begun[0]]
    assert ["b", "a"] == [line.split()[0] for line in told[0]]
    assert [["EVENT", "NAME"], ["ADDED", "a"]] == columns(begun[1])
    assert [["MODIFIED", "a"]] == columns(told[1])


async def test_what_cannot_be_watched_is_said(api: Api) -> None:
    """Several kinds, what is not there, and what is forbidden: one sentence, exit code 1."""
    token = api.folder.parent / "token"
    token.write_text("t-alice")
    several = await isthmus(api.socket, "watch", "svc,secrets")
    names = await isthmus(api.socket, "get", "-w", "svc", "a", "b")
    missing = await isthmus(api.socket, "get", "-w", "svc/a")
    ignored = await isthmus(api.socket, "get", "-w", "svc/a", "--ignore-not-found")
    forbidden = await isthmus(api.socket, "watch", "secrets", "--token-file", str(token))

    wrong = "error: a watch is of one kind, or of one object; start one for each\n"
    assert (1, wrong, 1, wrong) == (several.exit_code, several.stderr, names.exit_code, names.stderr)
    assert (1, 'Error from server (NotFound): services "a" not found\n') == (missing.exit_code, missing.stderr)
    assert (0, "", "") == (ignored.exit_code, ignored.stdout, ignored.stderr)
    assert 1 == forbidden.exit_code
    assert forbidden.stderr.startswith("Error from server (Forbidden): secrets is forbidden")


async def test_a_reader_that_has_enough_ends_a_watch(api: Api) -> None:
    """At the next change, and without a word."""
    await api.apply(role("a"))
    async with running(api.socket, "watch", "clusterroles") as watch:
        await printed(watch, 2)
        assert watch.stdout is not None
        watch._transport.get_pipe_transport(1).close()
        await api.apply(role("b"))
        async with asyncio.timeout(PATIENCE):
            assert watch.stderr is not None
            errors = await watch.stderr.read()
            await watch.wait()

    assert b"" == errors
