from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import pytest
import watchfiles
from watchfiles import Change as FileChange

from controlplane.errors import StartError
from controlplane.model.change import Change, Delete, ObjectKey, Synced, Upsert
from controlplane.model.problem import Problem
from controlplane.model.rbac import Role
from controlplane.sources.files import FilesSource

_PATIENCE_SECONDS = 10
ROLE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: %s}
rules: [{apiGroups: [""], resources: [pods], verbs: [%s]}]
"""
API_SERVICE = """\
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.g%(n)d.example.com}
spec:
  group: g%(n)d.example.com
  version: v1
  groupPriorityMinimum: 1000
  versionPriority: 15
  service: {namespace: default, name: backend, port: 8443}
"""


def _key(name: str) -> ObjectKey:
    return ObjectKey("Role", "default", name)


def _put(file: Path, text: str) -> None:
    """Writes a file the way that leaves no half-written one to be seen."""
    spare = file.with_name(f".{file.name}")
    spare.write_text(text)
    spare.rename(file)


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


class Listener:
    """Plays a source's Changes and keeps its reports, as long as it is entered."""

    def __init__(self, folder: Path, **options: Any) -> None:  # noqa: ANN401 - what FilesSource takes
        self.reported: list[tuple[Problem, ...]] = []
        self.held: dict[ObjectKey, str] = {}
        self.changes: list[Change] = []
        self._reports: asyncio.Queue[tuple[Problem, ...]] = asyncio.Queue()
        self._batches: asyncio.Queue[tuple[Change, ...]] = asyncio.Queue()
        self._source = FilesSource(folder, self._reports.put_nowait, **options)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._pump())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _pump(self) -> None:
        async for batch in self._source.changes():
            self._batches.put_nowait(batch)

    async def next(self) -> tuple[Change, ...]:
        """The next batch."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            batch = await self._batches.get()
        self.changes += batch
        for change in batch:
            match change:
                case Upsert(key, Role(rules=rules)):
                    self.held[key] = rules[0].verbs[0]
                case Delete(key):
                    del self.held[key]
        return batch

    async def until_synced(self) -> None:
        """Takes everything that is there at the start."""
        while Synced("files") not in self.changes:
            await self.next()

    async def report(self) -> tuple[Problem, ...]:
        """The next report."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            self.reported.append(await self._reports.get())
        return self.reported[-1]

    @property
    def silent(self) -> bool:
        """True when nothing was said that was not taken."""
        return self._batches.empty() and self._reports.empty()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of manifests."""
    made = tmp_path / "manifests"
    made.mkdir()
    return made


async def test_everything_then_synced_then_each_change(folder: Path) -> None:
    """A source says all that is there, sorted, then Synced, then what is added, replaced and removed."""
    _put(folder / "b.yaml", ROLE % ("y", "get"))
    _put(folder / "a.yaml", ROLE % ("z", "get") + "---\n" + ROLE % ("x", "get"))
    async with Listener(folder) as listener:
        first = await listener.next()
        second = await listener.next()
        _put(
            folder / "c.json",
            '{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "w"}, '
            '"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}',
        )
        third = await listener.next()
        _put(folder / "b.yaml", ROLE % ("y", "list"))
        await listener.next()
        (folder / "a.yaml").unlink()
        last = await listener.next()

        assert [_key("x"), _key("y"), _key("z")] == [change.key for change in first if isinstance(change, Upsert)]
        assert (Synced("files"),) == second
        assert [_key("w")] == [change.key for change in third if isinstance(change, Upsert)]
        assert (Delete(_key("x")), Delete(_key("z"))) == last
        assert {_key("w"): "get", _key("y"): "list"} == listener.held
        assert listener.silent


async def test_a_missing_folder_stops_the_start(tmp_path: Path) -> None:
    """A folder that is not there at the start is a reason not to start, and says the remedy."""
    source = FilesSource(tmp_path / "nowhere", lambda _: None)

    with pytest.raises(StartError, match="nowhere is not a folder; make it, or correct the setting manifests"):
        await anext(source.changes())


async def test_a_broken_file_is_reported_and_what_it_gave_stays(folder: Path) -> None:
    """A file that breaks changes nothing but the Problems; mended, it is in force and the Problem is gone."""
    _put(folder / "a.yaml", ROLE % ("x", "get"))
    async with Listener(folder) as listener:
        await listener.until_synced()
        _put(folder / "a.yaml", "kind: [")
        [problem] = await listener.report()
        _put(folder / "a.yaml", ROLE % ("x", "list"))
        solved = await listener.report()
        await listener.next()

        assert (
            f"{folder}/a.yaml, document 1: is not YAML (line 2, column 1: did not find expected node content); "
            "mend it; until then nothing in this file is taken over"
        ) == str(problem)
        assert solved == ()
        assert {_key("x"): "list"} == listener.held
        assert not [change for change in listener.changes if isinstance(change, Delete)]


async def test_bad_input_of_every_kind_leaves_all_others_serving(folder: Path) -> None:
    """A large file, a bomb, an unreadable CA, a Service without ports: each is told, and the good one is in force."""
    with (folder / "large.yaml").open("wb") as sparse:
        sparse.truncate(50_000_000)
    bomb = "".join(f"l{n}: &l{n} [{','.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 10))
    _put(folder / "bomb.yaml", f"l0: &l0 [x,x,x,x,x,x,x,x,x,x]\n{bomb}")
    _put(folder / "ca.yaml", API_SERVICE % {"n": 1} + "  caBundle: bm8gUEVN\n")
    _put(folder / "service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {}\n")
    _put(folder / "good.yaml", ROLE % ("x", "get"))
    async with Listener(folder) as listener:
        await listener.until_synced()
        problems = await listener.report()

        assert [(Path(problem.origin.path).name, problem.subject) for problem in problems] == [
            ("bomb.yaml", ""),
            ("ca.yaml", "APIService v1.g1.example.com"),
            ("large.yaml", ""),
            ("service.yaml", "Service default/web"),
        ]
        assert {_key("x"): "get"} == listener.held


async def test_a_file_saved_the_way_editors_do_is_replaced_not_deleted(folder: Path) -> None:
    """A file that is moved away and written anew, or emptied and written in place, never deletes its objects."""
    file = folder / "a.yaml"
    _put(file, ROLE % ("x", "get"))
    async with Listener(folder) as listener:
        await listener.until_synced()
        file.rename(folder / "a.yaml~")
        file.write_text(ROLE % ("x", "list"))
        first = await listener.next()
        file.write_text("")
        file.write_text(ROLE % ("x", "watch"))
        second = await listener.next()

        assert [len(first), len(second)] == [1, 1]
        assert {_key("x"): "watch"} == listener.held
        assert not [change for change in listener.changes if isinstance(change, Delete)]


async def test_a_mounted_configmap_is_swapped_in_one_step(folder: Path) -> None:
    """The link ..data that Kubernetes points elsewhere changes all files behind it in one batch."""
    for version, verb in (("..v1", "get"), ("..v2", "list")):
        (folder / version).mkdir()
        _put(folder / version / "a.yaml", ROLE % ("x", verb))
        _put(folder / version / "b.yaml", ROLE % ("y", verb))
    (folder / "..data").symlink_to("..v1")
    for name in ("a.yaml", "b.yaml"):
        (folder / name).symlink_to(f"..data/{name}")
    async with Listener(folder) as listener:
        await listener.until_synced()
        (folder / "..data_tmp").symlink_to("..v2")
        (folder / "..data_tmp").rename(folder / "..data")
        batch = await listener.next()

        assert [_key("x"), _key("y")] == [change.key for change in batch if isinstance(change, Upsert)]
        assert {_key("x"): "list", _key("y"): "list"} == listener.held
        assert listener.silent


async def test_a_folder_moved_in_and_out_brings_and_takes_its_files(folder: Path, tmp_path: Path) -> None:
    """A subfolder that appears is read, files in it are followed, and with it they go."""
    outside = tmp_path / "outside"
    outside.mkdir()
    _put(outside / "a.yaml", ROLE % ("x", "get"))
    async with Listener(folder) as listener:
        await listener.until_synced()
        outside.rename(folder / "sub")
        await listener.next()
        came = dict(listener.held)
        _put(folder / "sub" / "b.yaml", ROLE % ("y", "get"))
        await listener.next()
        followed = dict(listener.held)
        (folder / "sub").rename(outside)
        await listener.next()

        assert came == {_key("x"): "get"}
        assert followed == {_key("x"): "get", _key("y"): "get"}
        assert listener.held == {}


async def test_a_folder_that_vanishes_keeps_all_and_may_come_back(folder: Path, tmp_path: Path) -> None:
    """While the folder is gone everything stays in force under a Problem; back again, it is followed as before."""
    _put(folder / "a.yaml", ROLE % ("x", "get"))
    async with Listener(folder) as listener:
        await listener.until_synced()
        await asyncio.to_thread(folder.rename, tmp_path / "away")
        [problem] = await listener.report()
        held = dict(listener.held)
        await asyncio.to_thread(shutil.copytree, tmp_path / "away", folder)
        solved = await listener.report()
        _put(folder / "a.yaml", ROLE % ("x", "list"))
        await listener.next()

        assert (
            f"{folder}: cannot be looked into (No such file or directory); what was read from it stays in force; "
            "bring the folder back, readable for the user that Isthmus runs as"
        ) == str(problem)
        assert {_key("x"): "get"} == held
        assert solved == ()
        assert {_key("x"): "list"} == listener.held


async def test_a_file_that_is_emptied_and_then_written_is_never_read_empty(folder: Path) -> None:
    """A file that is being written in place is read when it has been quiet, so that its objects are not deleted."""
    file, watch = folder / "a.yaml", Watch()
    _put(file, ROLE % ("x", "get"))
    async with Listener(folder, awatch=watch.awatch) as listener:
        await listener.until_synced()
        await asyncio.to_thread(file.write_text, "")
        await watch.say((FileChange.modified, str(file)))
        await asyncio.to_thread(file.write_text, ROLE % ("x", "list"))
        await watch.say((FileChange.modified, str(file)))
        [change] = await listener.next()

        assert isinstance(change, Upsert)
        assert {_key("x"): "list"} == listener.held


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

    async with Listener(folder, awatch=awatch) as listener:
        await listener.until_synced()
        _put(folder / "a.yaml", ROLE % ("x", "get"))
        await listener.next()

        assert {_key("x"): "get"} == listener.held
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
        async for reports in watchfiles.awatch(*paths, force_polling=True, **options):
            yield reports

    async with Listener(folder, awatch=awatch) as listener:
        await listener.until_synced()
        _put(folder / "a.yaml", ROLE % ("x", "get"))
        await listener.next()

        assert {_key("x"): "get"} == listener.held
        assert [
            (
                f"{folder}: the system has no file watches left, so changes are looked for three times a second; "
                "raise fs.inotify.max_user_watches and fs.inotify.max_user_instances"
            )
        ] == [str(problem) for problem in await listener.report()]
        assert listener.silent


async def test_reports_that_are_dropped_are_made_up_for(folder: Path) -> None:
    """A change that the system does not report is found when everything is compared."""

    async def awatch(*_: Path, **__: object) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield set()

    async with Listener(folder, awatch=awatch, compare_seconds=0.0) as listener:
        await listener.until_synced()
        _put(folder / "a.yaml", ROLE % ("x", "get"))
        await listener.next()

        assert {_key("x"): "get"} == listener.held


@pytest.mark.parametrize(("files", "objects"), [(1_000, 1_000), (10, 10_000)])
async def test_a_large_folder_is_read_in_seconds(folder: Path, files: int, objects: int) -> None:
    """A thousand files, or ten thousand objects, are in force in less than three seconds."""
    for file in range(files):
        numbers = range(file, objects, files)
        (folder / f"{file:04}.yaml").write_text("---\n".join(API_SERVICE % {"n": number} for number in numbers))
    started = time.perf_counter()
    async with Listener(folder) as listener:
        first = await listener.next()
        seconds = time.perf_counter() - started

        assert len(first) == objects
        assert seconds < 3
