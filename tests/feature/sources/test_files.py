"""The watched folder over a real file system: what is said at the start, of changes, and of bad files."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from manifest_folder import API_SERVICE, ROLE, FilesListener, key, put

from controlplane.errors import StartError
from controlplane.model.change import Delete, Synced, Upsert
from controlplane.sources.files import FilesSource


async def test_everything_then_synced_then_each_change(folder: Path) -> None:
    """A source says all that is there, sorted, then Synced, then what is added, replaced and removed."""
    put(folder / "b.yaml", ROLE % ("y", "get"))
    put(folder / "a.yaml", ROLE % ("z", "get") + "---\n" + ROLE % ("x", "get"))
    async with FilesListener(folder) as listener:
        first = await listener.next()
        second = await listener.next()
        put(
            folder / "c.json",
            '{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "w"}, '
            '"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}',
        )
        third = await listener.next()
        put(folder / "b.yaml", ROLE % ("y", "list"))
        await listener.next()
        (folder / "a.yaml").unlink()
        last = await listener.next()

        assert [key("x"), key("y"), key("z")] == [change.key for change in first if isinstance(change, Upsert)]
        assert (Synced("files"),) == second
        assert [key("w")] == [change.key for change in third if isinstance(change, Upsert)]
        assert (Delete(key("x")), Delete(key("z"))) == last
        assert {key("w"): "get", key("y"): "list"} == listener.held
        assert listener.silent


async def test_a_missing_folder_stops_the_start(tmp_path: Path) -> None:
    """A folder that is not there at the start is a reason not to start, and says the remedy."""
    source = FilesSource(tmp_path / "nowhere", lambda _: None)

    with pytest.raises(StartError, match="nowhere is not a folder; make it, or correct the setting manifests"):
        await anext(source.changes())


async def test_a_broken_file_is_reported_and_what_it_gave_stays(folder: Path) -> None:
    """A file that breaks changes nothing but the Problems; mended, it is in force and the Problem is gone."""
    put(folder / "a.yaml", ROLE % ("x", "get"))
    async with FilesListener(folder) as listener:
        await listener.until_synced()
        put(folder / "a.yaml", "kind: [")
        [problem] = await listener.report()
        put(folder / "a.yaml", ROLE % ("x", "list"))
        solved = await listener.report()
        await listener.next()

        assert (
            f"{folder}/a.yaml, document 1: is not YAML (line 2, column 1: did not find expected node content); "
            "mend it; until then nothing in this file is taken over"
        ) == str(problem)
        assert solved == ()
        assert {key("x"): "list"} == listener.held
        assert not [change for change in listener.changes if isinstance(change, Delete)]


async def test_bad_input_of_every_kind_leaves_all_others_serving(folder: Path) -> None:
    """A large file, a bomb, an unreadable CA, a Service without ports: each is told, and the good one is in force."""
    with (folder / "large.yaml").open("wb") as sparse:
        sparse.truncate(50_000_000)
    bomb = "".join(f"l{n}: &l{n} [{','.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 10))
    put(folder / "bomb.yaml", f"l0: &l0 [x,x,x,x,x,x,x,x,x,x]\n{bomb}")
    put(folder / "ca.yaml", API_SERVICE % {"n": 1} + "  caBundle: bm8gUEVN\n")
    put(folder / "service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {}\n")
    put(folder / "good.yaml", ROLE % ("x", "get"))
    async with FilesListener(folder) as listener:
        await listener.until_synced()
        problems = await listener.report()

        assert [(Path(problem.origin.path).name, problem.subject) for problem in problems] == [
            ("bomb.yaml", ""),
            ("ca.yaml", "APIService v1.g1.example.com"),
            ("large.yaml", ""),
            ("service.yaml", "Service default/web"),
        ]
        assert {key("x"): "get"} == listener.held


@pytest.mark.parametrize(("files", "objects"), [(1_000, 1_000), (10, 10_000)])
async def test_a_large_folder_is_read_in_seconds(folder: Path, files: int, objects: int) -> None:
    """A thousand files, or ten thousand objects, are in force in less than three seconds."""
    for file in range(files):
        numbers = range(file, objects, files)
        (folder / f"{file:04}.yaml").write_text("---\n".join(API_SERVICE % {"n": number} for number in numbers))
    started = time.perf_counter()
    async with FilesListener(folder) as listener:
        first = await listener.next()
        seconds = time.perf_counter() - started

        assert len(first) == objects
        assert seconds < 3
