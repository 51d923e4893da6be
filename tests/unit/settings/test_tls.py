"""Encryption in the settings: who is let in is written down, and what does not fit is said."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from controlplane.errors import SettingsError
from controlplane.settings.load import load
from controlplane.settings.settings import Settings

TLS = {
    "certificateFile": "plane.crt",
    "privateKeyFile": "plane.key",
    "clientCAFile": "ca.crt",
    "allowedNames": ["envoy.example.org"],
}
ENVOY = {
    "certificateFile": "/etc/envoy/tls.crt",
    "privateKeyFile": "/etc/envoy/tls.key",
    "caFile": "/etc/envoy/ca.crt",
    "resourcesDir": "/run/envoy",
}


def settings_of(folder: Path, **sections: object) -> Settings:
    """Good settings, with these sections instead of, or besides, what is there."""
    document = {
        "frontDoor": {"certificateFile": "serving.crt", "privateKeyFile": "serving.key"},
        "manifests": "manifests",
        **{name: {"listen": f"unix:/run/{name}.sock"} for name in ("xds", "authorization", "discovery")},
        **sections,
    }
    path = folder / "isthmus.yaml"
    path.write_text(yaml.safe_dump(document))
    return load(path)


def refusal_of(folder: Path, **sections: object) -> str:
    """What is said about settings with these sections."""
    with pytest.raises(SettingsError) as caught:
        settings_of(folder, **sections)
    return str(caught.value).removeprefix(f"{folder / 'isthmus.yaml'}: ")


def xds(tls: Mapping[str, object], **fields: object) -> dict[str, object]:
    """The xDS face on an address that other machines reach."""
    return {"listen": "10.0.0.1:18000", "tls": dict(tls), **fields}


def test_an_address_that_others_reach_is_good_with_tls(tmp_path: Path) -> None:
    """Files are relative to the settings file, and the certificate is for the host that Envoy connects to."""
    settings = settings_of(tmp_path, xds=xds(TLS, advertise="isthmus.example.org:18000"), envoy=ENVOY)

    assert settings.xds.tls is not None
    assert settings.xds.tls.certificate_file == tmp_path / "plane.crt"
    assert settings.xds.server_name == "isthmus.example.org"
    assert settings.authorization.server_name == ""


def test_the_certificate_may_have_another_name_than_the_host(tmp_path: Path) -> None:
    """Behind a load balancer the host is not the name in the certificate."""
    settings = settings_of(tmp_path, xds=xds({**TLS, "serverName": "isthmus"}), envoy=ENVOY)

    assert settings.xds.server_name == "isthmus"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"allowedNames": []}, "xds.tls.allowedNames: is empty, so that nobody could come in; name the subject"),
        ({"allowedNames": ["a b"]}, "xds.tls.allowedNames: 'a b' is no subject alternative name; write a DNS name"),
        ({"allowedNames": ["a.*.b"]}, "xds.tls.allowedNames: 'a.*.b' is no subject alternative name"),
        ({"allowedNames": ["spiffe://a/*"]}, "xds.tls.allowedNames: 'spiffe://a/*' is no subject alternative name"),
        ({"serverName": "*.a"}, "xds.tls.serverName: '*.a' is no DNS name or IP address"),
        ({"serverName": "spiffe://a"}, "xds.tls.serverName: 'spiffe://a' is no DNS name or IP address"),
    ],
)
def test_a_wrong_name_is_refused(change: Mapping[str, object], sentence: str, tmp_path: Path) -> None:
    """The sentence names the setting, its value and the remedy."""
    assert refusal_of(tmp_path, xds=xds({**TLS, **change}), envoy=ENVOY).startswith(sentence)


def test_allowed_names_must_be_written_down(tmp_path: Path) -> None:
    """Without them, any certificate of the authority would do."""
    tls = {name: value for name, value in TLS.items() if name != "allowedNames"}

    assert "xds.tls.allowedNames: Field required" == refusal_of(tmp_path, xds=xds(tls), envoy=ENVOY)


@pytest.mark.parametrize("names", [["*"], ["*.envoys.example.org"], ["spiffe://example.org/envoy", "envoy"]])
def test_every_documented_form_of_a_name_is_good(names: list[str], tmp_path: Path) -> None:
    """Any, one label, URIs and plain names."""
    settings = settings_of(tmp_path, xds=xds({**TLS, "allowedNames": names}), envoy=ENVOY)

    assert settings.xds.tls is not None
    assert settings.xds.tls.allowed_names == tuple(names)


def test_tls_does_not_go_with_a_unix_socket(tmp_path: Path) -> None:
    """No network reaches one."""
    sentence = refusal_of(tmp_path, xds={"listen": "unix:/run/xds.sock", "tls": TLS}, envoy=ENVOY)

    assert sentence.startswith(
        "xds: tls is set, and unix:/run/xds.sock is a Unix socket; remove tls, or write HOST:PORT"
    )


def test_tls_does_not_go_with_allow_plaintext(tmp_path: Path) -> None:
    """One of the two is not meant."""
    sentence = refusal_of(tmp_path, xds=xds(TLS, allowPlaintext=True), envoy=ENVOY)

    assert sentence.startswith("xds: tls and allowPlaintext are both set; keep one")


def test_envoy_must_have_something_to_show(tmp_path: Path) -> None:
    """A face that demands a certificate from Envoy needs the settings to say which."""
    sentence = refusal_of(tmp_path, authorization=xds(TLS))

    assert sentence.startswith("authorization.tls is set, and envoy is not; set envoy.certificateFile")


def test_envoy_shows_its_certificate_where_it_gets_its_configuration_or_nowhere(tmp_path: Path) -> None:
    """An Envoy without the files would refuse the clusters that need them."""
    sentence = refusal_of(tmp_path, authorization=xds(TLS), envoy=ENVOY)

    assert sentence.startswith("authorization.tls is set, and xds.tls is not; set xds.tls too, or remove authorization")


def test_faces_at_one_address_have_one_tls(tmp_path: Path) -> None:
    """One socket cannot both demand a certificate and not."""
    plain = {"listen": "127.0.0.1:18000"}
    sentence = refusal_of(tmp_path, xds={**plain, "tls": TLS}, authorization=plain, envoy=ENVOY)

    assert sentence.startswith("xds and authorization both listen on 127.0.0.1:18000 with different tls; make tls the")


def test_what_config_answers_by_rights_is_not_answered_beside_it_without(tmp_path: Path) -> None:
    """Both serve status and explanations, and at one address the face that asks for no right would be found first."""
    face = {"listen": "unix:/run/api.sock"}
    sentence = refusal_of(tmp_path, admin=face, config=face, store={"sqlite": {"path": "store.db"}})

    assert sentence.startswith("admin and config both listen on unix:/run/api.sock, where admin would answer whoever")


def test_limits_of_the_xds_face_have_defaults_for_two_thousand_envoys(tmp_path: Path) -> None:
    """A connection lives half an hour; a fleet that returns at once is let in within a second."""
    face = settings_of(tmp_path).xds

    assert (face.max_connection_age, face.max_streams, face.max_new_streams_per_second) == (
        timedelta(minutes=30),
        4000,
        1000,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1h", 3600), ("30m", 1800), ("90s", 90), ("1h30m", 5400), ("1h1m1s", 3661), ("0s", 0)],
)
def test_lengths_of_time_are_written_with_their_units(text: str, expected: int, tmp_path: Path) -> None:
    """Hours, minutes and seconds, in this order."""
    settings = settings_of(tmp_path, xds={"listen": "unix:/run/xds.sock", "maxConnectionAge": text})

    assert settings.xds.max_connection_age == timedelta(seconds=expected)


@pytest.mark.parametrize("value", ["", "30", 30, "m", "30 m", "1s1h", "-1s", "1.5h", None])
def test_another_length_of_time_is_refused(value: object, tmp_path: Path) -> None:
    """A number without a unit could be anything."""
    sentence = refusal_of(tmp_path, xds={"listen": "unix:/run/xds.sock", "maxConnectionAge": value})

    assert sentence.startswith(f"xds.maxConnectionAge: {value!r} is no length of time; write it in hours, minutes and")


@pytest.mark.parametrize("name", ["maxStreams", "maxNewStreamsPerSecond"])
def test_a_limit_of_nothing_is_refused(name: str, tmp_path: Path) -> None:
    """No Envoy could ever be served."""
    sentence = refusal_of(tmp_path, xds={"listen": "unix:/run/xds.sock", name: 0})

    assert sentence == f"xds.{name}: Input should be greater than or equal to 1 (it is 0)"
