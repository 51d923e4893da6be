from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from controlplane.sources import disk
from controlplane.sources.check import validate, validate_text

ROLE = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: %s}\n"


def test_a_folder_is_judged_whole(tmp_path: Path) -> None:
    """All manifests in a folder and below are counted, and an object defined twice is told with both places."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.yaml").write_text(ROLE % "one" + "---\n" + ROLE % "two")
    (tmp_path / "sub" / "b.yml").write_text(ROLE % "two" + "---\n" + ROLE % "three")
    (tmp_path / "sub" / ".hidden.yaml").write_text("broken: [")
    (tmp_path / "notes.txt").write_text("no manifest")
    objects, problems = validate(tmp_path)

    assert objects == 3
    assert [
        (
            f"{tmp_path}/sub/b.yml, document 1: Role default/two: "
            f"is defined in {tmp_path}/a.yaml, document 2 too, and that one was first; remove one of the two"
        )
    ] == [str(problem) for problem in problems]


def test_one_file_is_judged_whatever_its_name(tmp_path: Path) -> None:
    """A file given by name is read even when a folder's listing would pass it over."""
    file = tmp_path / "manifest"
    file.write_text(ROLE % "one" + "---\n" + ROLE % "one")
    objects, problems = validate(file)

    assert objects == 1
    assert [
        (
            f"{file}, document 2: Role default/one: "
            f"is defined in {file}, document 1 too, and that one was first; remove one of the two"
        )
    ] == [str(problem) for problem in problems]


def test_a_text_is_judged_under_the_name_given() -> None:
    """Standard input is judged like a file, under its name."""
    objects, [problem] = validate_text(b"kind: Role\n")

    assert objects == 0
    sentence = (
        "-, document 1: Role: apiVersion: Required value; "
        "write the apiVersion of the object, for example apiregistration.k8s.io/v1"
    )
    assert sentence == str(problem)


def test_two_apiservices_for_one_group_version_are_told() -> None:
    """The second APIService of a group-version is told, with the place of the first."""
    apiservice = (
        "apiVersion: apiregistration.k8s.io/v1\nkind: APIService\nmetadata: {name: v1.a.example}\n"
        "spec: {group: a.example, version: v1, groupPriorityMinimum: 1, versionPriority: 1}\n"
    )
    objects, [problem] = validate_text(f"{apiservice}---\n{apiservice}".encode(), "api.yaml")

    assert objects == 1
    sentence = (
        "api.yaml, document 2: APIService v1.a.example: "
        "is defined in api.yaml, document 1 too, and that one was first; remove one of the two"
    )
    assert sentence == str(problem)


def test_a_file_of_50_mb_is_refused_without_being_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size alone refuses a large file: it is never opened."""
    file = tmp_path / "large.yaml"
    with file.open("wb") as sparse:
        sparse.truncate(50_000_000)
    monkeypatch.setattr(Path, "open", None)
    objects, [problem] = validate(file)

    assert objects == 0
    assert (
        f"{file}: the file has 50000000 bytes, more than the 3145728 that are read; split it into several files"
    ) == str(problem)


def _is_missing(path: Path) -> str:
    return f"{path}: is not there; give the path of a file or folder"


def _is_fifo(path: Path) -> str:
    os.mkfifo(path)
    return f"{path}: is not a regular file; put the manifests into a plain file"


def _is_loop(path: Path) -> str:
    path.symlink_to(path)
    return (
        f"{path}: cannot be read (Too many levels of symbolic links); "
        "make it readable for the user that Isthmus runs as"
    )


def _is_dangling(path: Path) -> str:
    path.symlink_to("nowhere")
    return f"{path}: is a link to nothing; make it lead to a file, or remove it"


@pytest.mark.parametrize("make", [_is_missing, _is_fifo, _is_loop, _is_dangling])
def test_what_cannot_be_read_has_its_sentence(make: Callable[[Path], str], tmp_path: Path) -> None:
    """A missing file, a pipe, a loop and a dangling link are each told, and nothing hangs."""
    path = tmp_path / "a.yaml"
    sentence = make(path)

    assert [sentence] == [str(problem) for problem in validate(path)[1]]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            FileNotFoundError(2, "No such file or directory"),
            "was removed while it was read; nothing need be done if that was meant; or write it again",
        ),
        (
            OSError(116, "Stale file handle"),
            "was removed while it was read; nothing need be done if that was meant; or write it again",
        ),
        (
            PermissionError(13, "Permission denied"),
            "cannot be read (Permission denied); make it readable for the user that Isthmus runs as",
        ),
        (
            OSError(5, "Input/output error"),
            "cannot be read (Input/output error); make it readable for the user that Isthmus runs as",
        ),
    ],
)
def test_a_failure_while_reading_has_its_sentence(
    error: OSError, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is removed or fails after it was listed is told so, and the others are read."""
    (tmp_path / "a.yaml").write_text(ROLE % "one")
    (tmp_path / "b.yaml").write_text(ROLE % "two")
    plain_open = Path.open

    def failing_open(self: Path, mode: str) -> object:
        if self.name == "a.yaml":
            raise error
        return plain_open(self, mode)

    monkeypatch.setattr(disk.Path, "open", failing_open)
    objects, [problem] = validate(tmp_path)

    assert objects == 1
    assert f"{tmp_path}/a.yaml: {sentence}" == str(problem)


def test_a_folder_that_cannot_be_listed_has_its_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be looked into is told, and its neighbours are read."""
    (tmp_path / "a.yaml").write_text(ROLE % "one")
    (tmp_path / "locked").mkdir()
    scandir = os.scandir

    def failing_scandir(path: str) -> object:
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(disk.os, "scandir", failing_scandir)
    objects, [problem] = validate(tmp_path)

    assert objects == 1
    sentence = (
        f"{tmp_path}/locked: cannot be looked into (Permission denied); what was read from it stays in force; "
        "bring the folder back, readable for the user that Isthmus runs as"
    )
    assert sentence == str(problem)


def test_a_link_that_leads_back_up_is_followed_once(tmp_path: Path) -> None:
    """A linked folder is read through the link, and a circle of links ends."""
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "a.yaml").write_text(ROLE % "one")
    (inside / "linked").symlink_to(outside)
    (outside / "back").symlink_to(inside)

    assert validate(inside) == (1, ())
