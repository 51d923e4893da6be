"""Whose sockets are spoken to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from controlplane.cli import asking, sockets
from controlplane.cli.api.connection import Flags, chosen
from controlplane.cli.sockets import owner, refuse_a_strangers
from controlplane.errors import StartError
from controlplane.settings.address import Address

STRANGER = 4711


@pytest.fixture
def address(tmp_path: Path) -> Address:
    """A socket in a folder of its own, below one where everybody may put things."""
    shared = tmp_path / "shared"
    (shared / "mine").mkdir(parents=True)
    shared.chmod(0o1777)
    (shared / "mine" / "admin.sock").touch()
    return Address(path=str(shared / "mine" / "admin.sock"))


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """The settings that name it."""
    path = tmp_path / "config.yaml"
    path.touch()
    return path


def owners(**made: int) -> Callable[[Path], int]:
    """Who made what, by its name; all else is this user's."""
    return lambda path: made.get(path.name, os.geteuid())


def test_a_socket_in_a_strangers_folder_is_not_spoken_to(address: Address, settings: Path) -> None:
    """Who made the folder may have put another socket there; the sentence names it and says what to do."""
    with pytest.raises(StartError) as refused:
        refuse_a_strangers(address, settings, owner=owners(mine=STRANGER))

    folder = Path(address.path).parent
    assert str(refused.value) == (
        f"{folder}, which {settings} names, was made by another user, who may listen there; remove it, and start "
        "Isthmus again"
    )


def test_a_strangers_folder_further_up_counts_too(address: Address, settings: Path) -> None:
    """Whoever made it may have put any other below it."""
    below = Path(address.path).parent / "isthmus"
    below.mkdir()

    with pytest.raises(StartError, match="mine, which"):
        refuse_a_strangers(Address(path=str(below / "admin.sock")), settings, owner=owners(mine=STRANGER))


def test_a_strangers_socket_where_everybody_may_make_one_is_not_spoken_to(address: Address, settings: Path) -> None:
    """The folder is root's, as /tmp is."""
    Path(address.path).parent.chmod(0o1777)

    with pytest.raises(StartError, match=r"admin\.sock, which"):
        refuse_a_strangers(address, settings, owner=owners(**{"admin.sock": STRANGER, "mine": 0}))


@pytest.mark.parametrize("made", [{"mine": 0}, {"mine": STRANGER, "config.yaml": STRANGER}, {"admin.sock": STRANGER}])
def test_others_who_are_trusted_are_spoken_to(address: Address, settings: Path, made: dict[str, int]) -> None:
    """Root, who wrote the settings, and whoever may write to a folder that is not for everybody."""
    refuse_a_strangers(address, settings, owner=owners(**made))


def test_where_owners_mean_nothing_they_are_not_asked_for(address: Address, settings: Path) -> None:
    """A volume of a pod is everybody's, and not sticky: its users are those who may speak to one another."""
    Path(address.path).parents[1].chmod(0o777)

    refuse_a_strangers(address, settings, owner=owners(mine=STRANGER))


def test_what_is_not_there_is_told_by_who_connects(tmp_path: Path, settings: Path) -> None:
    """Neither a missing socket nor an address of TCP is a stranger's."""
    refuse_a_strangers(Address(path=str(tmp_path / "none" / "admin.sock")), settings)
    refuse_a_strangers(Address(host="127.0.0.1", port=1), settings)


def test_the_owner_of_a_link_is_who_made_the_link(tmp_path: Path) -> None:
    """Not of what it leads to."""
    (tmp_path / "link").symlink_to("/proc/1")

    assert owner(tmp_path / "link") == os.geteuid()


@pytest.mark.parametrize("asks", [asking.admin_face, lambda config: chosen(Flags(config=config), {}, Path())])
def test_who_is_told_a_socket_by_settings_asks_whose_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asks: Callable[[Path], object]
) -> None:
    """Of the control plane's status, and of the config API."""
    seen: list[tuple[str, Path]] = []
    monkeypatch.setattr(sockets, "refuse_a_strangers", lambda address, path: seen.append((address.path, path)))
    config = tmp_path / "config.yaml"
    files = {"certificateFile": "c", "privateKeyFile": "k"}
    listen = {face: {"listen": f"unix:/{face}"} for face in ("xds", "authorization", "discovery", "admin", "config")}
    document = {"frontDoor": {"port": 1, **files}, "frontProxy": files, "manifests": "m", **listen}
    config.write_text(yaml.safe_dump({**document, "store": {"sqlite": {"path": "db"}}}))

    asks(config)

    assert seen in ([("/admin", config)], [("/config", config)])
