"""Whose the Unix sockets are that settings name.

In: a settings file, and an address in it. Out: nothing, or why nobody should speak to what listens there. Law: where
everybody may put things, as in /tmp, only what root, this user or the owner of the settings has made is spoken to:
tokens may be told there, and answers believed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from controlplane.errors import StartError
from controlplane.settings.address import Address


def owner(path: Path) -> int:
    """The user id of who made it.

    Raises:
        OSError: when it is not there.
    """
    return path.lstat().st_uid


def refuse_a_strangers(address: Address, settings: Path, *, owner: Callable[[Path], int] = owner) -> None:
    """Does nothing for a socket that may be spoken to, or that is not there, or for an address of TCP.

    Raises:
        StartError: when somebody else has made the socket, or a folder on the way to it.
    """
    if not address.path:
        return
    socket = Path(address.path)
    for made in (socket, *socket.parents):
        try:
            # Where a folder is everybody's without this bit, the owner of what is in it says nothing.
            everybody = made.parent.stat().st_mode & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH | stat.S_ISVTX
            stranger = owner(made) not in (0, os.geteuid(), owner(settings))
        except OSError:
            # Who connects is told what is not there.
            continue
        if everybody and stranger:
            raise StartError(
                f"{made}, which {settings} names, was made by another user, who may listen there; remove it, and start "
                "Isthmus again"
            )
