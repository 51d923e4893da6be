"""Where clients come in: a front door, a front door before one server, or a local endpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlplane.entrance import entrance
from controlplane.errors import SettingsError
from controlplane.model.apiservice import GroupVersion
from controlplane.model.topology import Endpoint
from controlplane.settings.settings import Settings
from controlplane.translation.listeners import FrontDoor
from controlplane.translation.local_door import LocalDoor

FACE = {"listen": "unix:/run/isthmus.sock"}
DOOR = {"frontDoor": {"certificateFile": "tls.crt", "privateKeyFile": "tls.key"}}


def settings_of(**sections: object) -> Settings:
    """Settings with these sections."""
    faces = {"xds": FACE, "authorization": FACE, "discovery": FACE}
    return Settings.model_validate({"manifests": "m", **faces, **sections})


def test_without_a_sidecar_there_is_a_front_door_and_no_server() -> None:
    """Nothing is without TLS."""
    made = entrance(settings_of(**DOOR), None)

    assert isinstance(made.door, FrontDoor)
    assert (made.server, made.apis) == (None, ())


@pytest.mark.parametrize(
    ("upstream", "endpoint", "dns"),
    [
        ("127.0.0.1:8080", Endpoint("127.0.0.1", 8080), False),
        ("unix:/run/api.sock", Endpoint("/run/api.sock", 0), False),
        ("localhost:80", Endpoint("localhost", 80), True),
    ],
)
def test_before_a_server(upstream: str, endpoint: Endpoint, dns: bool) -> None:
    """The server has no TLS, and each API is there once."""
    server = {"upstream": upstream, "http2": True, "apis": ["a.example.com/v1", "b/v1beta1", "a.example.com/v1"]}

    made = entrance(settings_of(**DOOR, sidecar={"server": server}), None)

    assert made.server is not None
    assert (made.server.endpoints, made.server.dns, made.server.http2) == ((endpoint,), dns, True)
    assert not made.server.encrypted
    assert made.apis == (GroupVersion("a.example.com", "v1"), GroupVersion("b", "v1beta1"))


def test_beside_a_client() -> None:
    """A local endpoint, and no front door."""
    made = entrance(settings_of(sidecar={"client": {"tokenFile": "t", "listen": "unix:/run/kube.sock"}}), None)

    assert isinstance(made.door, LocalDoor)
    assert (made.door.listen.path, made.door.shows_token) == ("/run/kube.sock", True)


def test_settings_that_were_not_checked_are_refused() -> None:
    """There is no entrance without a door."""
    settings = settings_of(**DOOR).model_copy(update={"front_door": None})

    with pytest.raises(SettingsError, match="frontDoor is not set"):
        entrance(settings, None)


def test_files_of_a_client_are_its_own() -> None:
    """Where the token is does not matter here, but that there is one."""
    client = {"certificateFile": "a", "privateKeyFile": "b"}

    made = entrance(settings_of(sidecar={"client": client}).relative_to(Path("/f")), None)

    assert isinstance(made.door, LocalDoor)
    assert not made.door.shows_token
