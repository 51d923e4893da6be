"""The folder of `isthmus up`."""

import stat
import tempfile
from pathlib import Path

import pytest
import yaml

from controlplane.cli import workspace
from controlplane.errors import StartError
from controlplane.settings.load import load


def test_the_folder_is_made_private(tmp_path: Path) -> None:
    """The folder and the one of the sockets are for their owner alone."""
    with workspace.opened(tmp_path / "w") as opened:
        assert stat.S_IMODE(opened.root.stat().st_mode) == 0o700
        assert stat.S_IMODE(opened.sockets.stat().st_mode) == 0o700
        assert opened.sockets == tmp_path / "w" / "run"


def test_one_process_holds_it_at_a_time(tmp_path: Path) -> None:
    """A second holder is told who the first is."""
    with (
        workspace.opened(tmp_path / "w"),
        pytest.raises(StartError, match=r"another Isthmus \(pid \d+\) runs in .*; stop it, or choose another"),
        workspace.opened(tmp_path / "w"),
    ):
        pass


def test_it_can_be_held_again_after_it_was_let_go(tmp_path: Path) -> None:
    """Letting go lets the next one in, and leaves no socket behind."""
    with workspace.opened(tmp_path / "w") as opened:
        (opened.sockets / "xds.sock").touch()

    with workspace.opened(tmp_path / "w") as opened:
        assert list(opened.sockets.iterdir()) == []


def test_sockets_of_a_killed_run_are_cleared(tmp_path: Path) -> None:
    """What a run that was killed left behind does not look like a control plane that listens."""
    (tmp_path / "w" / "run").mkdir(parents=True)
    (tmp_path / "w" / "run" / "xds.sock").touch()

    with workspace.opened(tmp_path / "w") as opened:
        assert list(opened.sockets.iterdir()) == []


def test_a_file_in_its_place_is_said(tmp_path: Path) -> None:
    """Something else of that name is not replaced."""
    (tmp_path / "w").write_text("mine")

    with pytest.raises(StartError, match=r"w is not a folder; move it away"), workspace.opened(tmp_path / "w"):
        pass


def test_a_path_too_long_for_sockets_is_replaced_and_cleaned(tmp_path: Path) -> None:
    """Sockets go to a short private folder that the long one links to, and that ends with the run."""
    root = tmp_path / ("long" * 30)

    with workspace.opened(root) as opened:
        assert opened.sockets.parent == Path(tempfile.gettempdir())
        assert stat.S_IMODE(opened.sockets.stat().st_mode) == 0o700
        assert (root / "run").readlink() == opened.sockets

    assert not opened.sockets.exists()
    assert not (root / "run").is_symlink()


def test_a_short_folder_of_a_killed_run_is_removed(tmp_path: Path) -> None:
    """The short folder that a killed run left is found by its link."""
    root = tmp_path / ("long" * 30)
    root.mkdir()
    left = Path(tempfile.mkdtemp(prefix="isthmus-"))
    (root / "run").symlink_to(left)

    with workspace.opened(root) as opened:
        assert opened.sockets != left
        assert not left.exists()


def test_a_long_path_has_the_same_short_folder_at_every_start(tmp_path: Path) -> None:
    """Settings that a person has changed go on naming sockets that are made."""
    root = tmp_path / ("long" * 30)
    seen = []
    for _ in range(2):
        with workspace.opened(root) as opened:
            seen.append(opened.sockets)

    assert seen == [workspace.short_folder(root)] * 2
    assert len(str(seen[0] / "authorization.sock.256")) <= 107


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_a_short_folder_that_others_can_enter_is_not_taken(tmp_path: Path, mode: int) -> None:
    """Whoever made it could put sockets of their own there."""
    root = tmp_path / ("long" * 30)
    with workspace.opened(root) as opened:
        usual = opened.sockets
    usual.mkdir()
    usual.chmod(mode)
    try:
        with workspace.opened(root) as opened:
            assert opened.sockets != usual
            assert stat.S_IMODE(opened.sockets.stat().st_mode) == 0o700
    finally:
        usual.rmdir()


def test_a_link_to_somewhere_else_only_loses_the_link(tmp_path: Path) -> None:
    """Nothing is deleted that was not made here."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "file").touch()
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "run").symlink_to(mine)

    with workspace.opened(tmp_path / "w"):
        assert (mine / "file").exists()
        assert not (tmp_path / "w" / "run").is_symlink()


def test_the_log_of_the_run_before_is_kept(tmp_path: Path) -> None:
    """A log starts empty, the one before has the suffix .1, older ones go."""
    log = tmp_path / "envoy.log"
    for text in ("first", "second"):
        workspace.rotate(log).write_text(text)

    assert workspace.rotate(log).read_text() == ""
    assert (tmp_path / "envoy.log.1").read_text() == "second"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["envoy.log", "envoy.log.1"]


@pytest.mark.parametrize("core", [{}, {"server": "https://10.0.0.1:6443", "caFile": "/etc/core.crt"}])
def test_the_settings_can_be_loaded(tmp_path: Path, core: dict[str, str]) -> None:
    """`isthmus serve` reads what `isthmus up` writes."""
    with workspace.opened(tmp_path / "w") as opened:
        document = workspace.settings_document(opened, "127.0.0.1", 9443, core)
        workspace.write_yaml(opened.config, document, "comment")
        loaded = load(opened.config)

    assert opened.config.read_text().startswith("# comment\n")
    assert loaded.front_door.port == 9443
    assert loaded.front_door.certificate_file == tmp_path / "w" / "pki" / "serving.crt"
    assert loaded.manifests == tmp_path / "w" / "manifests"
    assert loaded.xds.reached_at.path == str(tmp_path / "w" / "run" / "xds.sock")
    assert loaded.config is not None
    assert loaded.config.listen.path == str(tmp_path / "w" / "run" / "config.sock")
    assert loaded.store is not None
    assert loaded.store.sqlite.path == tmp_path / "w" / "isthmus.db"
    assert ("core" in yaml.safe_load(opened.config.read_text())) == bool(core)


def test_a_store_of_its_own_has_the_database_and_its_socket(tmp_path: Path) -> None:
    """Where others share the folder of the sockets, the socket by which one writes is not in it."""
    document = workspace.settings_document(
        workspace.Workspace(tmp_path, Path("/run/isthmus"), Path("/var/lib/store")), "127.0.0.1", 9443, {}
    )

    assert document["store"] == {"sqlite": {"path": "/var/lib/store/isthmus.db"}}
    assert document["config"] == {"listen": "unix:/var/lib/store/config.sock"}
    assert document["admin"] == {"listen": "unix:/run/isthmus/admin.sock"}


def test_what_is_remembered_is_read_back(tmp_path: Path) -> None:
    """The state of one start is the state the next one begins with."""
    with workspace.opened(tmp_path / "w") as opened:
        assert workspace.read_state(opened) == workspace.State()

        workspace.write_state(opened, workspace.State(demo_port=4711, demo_seeded=True))

        assert workspace.read_state(opened) == workspace.State(demo_port=4711, demo_seeded=True)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"demoPort": "x", "demoSeeded": true}'])
def test_a_damaged_memory_is_said(tmp_path: Path, content: str) -> None:
    """A state file that no start wrote is named, with the remedy."""
    with workspace.opened(tmp_path / "w") as opened:
        (opened.root / "state.json").write_text(content)

        with pytest.raises(StartError, match=r"state\.json is damaged; delete it and start again"):
            workspace.read_state(opened)
