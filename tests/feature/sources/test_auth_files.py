"""The files of authentication over a real file system: what is said at the start, of replacements, and of bad ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from listening import Listener

from controlplane.errors import SettingsError
from controlplane.model.auth_files import AuthFiles
from controlplane.model.change import AuthFilesChanged, Change, Synced
from controlplane.model.credentials import Secret
from controlplane.model.problem import Origin, Problem
from controlplane.sources.auth_files import AuthFilesSource

HARMLESS = Problem(Origin("a"), "", "", "is odd", "make it even")


def reads(*paths: Path) -> Callable[[Callable[[Path], bytes]], tuple[Problem, ...]]:
    """What reads the paths, and the one that the first names; it takes no "bad", and finds "odd" harmless."""

    def examine(read: Callable[[Path], bytes]) -> tuple[Problem, ...]:
        try:
            contents = [read(path) for path in paths]
            if contents and contents[0].startswith(b"see "):
                contents.append(read(Path(contents[0][4:].decode())))
        except OSError as error:
            raise SettingsError(f"it cannot be read ({error.strerror})") from error
        if b"bad" in contents:
            raise SettingsError("it is bad")
        return (HARMLESS,) if b"odd" in contents else ()

    return examine


def listening_to(*paths: Path) -> Listener:
    """What is said of the paths."""
    return Listener(lambda report: AuthFilesSource(reads(*paths), report, compare_seconds=0.3))


def replace(file: Path, content: bytes) -> None:
    """Puts another file in its place."""
    spare = file.with_name(f".{file.name}")
    spare.write_bytes(content)
    spare.rename(file)


def remove(file: Path) -> None:
    """Takes the file away."""
    file.unlink()


def changed(batch: tuple[Change, ...]) -> dict[str, bytes]:
    """The contents in a batch that tells of nothing else, by name."""
    change = batch[0]
    assert isinstance(change, AuthFilesChanged)
    return {path.name: content.reveal() for path, content in change.files.contents.items()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that holds "one"."""
    path = tmp_path / "file"
    path.write_bytes(b"one")
    return path


async def test_the_files_then_synced(file: Path) -> None:
    """A source says what is in the files together with Synced."""
    async with listening_to(file) as listener:
        assert (AuthFilesChanged(AuthFiles({file: Secret(b"one")})), Synced("auth files")) == await listener.next()
        assert listener.silent


async def test_without_files_there_is_nothing_to_wait_for() -> None:
    """Where settings name no file the source says so."""
    async with listening_to() as listener:
        assert (AuthFilesChanged(AuthFiles({})), Synced("auth files")) == await listener.next()


async def test_a_replaced_file_is_told(file: Path) -> None:
    """Each replacement comes out whole."""
    async with listening_to(file) as listener:
        await listener.next()
        replace(file, b"two")

        assert changed(await listener.next()) == {"file": b"two"}


async def test_a_bad_file_is_reported_and_changes_nothing(file: Path) -> None:
    """What was good stays until the file is mended, and the problem goes with it."""
    async with listening_to(file) as listener:
        await listener.next()
        replace(file, b"bad")
        (problem,) = await listener.report()
        replace(file, b"three")

        assert "it is bad" in problem.message
        assert changed(await listener.next()) == {"file": b"three"}
        assert await listener.report() == ()


async def test_a_file_that_is_gone_is_reported_and_waited_for(file: Path) -> None:
    """A file that goes away and comes back as it was is no change."""
    async with listening_to(file) as listener:
        await listener.next()
        remove(file)
        (problem,) = await listener.report()
        replace(file, b"one")

        assert "cannot be read" in problem.message
        assert await listener.report() == ()
        replace(file, b"two")
        assert changed(await listener.next()) == {"file": b"two"}


async def test_a_file_that_another_names_is_followed_too(file: Path, tmp_path: Path) -> None:
    """Where one file names the next, both count, in whatever folder."""
    other = tmp_path / "elsewhere" / "other"
    other.parent.mkdir()
    other.write_bytes(b"1")
    async with listening_to(file) as listener:
        await listener.next()
        replace(file, b"see " + str(other).encode())
        assert changed(await listener.next())["other"] == b"1"
        replace(other, b"2")

        assert changed(await listener.next())["other"] == b"2"


async def test_harmless_faults_are_reported_beside_the_files(file: Path) -> None:
    """What does no harm is told and does not keep the file from counting."""
    replace(file, b"odd")
    async with listening_to(file) as listener:
        assert changed((await listener.next())[:1]) == {"file": b"odd"}
        assert await listener.report() == (HARMLESS,)


async def test_a_file_that_is_bad_at_the_start_stops_it(file: Path) -> None:
    """Nothing was good before, so there is nothing to go on with."""
    replace(file, b"bad")
    source = AuthFilesSource(reads(file), lambda _: None)

    with pytest.raises(SettingsError, match="it is bad"):
        await anext(source.changes())
