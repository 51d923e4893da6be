from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from controlplane.sources import reading
from controlplane.sources.documents import Limits
from controlplane.sources.folder import Broken, Content, Gone
from controlplane.sources.reading import PROGRAM, Ahead, Readers, observe_files

ROLE = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: %s}\n"
# Much to read and quickly read: two files like this are worth two processes.
LONG = "# much\n" * 150_000

# The program, once it has said in which process; and one that dies after its first answer.
NOTING = f"""
import os, pathlib, runpy, sys
pathlib.Path(sys.argv[1], str(os.getpid())).touch()
runpy.run_module({PROGRAM[-1]!r}, run_name="__main__")
"""
HALF = """
import pickle, sys
from controlplane.sources import contents
paths, limits = pickle.load(sys.stdin.buffer)
contents._answer(sys.stdout.buffer, contents.contents(paths[0], limits))
sys.stdout.buffer.write(b"\\x80\\x05")
"""
# Says when it was asked, and never answers; and one whose Python says something of its own first.
SILENT = """
import pathlib, pickle, sys
pickle.load(sys.stdin.buffer)
pathlib.Path(sys.argv[1]).touch()
pathlib.Path(sys.argv[2]).open().read()
"""
CHATTY = f"""
import runpy
print("INFO boot", flush=True)
runpy.run_module({PROGRAM[-1]!r}, run_name="__main__")
"""
LONG_AGO = 1_000_000_000


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """The paths of files of every sort, enough for two processes."""
    texts = {
        "one.yaml": LONG + ROLE % "one" + "---\n" + ROLE % "two",
        "two.yaml": LONG + ROLE % "three",
        "three.yaml": ROLE % "four",
        "wrong.yaml": ROLE % "Five",
        "twice.yaml": "kind: Role\nkind: Role\n",
        "broken.yaml": "kind: [",
        "large.yaml": "#" * (Limits().size + 1),
        "list.json": '{"kind": "List", "apiVersion": "v1", "items": [1]}',
        "empty.yaml": "",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "nowhere.yaml").symlink_to(tmp_path / "nothing")
    (tmp_path / "folder.yaml").mkdir()
    return [str(tmp_path / name) for name in (*texts, "nowhere.yaml", "folder.yaml", "missing.yaml")]


@pytest.mark.parametrize(
    "program",
    [
        PROGRAM,
        (sys.executable, "-c", HALF),
        (sys.executable, "-c", ""),
        (sys.executable, "-c", CHATTY),
        ("/nowhere/program",),
    ],
    ids=["in good order", "dies half-way", "says nothing", "says something else", "is not there"],
)
def test_who_reads_makes_no_difference(paths: list[str], program: Sequence[str]) -> None:
    """Processes that read see what this one sees, and what they do not answer it reads itself."""
    alone = observe_files(paths, Limits(), cores=1)
    helped = observe_files(paths, Limits(), cores=2, program=program)

    assert alone == helped
    assert [Content, Content, Content, Content, Content, Broken, Broken, Content, Content, Broken, Broken, Gone] == [
        type(alone[path]) for path in paths
    ]


@pytest.mark.parametrize(("cores", "started"), [(1, 0), (2, 2)])
def test_much_is_read_by_a_process_a_core(tmp_path: Path, paths: list[str], cores: int, started: int) -> None:
    """Two megabytes are read by as many processes as there are cores; on a single one, by none."""
    seen = tmp_path / "seen"
    seen.mkdir()
    program = (sys.executable, "-c", NOTING, str(seen))
    observe_files(paths, Limits(), cores=cores, program=program)

    assert started == len(list(seen.iterdir()))


def test_little_is_read_here(paths: list[str], tmp_path: Path) -> None:
    """For less than two megabytes no process is started."""
    seen = tmp_path / "seen"
    seen.mkdir()
    program = (sys.executable, "-c", NOTING, str(seen))
    small = [path for path in paths if Path(path).name in {"one.yaml", "three.yaml"}]
    observed = observe_files(small, Limits(), cores=8, program=program)

    assert small == list(observed)
    assert not list(seen.iterdir())


def test_what_processes_read_is_not_read_again(paths: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it is theirs, the files that cannot be read among it."""
    alone = observe_files(paths, Limits(), cores=1)

    def contents(path: str, _: Limits) -> None:
        raise AssertionError(f"{path} is read here")

    monkeypatch.setattr(reading, "contents", contents)

    assert alone == observe_files(paths, Limits(), cores=2)


def test_who_stops_waits_for_no_process(tmp_path: Path, paths: list[str]) -> None:
    """They are ended, and what they have not read is not read here either."""
    asked, never = tmp_path / "asked", tmp_path / "never"
    os.mkfifo(asked)
    os.mkfifo(never)
    readers = Readers()

    def stop() -> None:
        # A process opens it when it was asked.
        asked.read_bytes()
        readers.stop()

    stopping = threading.Thread(target=stop)
    stopping.start()
    program = (sys.executable, "-c", SILENT.replace("touch()", "write_bytes(b'')"), str(asked), str(never))
    observed = observe_files(paths, Limits(), cores=2, program=program, readers=readers)
    stopping.join()

    assert not observed
    assert Ahead() == Ahead.of(tmp_path, readers)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of one manifest that was written long ago."""
    manifest = tmp_path / "a.yaml"
    manifest.write_text(ROLE % "one")
    return tmp_path


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was just written is old: a file's time of change can be set by nobody."""
    monkeypatch.setattr(reading, "_YOUNG_SECONDS", -LONG_AGO)


@pytest.mark.usefixtures("old")
def test_files_are_read_ahead(folder: Path) -> None:
    """With the signature by which it is seen later whether they are the same; nothing where there is no folder."""
    (path, (_, observation)), *others = Ahead.of(folder, Readers()).seen.items()

    assert (str(folder / "a.yaml"), Content, []) == (path, type(observation), others)
    assert Ahead() == Ahead.of(folder / "missing", Readers())


def test_a_file_that_was_just_written_is_not_read_ahead(folder: Path) -> None:
    """It may be written again within the time that the file system can tell apart."""
    assert Ahead() == Ahead.of(folder, Readers())


@pytest.mark.usefixtures("old")
def test_a_file_that_changes_while_it_is_read_ahead_is_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were it turned back before the next look, nobody would see that something else was read."""
    whole = reading.contents

    def contents(path: str, limits: Limits) -> object:
        Path(path).write_text(ROLE % "another")
        return whole(path, limits)

    monkeypatch.setattr(reading, "contents", contents)

    assert Ahead() == Ahead.of(folder, Readers())


@pytest.mark.usefixtures("old")
def test_what_cannot_be_read_ahead_is_tried_again(folder: Path) -> None:
    """Perhaps it can be a moment later."""
    (folder / "a.yaml").write_text("kind: [")

    assert Ahead() == Ahead.of(folder, Readers())
