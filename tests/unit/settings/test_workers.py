"""The settings of authorization workers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from controlplane.errors import SettingsError
from controlplane.settings.face import AuthorizationFace, RemovalLimit
from controlplane.settings.load import load
from controlplane.settings.settings import Settings

DOCUMENT: dict[str, object] = {
    "frontDoor": {"certificateFile": "serving.crt", "privateKeyFile": "serving.key"},
    "manifests": "manifests",
    "xds": {"listen": "127.0.0.1:18000", "maxConnectionAge": "1h"},
    "authorization": {"listen": "127.0.0.1:18001"},
    "discovery": {"listen": "127.0.0.1:18005"},
    "authorizers": {"configurationFile": "authorizers.yaml"},
    "verdictCache": {"ttl": "7s"},
}


def settings_file(folder: Path, **sections: object) -> Path:
    """A settings file with other sections."""
    path = folder / "isthmus.yaml"
    path.write_text(yaml.safe_dump({**DOCUMENT, **sections}))
    return path


@pytest.mark.parametrize(
    ("face", "listens", "reached"),
    [
        ({"listen": "unix:/run/a.sock"}, ["unix:/run/a.sock.1", "unix:/run/a.sock.2"], None),
        ({"listen": "127.0.0.1:18001"}, ["127.0.0.1:18002", "127.0.0.1:18003"], None),
        (
            {"listen": "0.0.0.0:18001", "advertise": "isthmus:8001", "allowPlaintext": True},
            ["0.0.0.0:18002", "0.0.0.0:18003"],
            ["isthmus:8002", "isthmus:8003"],
        ),
    ],
)
def test_each_worker_has_an_address_of_its_own(
    face: dict[str, object], listens: list[str], reached: list[str] | None
) -> None:
    """Sockets have the worker's number after their name, ports follow that of the section, advertised ones too."""
    workers = AuthorizationFace.model_validate({**face, "workers": 2}).worker_faces

    assert listens == [str(worker.listen) for worker in workers]
    assert (reached or listens) == [str(worker.reached_at) for worker in workers]


def test_by_default_there_is_no_worker() -> None:
    """The control plane decides itself."""
    assert AuthorizationFace.model_validate({"listen": "unix:/run/a.sock"}).worker_faces == ()


@pytest.mark.parametrize(
    ("face", "why"),
    [
        ({"listen": "127.0.0.1:65534", "workers": 2}, "65536"),
        ({"listen": f"unix:/{'x' * 105}", "workers": 1}, "longer than a Unix socket's path"),
        ({"listen": "unix:/a.sock", "workers": -1}, "greater than or equal to 0"),
        ({"listen": "unix:/a.sock", "workers": 257}, "less than or equal to 256"),
        ({"listen": "unix:/a.sock", "workers": True}, "valid integer"),
        ({"listen": "unix:/a.sock", "workers": "2"}, "valid integer"),
        ({"listen": "unix:/a.sock", "workers": 2.0}, "valid integer"),
        ({"listen": "unix:/a.sock", "workers": float("nan")}, "valid integer"),
        ({"listen": "unix:/a.sock", "workers": float("inf")}, "valid integer"),
        ({"listen": "unix:/a.sock", "workers": None}, "valid integer"),
    ],
)
def test_what_has_no_address_is_refused(face: dict[str, object], why: str) -> None:
    """Before anything listens."""
    with pytest.raises(ValidationError, match=why):
        AuthorizationFace.model_validate(face)


def test_a_worker_takes_nobodys_address(tmp_path: Path) -> None:
    """The sentence names both, and what to do."""
    path = settings_file(tmp_path, authorization={"listen": "127.0.0.1:18003", "workers": 2})

    with pytest.raises(
        SettingsError, match=r"discovery listens on 127.0.0.1:18005, and so would authorization's worker 2 of 2; choose"
    ):
        load(path)


def test_the_command_line_counts_for_more(tmp_path: Path) -> None:
    """A number given there takes the place of the file's, and is judged like it."""
    path = settings_file(tmp_path, authorization={"listen": "127.0.0.1:18001", "workers": 1})

    assert [load(path, workers=number).authorization.workers for number in (None, 0, 3)] == [1, 0, 3]
    with pytest.raises(SettingsError, match=r"worker 4 of 9"):
        load(path, workers=9)


def test_settings_arrive_at_a_worker_as_they_are(tmp_path: Path) -> None:
    """As JSON and back they are equal, and what was not set is still not set."""
    settings = load(settings_file(tmp_path))

    arrived = Settings.model_validate_json(settings.model_dump_json(by_alias=True, exclude_unset=True))

    assert settings == arrived
    assert settings.authorizers.model_fields_set == arrived.authorizers.model_fields_set
    assert (arrived.xds.max_connection_age, arrived.verdict_cache.ttl) == (timedelta(hours=1), timedelta(seconds=7))


@pytest.mark.parametrize("percent", [float("nan"), float("inf"), -0.1, 100.1, True, "50", None])
def test_a_share_that_is_none_is_refused(percent: object) -> None:
    """What is no number from 0 to 100 would let everything go, or nothing."""
    with pytest.raises(ValidationError, match="percent"):
        RemovalLimit.model_validate({"percent": percent})
