"""The section `sidecar`: what stands where, and what would let in who should not be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controlplane.errors import SettingsError
from controlplane.settings.address import Address
from controlplane.settings.load import checked
from controlplane.settings.settings import Settings

FACE = {"listen": "unix:/run/isthmus.sock"}
SERVER = {"upstream": "127.0.0.1:8080", "apis": ["example.com/v1"]}
CLIENT = {"tokenFile": "token"}
DOOR = {"certificateFile": "tls.crt", "privateKeyFile": "tls.key"}


def settings_of(sidecar: dict[str, Any], folder: Path, **sections: object) -> Settings:
    """Settings with that section, and a front door unless it is beside a client."""
    door = {} if "client" in sidecar else {"frontDoor": DOOR}
    faces = {"xds": FACE, "authorization": FACE, "discovery": FACE}
    return checked({"manifests": "m", **faces, **door, "sidecar": sidecar, **sections}, "it", folder)


def refusal_of(sidecar: dict[str, Any], folder: Path, **sections: object) -> str:
    """The one line that says what is wrong."""
    with pytest.raises(SettingsError) as refused:
        settings_of(sidecar, folder, **sections)
    return str(refused.value)


@pytest.mark.parametrize("upstream", ["127.0.0.1:8080", "[::1]:8080", "127.8.9.10:1", "localhost:80", "unix:/run/api"])
def test_a_server_on_this_machine_needs_no_more(upstream: str, tmp_path: Path) -> None:
    """Loopback addresses and Unix sockets are taken as they are."""
    settings = settings_of({"server": {**SERVER, "upstream": upstream}}, tmp_path)

    assert settings.sidecar.server.upstream == Address.parse(upstream)


@pytest.mark.parametrize("upstream", ["10.0.0.1:8080", "0.0.0.0:8080", "[::]:80", "api.example.com:80", "127.1:80"])
def test_a_server_that_others_reach_is_refused(upstream: str, tmp_path: Path) -> None:
    """Whoever reaches it can be anybody there, unless the settings say that this is meant."""
    server = {**SERVER, "upstream": upstream}

    refused = refusal_of({"server": server}, tmp_path)

    assert refused.startswith(f"it: sidecar.server: upstream is {upstream}, where whoever reaches it without this ")
    allowed = settings_of({"server": {**server, "allowRemoteUpstream": True}}, tmp_path)
    assert str(allowed.sidecar.server.upstream) == upstream


@pytest.mark.parametrize(
    "api", ["v1", "/v1", "example.com/", "Example.com/v1", "a/b/c", "example..com/v1", "a/1v", "a/*"]
)
def test_an_api_is_a_group_and_a_version(api: str, tmp_path: Path) -> None:
    """What is no group-version would be a route of another meaning."""
    refused = refusal_of({"server": {**SERVER, "apis": [api]}}, tmp_path)

    assert refused.startswith(f"it: sidecar.server.apis: {api!r} is no group-version; write GROUP/VERSION")


def test_a_server_without_apis_would_serve_nothing(tmp_path: Path) -> None:
    """The list has an entry."""
    assert "is empty, so that nothing would be served" in refusal_of({"server": {**SERVER, "apis": []}}, tmp_path)


@pytest.mark.parametrize("listen", ["0.0.0.0:8001", "10.0.0.1:8001", "example.com:8001", "[::]:8001", "localhost:8001"])
def test_a_clients_endpoint_is_for_this_machine(listen: str, tmp_path: Path) -> None:
    """Whoever reaches it acts with the credential; there is no way to allow others, and a name could be any address."""
    refused = refusal_of({"client": {**CLIENT, "listen": listen}}, tmp_path)

    assert refused.startswith(
        f"it: sidecar.client: listen is {listen}, and whoever reaches it acts with this sidecar's"
    )


@pytest.mark.parametrize(
    ("client", "complaint"),
    [
        ({}, "there is no credential; set tokenFile, or certificateFile and privateKeyFile"),
        ({"certificateFile": "a"}, "certificateFile and privateKeyFile need one another; set both or neither"),
        ({"tokenFile": "t", "privateKeyFile": "a"}, "certificateFile and privateKeyFile need one another"),
    ],
)
def test_a_client_has_a_whole_credential(client: dict[str, str], complaint: str, tmp_path: Path) -> None:
    """Without one, requests would be nobody's."""
    assert complaint in refusal_of({"client": client}, tmp_path)


def test_files_are_relative_to_the_settings(tmp_path: Path) -> None:
    """As every other path."""
    settings = settings_of({"client": CLIENT}, tmp_path)

    assert settings.sidecar.client.token_file == tmp_path / "token"
    assert settings.front_door is None
    assert str(settings.sidecar.client.listen) == "127.0.0.1:8001"


@pytest.mark.parametrize("sidecar", [{}, {"server": SERVER, "client": CLIENT}])
def test_it_is_beside_one(sidecar: dict[str, Any], tmp_path: Path) -> None:
    """Neither of nothing nor of both."""
    assert "set exactly one of server and client" in refusal_of(sidecar, tmp_path, frontDoor=DOOR)


@pytest.mark.parametrize(
    ("sidecar", "section"),
    [
        ({"server": SERVER}, {"core": {"server": "https://127.0.0.1:6443"}}),
        ({"server": SERVER}, {"frontProxy": DOOR}),
        ({"server": SERVER}, {"nodeGroups": [{"name": "a"}]}),
        ({"client": CLIENT}, {"frontDoor": DOOR}),
        ({"client": CLIENT}, {"authentication": {"anonymous": False}}),
        ({"client": CLIENT}, {"authorizers": {"modes": ["AlwaysDeny"]}}),
        ({"client": CLIENT}, {"audit": {"policyFile": "p"}}),
    ],
)
def test_what_would_mean_nothing_is_refused(
    sidecar: dict[str, Any], section: dict[str, object], tmp_path: Path
) -> None:
    """A setting that is there is in force."""
    (place,), (name,) = sidecar, section

    assert refusal_of(sidecar, tmp_path, **section).startswith(f"it: {name} cannot be set beside sidecar.{place};")


def test_before_a_server_there_is_a_front_door(tmp_path: Path) -> None:
    """Only a client's endpoint does without."""
    faces = {"xds": FACE, "authorization": FACE, "discovery": FACE}
    with pytest.raises(SettingsError, match="frontDoor is not set; say where clients connect"):
        checked({"manifests": "m", **faces, "sidecar": {"server": SERVER}}, "it", tmp_path)
