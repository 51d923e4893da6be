from __future__ import annotations

from pathlib import Path

import pytest

from controlplane.model.change import Delete, ObjectKey, Upsert
from controlplane.sources import disk, reading
from controlplane.sources.documents import Limits
from controlplane.sources.reading import Ahead, Readers
from controlplane.sources.tree import Meaning, Tree

ROLE = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: %s}\n"


def _delete(name: str) -> Delete:
    return Delete(ObjectKey("Role", "default", name))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A tree of two files, one of them in a subfolder, already compared."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.yaml").write_text(ROLE % "a")
    (tmp_path / "sub" / "b.yaml").write_text(ROLE % "b")
    tree = Tree(tmp_path, Limits())
    assert len(tree.compare(())) == 2
    return tree


@pytest.mark.parametrize(
    ("path", "meaning"),
    [
        ("a.yaml", Meaning.FILE),
        ("new.json", Meaning.FILE),
        ("sub/b.yaml", Meaning.FILE),
        ("a.yaml~", Meaning.NOTHING),
        (".a.yaml.swp", Meaning.NOTHING),
        ("#a.yaml#", Meaning.NOTHING),
        (".#a.yaml", Meaning.NOTHING),
        ("notes.txt", Meaning.NOTHING),
        (".git/config.yaml", Meaning.NOTHING),
        ("..data", Meaning.FOLDER),
        ("..2026/a.yaml", Meaning.FOLDER),
        ("sub", Meaning.FOLDER),
        (".", Meaning.FOLDER),
        ("unknown/a.yaml", Meaning.FOLDER),
    ],
)
def test_a_report_means_a_file_everything_or_nothing(path: str, meaning: Meaning, tree: Tree, tmp_path: Path) -> None:
    """Manifests in known folders are files, folders and swapped links call for comparing, spare copies for nothing."""
    assert meaning is tree.meaning(str(tmp_path / path))


def test_a_comparison_reads_only_what_differs(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are as they were are not opened again."""
    opened: list[str] = []
    plain_open = Path.open

    def noting_open(self: Path, mode: str) -> object:
        opened.append(self.name)
        return plain_open(self, mode)

    (tmp_path / "c.yaml").write_text(ROLE % "c")
    monkeypatch.setattr(disk.Path, "open", noting_open)
    changes = tree.compare(())

    assert [ObjectKey("Role", "default", "c")] == [change.key for change in changes if isinstance(change, Upsert)]
    assert opened == ["c.yaml"]


def test_a_comparison_leaves_alone_what_is_being_written(tree: Tree, tmp_path: Path) -> None:
    """A file that waits to be quiet is not read by a comparison."""
    (tmp_path / "a.yaml").unlink()

    assert not tree.compare((str(tmp_path / "a.yaml"),))
    assert (_delete("a"),) == tree.compare(())


def test_a_file_removed_while_it_is_read_is_gone_with_the_next_look(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that vanishes between two looks is told, harms no other, and is missed when it is looked for again."""
    path = tmp_path / "a.yaml"
    with monkeypatch.context() as patched:
        patched.setattr(
            disk.Path, "open", lambda self, _: self.unlink() or (_ for _ in ()).throw(FileNotFoundError(2, ""))
        )
        changes = tree.read((str(path),))
    [problem] = tree.problems

    assert not changes
    assert f"{path}: was removed while it was read; nothing need be done if that was meant; or write it again" == str(
        problem
    )
    assert (_delete("a"),) == tree.read((str(path),))
    assert not tree.problems


def test_a_failure_that_leaves_no_trace_on_the_file_is_tried_again(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that could not be read is read again at the next comparison, though it looks as it did."""

    def failing_open(_: Path, __: str) -> object:
        raise OSError(24, "Too many open files")

    (tmp_path / "a.yaml").write_text(ROLE % "c")
    with monkeypatch.context() as patched:
        patched.setattr(disk.Path, "open", failing_open)
        failed = tree.compare(())
    problems = tree.problems
    changes = tree.compare(())

    assert not failed
    assert [
        (f"{tmp_path}/a.yaml: cannot be read (Too many open files); make it readable for the user that Isthmus runs as")
    ] == [str(problem) for problem in problems]
    assert _delete("a") in changes
    assert not tree.problems


def test_a_folder_that_cannot_be_looked_into_keeps_its_objects(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a subfolder gave stays in force while it cannot be listed, and its neighbours go on."""
    scandir = disk.os.scandir

    def failing_scandir(path: str) -> object:
        if path.endswith("sub"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    (tmp_path / "a.yaml").unlink()
    with monkeypatch.context() as patched:
        patched.setattr(disk.os, "scandir", failing_scandir)
        changes = tree.compare(())
    problems = tree.problems

    assert (_delete("a"),) == changes
    assert [str(tmp_path / "sub")] == [problem.origin.path for problem in problems]
    assert not tree.compare(())
    assert not tree.problems


def test_a_subfolder_that_is_removed_takes_its_objects_along(tree: Tree, tmp_path: Path) -> None:
    """A subfolder that its parent does not list any more is gone, and so is what it gave."""
    (tmp_path / "sub").rename(tmp_path.parent / f"{tmp_path.name}-moved")

    assert (_delete("b"),) == tree.compare(())


def test_a_folder_that_is_gone_keeps_everything(tree: Tree, tmp_path: Path) -> None:
    """When the topmost folder itself is not there, nothing is deleted, whichever way that is noticed."""
    tmp_path.rename(tmp_path.parent / f"{tmp_path.name}-away")

    assert not tree.read((str(tmp_path / "a.yaml"),))
    assert not tree.compare(())
    assert [
        (
            f"{tmp_path}: cannot be looked into (No such file or directory); what was read from it stays in force; "
            "bring the folder back, readable for the user that Isthmus runs as"
        )
    ] == [str(problem) for problem in tree.problems]


def test_what_was_read_ahead_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are as they were are taken as they were read, once; others are read, and what is gone is gone."""
    for name in ("same", "changed", "gone"):
        (tmp_path / f"{name}.yaml").write_text(ROLE % name)
    monkeypatch.setattr(reading, "_YOUNG_SECONDS", -1e9)
    ahead = Ahead.of(tmp_path, Readers())
    (tmp_path / "changed.yaml").write_text(ROLE % "other")
    (tmp_path / "gone.yaml").unlink()
    (tmp_path / "new.yaml").write_text(ROLE % "new")
    plain_open, opened = Path.open, list[str]()

    def noting_open(self: Path, mode: str) -> object:
        opened.append(self.name)
        return plain_open(self, mode)

    monkeypatch.setattr(Path, "open", noting_open)
    tree = Tree(tmp_path, Limits(), lambda: ahead)
    changes = tree.compare(())
    again = tree.read([str(tmp_path / "same.yaml")])

    assert ["new", "other", "same"] == [change.key.name for change in changes if isinstance(change, Upsert)]
    assert not again
    assert ["changed.yaml", "new.yaml", "same.yaml"] == sorted(opened)
