"""The watched folder over a real file system: what is moved, half written, or not told of."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import watchfiles
from manifest_folder import ROLE, FilesListener, key, put
from watchfiles import Change as FileChange

from controlplane.model.change import Delete, Upsert
from controlplane.sources import files


class Watch:
    """A watch that reports what it is told to."""

    def __init__(self) -> None:
        self._reports: asyncio.Queue[set[tuple[FileChange, str]]] = asyncio.Queue()

    async def awatch(self, *_: Path, **__: object) -> AsyncIterator[set[tuple[FileChange, str]]]:
        """Stands for watchfiles.awatch."""
        while True:
            yield await self._reports.get()
            self._reports.task_done()

    async def say(self, *reports: tuple[FileChange, str]) -> None:
        """Reports, and waits until the report was taken."""
        self._reports.put_nowait(set(reports))
        await self._reports.join()


async def test_a_file_saved_the_way_editors_do_is_replaced_not_deleted(folder: Path) -> None:
    """A file that is moved away and written anew, or emptied and written in place, never deletes its objects."""
    file = folder / "a.yaml"
    put(file, ROLE % ("x", "get"))
    async with FilesListener(folder) as listener:
        await listener.until_synced()
        file.rename(folder / "a.yaml~")
        file.write_text(ROLE % ("x", "list"))
        first = await listener.next()
        file.write_text("")
        file.write_text(ROLE % ("x", "watch"))
        second = await listener.next()

        assert [len(first), len(second)] == [1, 1]
        assert {key("x"): "watch"} == listener.held
        assert not [change for change in listener.changes if isinstance(change, Delete)]


async def test_a_mounted_configmap_is_swapped_in_one_step(folder: Path) -> None:
    """The link ..data that Kubernetes points elsewhere changes all files behind it in one batch."""
    for version, verb in (("..v1", "get"), ("..v2", "list")):
        (folder / version).mkdir()
        put(folder / version / "a.yaml", ROLE % ("x", verb))
        put(folder / version / "b.yaml", ROLE % ("y", verb))
    (folder / "..data").symlink_to("..v1")
    for name in ("a.yaml", "b.yaml"):
        (folder / name).symlink_to(f"..data/{name}")
    async with FilesListener(folder) as listener:
        await listener.until_synced()
        (folder / "..data_tmp").symlink_to("..v2")
        (folder / "..data_tmp").rename(folder / "..data")
        batch = await listener.next()

        assert [key("x"), key("y")] == [change.key for change in batch if isinstance(change, Upsert)]
        assert {key("x"): "list", key("y"): "list"} == listener.held
        assert listener.silent


async def test_a_folder_moved_in_and_out_brings_and_takes_its_files(folder: Path, tmp_path: Path) -> None:
    """A subfolder that appears is read, files in it are followed, and with it they go."""
    outside = tmp_path / "outside"
    outside.mkdir()
    put(outside / "a.yaml", ROLE % ("x", "get"))
    async with FilesListener(folder) as listener:
        await listener.until_synced()
        outside.rename(folder / "sub")
        await listener.next()
        came = dict(listener.held)
        put(folder / "sub" / "b.yaml", ROLE % ("y", "get"))
        await listener.next()
        followed = dict(listener.held)
        (folder / "sub").rename(outside)
        await listener.next()

        assert came == {key("x"): "get"}
        assert followed == {key("x"): "get", key("y"): "get"}
        assert listener.held == {}


async def test_a_folder_that_vanishes_keeps_all_and_may_come_back(folder: Path, tmp_path: Path) -> None:
    """While the folder is gone everything stays in force under a Problem; back again, it is followed as before."""
    put(folder / "a.yaml", ROLE % ("x", "get"))
    async with FilesListener(folder) as listener:
        await listener.until_synced()
        await asyncio.to_thread(folder.rename, tmp_path / "away")
        [problem] = await listener.report()
        held = dict(listener.held)
        await asyncio.to_thread(shutil.copytree, tmp_path / "away", tmp_path / "copy")
        # In one step: a folder that comes back without its files takes their objects.
        await asyncio.to_thread((tmp_path / "copy").rename, folder)
        solved = await listener.report()
        put(folder / "a.yaml", ROLE % ("x", "list"))
        await listener.next()

        assert (
            f"{folder}: cannot be looked into (No such file or directory); what was read from it stays in force; "
            "bring the folder back, readable for the user that Isthmus runs as"
        ) == str(problem)
        assert {key("x"): "get"} == held
        assert solved == ()
        assert {key("x"): "list"} == listener.held


async def test_a_file_that_is_emptied_and_then_written_is_never_read_empty(folder: Path) -> None:
    """A file that is being written in place is read when it has been quiet, so that its objects are not deleted."""
    file, watch = folder / "a.yaml", Watch()
    put(file, ROLE % ("x", "get"))
    async with FilesListener(folder, awatch=watch.awatch) as listener:
        await listener.until_synced()
        await asyncio.to_thread(file.write_text, "")
        await watch.say((FileChange.modified, str(file)))
        await asyncio.to_thread(file.write_text, ROLE % ("x", "list"))
        await watch.say((FileChange.modified, str(file)))
        [change] = await listener.next()

        assert isinstance(change, Upsert)
        assert {key("x"): "list"} == listener.held


async def test_a_closed_subfolder_does_not_end_the_watch(folder: Path) -> None:
    """When a subfolder may not be watched the others are, and nothing is polled."""

    async def awatch(
        *paths: Path,
        ignore_permission_denied: bool = False,
        **options: Any,  # noqa: ANN401 - passed on to the real one
    ) -> AsyncIterator[Any]:
        if not ignore_permission_denied:
            raise PermissionError(13, "Permission denied")
        async for reports in watchfiles.awatch(*paths, ignore_permission_denied=True, **options):
            yield reports

    async with FilesListener(folder, awatch=awatch) as listener:
        await listener.until_synced()
        put(folder / "a.yaml", ROLE % ("x", "get"))
        await listener.next()

        assert {key("x"): "get"} == listener.held
        assert listener.silent


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("Too many open files")])
async def test_without_watches_the_folder_is_polled(folder: Path, error: Exception) -> None:
    """When the system has no watches left, changes are looked for instead, and a Problem says what to raise."""

    async def awatch(
        *paths: Path,
        force_polling: bool = False,
        **options: Any,  # noqa: ANN401 - passed on to the real one
    ) -> AsyncIterator[Any]:
        if not force_polling:
            raise error
        async for reports in watchfiles.awatch(*paths, force_polling=True, poll_delay_ms=30, **options):
            yield reports

    async with FilesListener(folder, awatch=awatch) as listener:
        await listener.until_synced()
        put(folder / "a.yaml", ROLE % ("x", "get"))
        await listener.next()

        assert {key("x"): "get"} == listener.held
        assert [
            (
                f"{folder}: the system has no file watches left, so changes are looked for three times a second; "
                "raise fs.inotify.max_user_watches and fs.inotify.max_user_instances"
            )
        ] == [str(problem) for problem in await listener.report()]
        assert listener.silent


async def test_reports_that_are_dropped_are_made_up_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that the system does not report is found when everything is compared."""
    monkeypatch.setattr(files, "_TICK_SECONDS", 0.05)

    async def awatch(*_: Path, **__: object) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield set()

    async with FilesListener(folder, awatch=awatch, compare_seconds=0.0) as listener:
        await listener.until_synced()
        put(folder / "a.yaml", ROLE % ("x", "get"))
        await listener.next()

        assert {key("x"): "get"} == listener.held
