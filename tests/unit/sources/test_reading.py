from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from controlplane.sources.documents import Limits
from controlplane.sources.folder import Broken, Content, Gone
from controlplane.sources.reading import PROGRAM, observe_files

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
    [PROGRAM, (sys.executable, "-c", HALF), (sys.executable, "-c", ""), ("/nowhere/program",)],
    ids=["in good order", "dies half-way", "says nothing", "is not there"],
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
