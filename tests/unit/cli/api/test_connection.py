"""Which server a command calls, and as whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest
import yaml
from mtls import Mtls

from controlplane.cli.api.connection import Flags, Namespace, ServerError, chosen, context_names
from controlplane.cli.api.contexts import ContextError
from controlplane.configapi.client import Server
from controlplane.errors import IsthmusError
from controlplane.model.credentials import Secret

CONTEXTS = {
    "current-context": "dev",
    "contexts": [
        {"name": "dev", "server": "unix:/dev.sock", "namespace": "roses"},
        {"name": "prod", "server": "prod.example.com:443", "token-file": "token"},
    ],
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home directory with nothing in it, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def chooses(home: Path, environment: Mapping[str, str] | None = None, **flags: object) -> tuple[Server, Namespace]:
    """The server that is chosen."""
    return chosen(Flags(**flags), environment or {}, home)  # type: ignore[arg-type]


def with_contexts(home: Path) -> Path:
    """Writes a contexts file, and the token that is beside it."""
    folder = home / ".config" / "isthmus"
    folder.mkdir(parents=True)
    (folder / "contexts.yaml").write_text(yaml.safe_dump(CONTEXTS))
    (folder / "token").write_text("hush\n")
    return folder


def with_settings(home: Path, path: str, **config: object) -> Path:
    """Writes a settings file."""
    document: dict[str, object] = {
        "frontDoor": {"port": 1, "certificateFile": "c", "privateKeyFile": "k"},
        "frontProxy": {"certificateFile": "c", "privateKeyFile": "k"},
        "manifests": "m",
        "xds": {"listen": "unix:/x"},
        "authorization": {"listen": "unix:/a"},
        "discovery": {"listen": "unix:/d"},
    }
    if config:
        document |= {"config": config, "store": {"sqlite": {"path": "db"}}}
    place = home / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(yaml.safe_dump(document))
    return place


def test_the_more_explicit_wins(home: Path) -> None:
    """Flag, environment, current context, the settings file that lies here; and without all that the remedies."""
    with pytest.raises(ServerError, match=r"no server is named; .*--server.*--context.*use-context.*--config"):
        chooses(home)
    with_settings(home, ".isthmus/config.yaml", listen="unix:/here.sock")
    here, default = chooses(home)
    with_contexts(home)
    dev, roses = chooses(home)
    prod, _ = chooses(home, {"ISTHMUS_CONTEXT": "prod"})
    again, _ = chooses(home, {"ISTHMUS_CONTEXT": "prod"}, context="dev")
    there, _ = chooses(home, config=with_settings(home, "there.yaml", listen="unix:/there.sock"))
    named, plain = chooses(home, {"ISTHMUS_CONTEXT": "prod"}, server="unix:/named.sock")

    assert ["unix:/here.sock", "unix:/dev.sock", "prod.example.com:443", "unix:/dev.sock"] == [
        server.target for server in (here, dev, prod, again)
    ]
    assert ["unix:/there.sock", "unix:/named.sock"] == [there.target, named.target]
    assert [Namespace(), Namespace("roses"), Namespace()] == [default, roses, plain]


def test_what_is_shown_to_one_server_is_not_shown_to_another(home: Path) -> None:
    """The token of a context goes to its server alone."""
    with_contexts(home)
    prod, _ = chooses(home, {"ISTHMUS_CONTEXT": "prod"})
    other, _ = chooses(home, {"ISTHMUS_CONTEXT": "prod"}, server="other.example.com:443")

    assert Secret(b"hush") == prod.token
    assert None is other.token


def test_the_namespace_of_n_is_for_objects_to_keep(home: Path) -> None:
    """That of a context is for objects that say none."""
    with_contexts(home)

    assert Namespace("x", given=True) == chooses(home, namespace="x")[1]


def test_encryption_goes_by_the_address(home: Path, tmp_path: Path) -> None:
    """Other machines are spoken to with TLS, and whoever gives certificates speaks TLS."""
    Mtls(tmp_path)
    plain, _ = chooses(home, server="127.0.0.1:1")
    remote, _ = chooses(home, server="example.com:1")
    pair = {"client_certificate": tmp_path / "envoy.crt", "client_key": tmp_path / "envoy.key"}
    local, _ = chooses(home, server="127.0.0.1:1", certificate_authority=tmp_path / "planes-ca.crt", **pair)

    assert None is plain.tls
    assert remote.tls is not None
    assert (None, None, None) == (remote.tls.ca, remote.tls.certificate, remote.tls.server_name)
    assert local.tls is not None
    assert (tmp_path / "planes-ca.crt").read_bytes() == local.tls.ca
    assert (tmp_path / "envoy.crt").read_bytes() == local.tls.certificate
    assert Secret((tmp_path / "envoy.key").read_bytes()) == local.tls.key


def test_a_settings_file_says_how_its_face_is_reached(home: Path, tmp_path: Path) -> None:
    """Where it has TLS, with the name of its certificate; elsewhere without, because the settings say so."""
    mtls = Mtls(tmp_path)
    plain, _ = chooses(
        home, config=with_settings(home, "a.yaml", listen="0.0.0.0:1", advertise="10.0.0.1:2", allowPlaintext=True)
    )
    tls, _ = chooses(home, config=with_settings(home, "b.yaml", listen="127.0.0.1:1", tls=mtls.tls()))
    with pytest.raises(ServerError, match=r"has no config.listen"):
        chooses(home, config=with_settings(home, "c.yaml"))

    assert ("10.0.0.1:2", None) == (plain.target, plain.tls)
    assert tls.tls is not None
    assert (mtls.tls().get("serverName") or "127.0.0.1") == (tls.tls.server_name or "127.0.0.1")


def test_somebody_else_is_named_in_the_metadata(home: Path) -> None:
    """As the impersonation headers are."""
    server, _ = chooses(home, server="unix:/a", user="eve", uid="7", groups=("a", "b"))

    assert (
        ("impersonate-user", "eve"),
        ("impersonate-uid", "7"),
        ("impersonate-group", "a"),
        ("impersonate-group", "b"),
    ) == server.metadata


@pytest.mark.parametrize(
    "flags",
    [
        {"server": "unix:/a", "context": "a"},
        {"server": "unix:/a", "config": Path("a")},
        {"groups": ("a",)},
        {"uid": "a"},
    ],
)
def test_flags_that_contradict_one_another_are_refused(home: Path, flags: dict[str, object]) -> None:
    """Each names a server, or needs another flag."""
    with pytest.raises(click.UsageError):
        chooses(home, **flags)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"server": "nowhere"}, "--server: 'nowhere' is no address; write unix:/"),
        ({"server": "unix:/a", "certificate_authority": Path("good.crt")}, "is spoken to without encryption"),
        ({"server": "http://a:1", "tls_server_name": "a"}, "write https://a:1"),
        ({"server": "a:1", "certificate_authority": Path("missing")}, "missing cannot be read"),
        ({"server": "a:1", "certificate_authority": Path("bad")}, "bad holds no PEM certificate"),
        ({"server": "a:1", "client_key": Path("good.key")}, "belong together"),
        ({"server": "a:1", "client_certificate": Path("good.crt"), "client_key": Path("bad")}, "no PEM private key"),
        ({"server": "a:1", "token_file": Path("empty")}, "holds no bearer token"),
        ({"server": "a:1", "token_file": Path("two")}, "holds no bearer token"),
        ({"server": "http://a:1", "token_file": Path("token")}, "and a token is given"),
        ({"server": "a:1", "user": "Zoë"}, "must be of ASCII"),
    ],
)
def test_what_cannot_be_shown_is_said(home: Path, flags: dict[str, object], said: str) -> None:
    """Before anything is sent, with the file and the remedy; what a file holds is not in the sentence."""
    mtls = Mtls(home)
    certificate, key = mtls.clients.issue("a")
    for name, content in {
        "good.crt": certificate,
        "good.key": key,
        "bad": b"hunter2",
        "empty": b"\n",
        "token": b"hunter2",
    }.items():
        (home / name).write_bytes(content)
    (home / "two").write_text("hunter2\nhunter3")

    with pytest.raises(IsthmusError, match=said) as caught:
        chooses(home, **flags)
    assert "hunter" not in str(caught.value)
    assert 1 == caught.value.exit_code


def test_a_context_that_is_not_there_is_said(home: Path) -> None:
    """With those that are."""
    with_contexts(home)

    with pytest.raises(ContextError, match='"x" does not exist; there are: dev, prod'):
        chooses(home, context="x")


def test_the_shell_is_offered_the_contexts(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that begin so; none when the file is broken."""
    monkeypatch.setenv("ISTHMUSCONFIG", str(with_contexts(home) / "contexts.yaml"))
    nothing = click.Context(click.Command("x")), click.Option(["--context"])

    assert ["prod"] == context_names(*nothing, "p")
    assert ["dev", "prod"] == context_names(*nothing, "")
    (home / ".config" / "isthmus" / "contexts.yaml").write_text("[")
    assert [] == context_names(*nothing, "")
