"""What `isthmus up` refuses before it starts anything."""

import asyncio
import socket
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from controlplane.cli import envoy, main, ports, workspace
from controlplane.cli import up as up_module
from controlplane.cli.summary import Front
from controlplane.cli.supervise import Program, Supervisor, launch
from controlplane.cli.workspace import Workspace
from controlplane.errors import StartError
from controlplane.settings.address import Address


def up(directory: Path, *arguments: str) -> Result:
    """`isthmus up` in `directory` with a free port."""
    free = str(ports.free("127.0.0.1"))
    return CliRunner().invoke(main, ["up", "--directory", str(directory), "--port", free, *arguments])


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    """Nothing is made when the front door cannot be opened."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        result = up(tmp_path / "w", "--port", str(port))

    assert result.exit_code == 1
    assert result.stderr == f"127.0.0.1:{port} is taken; choose another with --port\n"
    assert not (tmp_path / "w" / "pki").exists()


def test_a_missing_envoy_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Envoy nothing is made, and the remedy is said."""

    def missing() -> str:
        raise StartError("no Envoy; install it")

    monkeypatch.setattr(envoy, "find", missing)
    result = up(tmp_path / "w")

    assert (result.exit_code, result.stderr) == (1, "no Envoy; install it\n")
    assert not (tmp_path / "w" / "pki").exists()


def test_a_broken_pki_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without its authorities names the first that is missing."""
    monkeypatch.setattr(envoy, "find", lambda: "envoy")
    monkeypatch.setattr(envoy, "version", lambda _program: "1.40.0")
    (tmp_path / "w" / "pki").mkdir(parents=True)
    result = up(tmp_path / "w")

    assert result.exit_code == 1
    assert result.stderr == (
        f"{tmp_path}/w/pki/client-ca.crt is missing; delete the folder {tmp_path}/w/pki and start again: "
        "every certificate in it is made anew\n"
    )


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    """Of whatever the operating system has against it."""
    (tmp_path / "file").touch()
    result = up(tmp_path / "file" / "w")

    assert result.exit_code == 1
    assert f"Not a directory; see to {tmp_path}/file/w, or choose another with --directory\n" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_folder_where_a_file_belongs_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the operating system refuses is said with the path it refused."""
    monkeypatch.setattr(envoy, "find", lambda: "envoy")
    monkeypatch.setattr(envoy, "version", lambda _program: "1.40.0")
    (tmp_path / "w" / "kubeconfig").mkdir(parents=True)
    result = up(tmp_path / "w")

    assert result.exit_code == 1
    assert f"Is a directory; see to {tmp_path}/w, or choose another with --directory\n" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--address", "here"), "'here' is no IP address; an example is 127.0.0.1"),
        (("--port", "0"), "0 is not in the range 1<=x<=65535"),
        (("--core-ca-file", "ca.crt"), "give --core as well"),
    ],
)
def test_a_wrong_option_is_a_usage_error(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    """What can be judged from the command line alone leaves no trace."""
    result = up(tmp_path / "w", *arguments)

    assert result.exit_code == 2
    assert sentence in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_core_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A core that is no HTTPS server is refused as the setting it becomes."""
    monkeypatch.setattr(envoy, "find", lambda: "envoy")
    monkeypatch.setattr(envoy, "version", lambda _program: "1.40.0")
    result = up(tmp_path / "w", "--core", "http://10.0.0.1")

    assert result.exit_code == 2
    assert result.stderr == (
        f"{tmp_path}/w/config.yaml: core.server: 'http://10.0.0.1' is not served over TLS; write https://HOST:PORT "
        "(it is 'http://10.0.0.1')\n"
    )


async def test_a_front_door_that_never_answers_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what the last answer was, which program is down, and where its log is."""

    async def first_answer(*_arguments: object, **_options: object) -> str:
        return "HTTP 503: no healthy upstream"

    monkeypatch.setattr(up_module, "_client", lambda: first_answer)
    program = Program("control plane", ("/bin/true",), tmp_path / "control-plane.log")
    supervisor = Supervisor(
        program,
        started=lambda _program, _pid: None,
        ended=lambda _sentence: None,
        launch=launch,
        clock=time.monotonic,
        sleep=asyncio.sleep,
    )
    front = Front(
        "https://127.0.0.1:8443", tmp_path, demo=True, kubectl=True, sample=None, isthmus="isthmus", config_api=None
    )
    plan = up_module.Plan(((program, "socket"),), program, Address(path="/socket"), "/version", front)

    with pytest.raises(StartError) as caught:
        await up_module._announce(plan, Workspace(tmp_path, tmp_path), [supervisor])

    assert str(caught.value) == (
        "no request through https://127.0.0.1:8443 succeeded within 60 s (HTTP 503: no healthy upstream); "
        f"control plane does not stay up, its log is {program.log}"
    )


@pytest.mark.parametrize(
    ("arguments", "option", "setting"),
    [
        (("--port", "9443"), "--port", "frontDoor.port"),
        (("--address", "127.0.0.2"), "--address", "frontDoor.address"),
        (("--core", "https://10.0.0.1"), "--core", "core"),
        (("--authz-workers", "0"), "--authz-workers", "authorization.workers"),
    ],
)
def test_an_option_that_changed_settings_would_ignore_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], option: str, setting: str
) -> None:
    """A settings file that a person has made theirs is not written to, and an option is not silently dropped."""
    text = mine(tmp_path)
    result = CliRunner().invoke(main, ["up", "--directory", str(tmp_path), *arguments])

    assert result.exit_code == 1
    assert result.stderr == (
        f"{tmp_path}/config.yaml was changed by hand and is left as it is, so {option} would do nothing; set {setting} "
        "there, or delete the file to have it written anew\n"
    )
    assert (tmp_path / "config.yaml").read_text() == text


def test_changed_settings_say_where_to_listen(tmp_path: Path) -> None:
    """The port in the file is the one that is tried, and the remedy is the file."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        mine(tmp_path, port)
        result = CliRunner().invoke(main, ["up", "--directory", str(tmp_path)])

    assert (result.exit_code, result.stderr) == (
        1,
        f"127.0.0.1:{port} is taken; choose another with frontDoor.port in {tmp_path}/config.yaml\n",
    )


def mine(folder: Path, port: int = 8443) -> str:
    """Puts settings there that nobody generated; returns their text."""
    document = workspace.settings_document(Workspace(folder, folder / "run"), "127.0.0.1", port, {})
    workspace.write_yaml(folder / "config.yaml", document, "Mine.")
    return (folder / "config.yaml").read_text()
