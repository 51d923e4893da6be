"""What a worker takes for its start, and what not."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from controlplane.auth.service import Keeping
from controlplane.settings.settings import Settings
from controlplane.workers.frames import FrameError, framed
from controlplane.workers.worker import start, work

SETTINGS = Settings.model_validate(
    {
        "frontDoor": {"certificateFile": "/a.crt", "privateKeyFile": "/a.key"},
        "manifests": "/manifests",
        "xds": {"listen": "unix:/x"},
        "authorization": {"listen": "unix:/a", "workers": 1},
        "discovery": {"listen": "unix:/d"},
    }
)
GOOD = start(SETTINGS, Keeping("epoch", 10.0), 1)


@pytest.mark.parametrize(
    "spoiled",
    [
        {"number": 0},
        {"number": "1"},
        {"number": 1.0},
        {"number": True},
        {"number": 1e999},
        {"keeping": 10.0},
        {"keeping": ["epoch"]},
        {"keeping": [1, 10.0]},
        {"keeping": ["epoch", float("nan")]},
        {"keeping": ["epoch", 1e999]},
        {"keeping": ["epoch", 0]},
        {"keeping": ["epoch", -1.0]},
        {"keeping": ["epoch", "10"]},
        {"settings": "{}"},
        {"settings": None},
        {"kind": "policy", "settings": 3},
    ],
)
async def test_a_start_that_is_none_ends_the_worker(spoiled: dict[str, Any]) -> None:
    """Text, truth values, infinity and what is no number at all are no numbers; nothing is served."""
    ours, theirs = socket.socketpair()
    with ours:
        ours.sendall(framed({**GOOD, **spoiled}))

        with pytest.raises(FrameError, match=r"^(the first message is no start|a message holds what is no number)"):
            await work(theirs)
