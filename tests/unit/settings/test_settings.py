"""Settings: every complaint names the setting, its value and the remedy."""

from pathlib import Path

import pytest

from controlplane.errors import SettingsError
from controlplane.settings.address import Address
from controlplane.settings.load import load
from controlplane.settings.settings import Settings

GOOD = """
frontDoor: {certificateFile: pki/serving.crt, privateKeyFile: pki/serving.key}
manifests: manifests
xds: {listen: "unix:/run/xds.sock"}
authorization: {listen: "127.0.0.1:18001"}
discovery: {listen: "[::1]:18002"}
"""


def settings_of(text: str, folder: Path) -> Settings:
    """The settings in that text."""
    path = folder / "isthmus.yaml"
    path.write_text(text)
    return load(path)


def test_relative_paths_are_taken_from_the_files_folder(tmp_path: Path) -> None:
    """A settings file works from any working directory."""
    settings = settings_of(GOOD, tmp_path)

    assert tmp_path / "manifests" == settings.manifests
    assert tmp_path / "pki/serving.crt" == settings.front_door.certificate_file


def test_the_defaults_are_those_of_kube_apiserver_where_it_has_any(tmp_path: Path) -> None:
    """Anonymous requests are authenticated as such, Services are found by their cluster DNS name."""
    settings = settings_of(GOOD, tmp_path)

    assert settings.authentication.anonymous
    assert settings.dns.template == "{name}.{namespace}.svc"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("manifests: manifests", "manifest: x"), "manifests: Field required"),
        (("unix:/run/xds.sock", "unix:run/xds.sock"), "xds.listen: 'unix:run/xds.sock' is not an absolute path"),
        (("unix:/run/xds.sock", "unix:/" + "x" * 107), "is longer than a Unix socket's path can be (107 bytes)"),
        (
            ("127.0.0.1:18001", "127.0.0.1"),
            "authorization.listen: '127.0.0.1' is no address; write unix:/path.sock or HOST",
        ),
        (
            ("127.0.0.1:18001", "10.0.0.1:1"),
            "authorization: listen is 10.0.0.1:1, which other machines reach without encryp",
        ),
        (
            ("manifests: manifests", "manifests: m\ndns: {template: '{pod}'}"),
            "dns.template: '{pod}' has a placeholder other",
        ),
        (
            ("manifests: manifests", "manifests: m\ndns: {template: 'A_B'}"),
            "dns.template: 'A_B' does not make a DNS name",
        ),
        (
            ("manifests: manifests", "manifests: m\ncore: {server: 'http://a:1'}"),
            "core.server: 'http://a:1' is not served",
        ),
        (
            ("manifests: manifests", "manifests: m\ncore: {server: 'https://a/b'}"),
            "core.server: 'https://a/b' has a path",
        ),
        (
            (
                "manifests: manifests",
                "manifests: m\ncore: {server: 'https://a', caFile: x, insecureSkipTLSVerify: true}",
            ),
            "core: caFile and insecureSkipTLSVerify are both set; keep one",
        ),
        (("manifests: manifests", "manifests: m\nport: 1"), "port: Extra inputs are not permitted (it is 1)"),
        (
            ("frontDoor: {", "frontDoor: {port: 0, "),
            "frontDoor.port: Input should be greater than or equal to 1 (it is 0)",
        ),
        (
            ("frontDoor: {", "frontDoor: {address: nine, "),
            "frontDoor.address: 'nine' does not appear to be an IPv4 or IPv6",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(change: tuple[str, str], sentence: str, tmp_path: Path) -> None:
    """The sentence names the file, the setting, what is wrong and what would be right."""
    with pytest.raises(SettingsError) as caught:
        settings_of(GOOD.replace(*change), tmp_path)

    assert sentence in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path))


def test_every_wrong_setting_is_told_at_once(tmp_path: Path) -> None:
    """Two mistakes make two lines."""
    with pytest.raises(SettingsError) as caught:
        settings_of(GOOD.replace("manifests: manifests", "x: 1"), tmp_path)

    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("text", ["", "just words", "a: [", "\x00", "a: 2001-99-99", "[\n" * 5_000])
def test_a_file_without_settings_says_so(text: str, tmp_path: Path) -> None:
    """Empty files, other YAML and no YAML at all are one sentence each."""
    with pytest.raises(SettingsError) as caught:
        settings_of(text, tmp_path)

    assert len(str(caught.value).splitlines()) == 1


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    """The operating system's reason is in the sentence."""
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path / "nope.yaml")


@pytest.mark.parametrize(
    ("text", "loopback", "numeric"),
    [
        ("unix:/run/x.sock", True, True),
        ("127.0.0.1:1", True, True),
        ("[::1]:1", True, True),
        ("localhost:1", True, False),
        ("10.0.0.1:1", False, True),
        ("isthmus:18000", False, False),
    ],
)
def test_addresses_know_who_reaches_them(text: str, loopback: bool, numeric: bool) -> None:
    """Loopback needs no encryption; numeric needs no resolver; text comes back as it was written."""
    address = Address.parse(text)

    assert (loopback, numeric) == (address.loopback, address.numeric)
    assert text == str(address)


def test_a_face_can_be_reached_elsewhere_than_it_listens(tmp_path: Path) -> None:
    """Behind a container network the advertised address is what Envoy connects to."""
    text = GOOD.replace(
        'discovery: {listen: "[::1]:18002"}',
        'discovery: {listen: "0.0.0.0:18002", advertise: "isthmus:18002", allowPlaintext: true}',
    )

    assert str(settings_of(text, tmp_path).discovery.reached_at) == "isthmus:18002"


def test_a_config_api_needs_a_store(tmp_path: Path) -> None:
    """What clients write has to be kept somewhere."""
    text = f'{GOOD}config: {{listen: "unix:/run/config.sock"}}\n'
    with pytest.raises(SettingsError, match="config is set, and store is not; set store"):
        settings_of(text, tmp_path)
    settings = settings_of(f"{text}store: {{sqlite: {{path: isthmus.db}}}}", tmp_path)

    assert tmp_path / "isthmus.db" == settings.store.sqlite.path
