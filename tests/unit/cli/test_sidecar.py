"""`isthmus sidecar`: what is refused before anything is started."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pki import CertificateAuthority

from controlplane.cli import main


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """Options that would do, beside a server."""
    pair = CertificateAuthority("ca").issue("serving", client=False)
    for name, content in zip(("tls.crt", "tls.key"), pair, strict=True):
        (tmp_path / name).write_bytes(content)
    files = [f"--certificate-file={tmp_path / 'tls.crt'}", f"--private-key-file={tmp_path / 'tls.key'}"]
    return ["--upstream=127.0.0.1:1", "--group=example.com", "--version=v1", *files]


def run(folder: Path, *options: str) -> Result:
    """The command with these options."""
    return CliRunner().invoke(main, ["sidecar", f"--directory={folder / 'w'}", *options])


def test_a_server_that_others_reach_is_refused(tmp_path: Path, options: list[str]) -> None:
    """With the sentence of the setting; the option that allows it is there."""
    result = run(tmp_path, *options, "--upstream=10.0.0.1:8080")

    assert result.exit_code == 2
    assert result.stderr.startswith("isthmus sidecar: sidecar.server: upstream is 10.0.0.1:8080, where whoever reaches")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (["--group=example.com", "--upstream=127.0.0.1:1"], "--group and --version need one another"),
        (["--upstream=127.0.0.1:1", "--server=https://a"], "give one of them"),
        (["--upstream=127.0.0.1:1", "--api=a/v1", "--listen=unix:/run/a"], "clients come to a server over TLS"),
        (["--listen=8443"], "'8443' is no address"),
        ([], "frontDoor is not set"),
    ],
)
def test_options_that_do_not_fit_are_said(wrong: list[str], sentence: str, tmp_path: Path) -> None:
    """One sentence, exit code 2."""
    result = run(tmp_path, *wrong)

    assert result.exit_code == 2
    assert sentence in result.stderr


def test_settings_without_a_sidecar_are_refused(tmp_path: Path) -> None:
    """It must be said what it is beside."""
    config = tmp_path / "isthmus.yaml"
    config.write_text("frontDoor: {certificateFile: a, privateKeyFile: b}\n")

    result = run(tmp_path, f"--config={config}")

    assert (result.exit_code, "beside what?" in result.stderr) == (2, True)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, options: list[str]) -> None:
    """Of whatever the operating system has against it."""
    (tmp_path / "file").touch()
    result = run(tmp_path / "file", *options)

    assert result.exit_code == 1
    assert f"Not a directory; see to {tmp_path}/file/w, or choose another with --directory\n" in result.stderr


def test_a_port_that_is_taken_is_said(tmp_path: Path, options: list[str]) -> None:
    """Before Envoy finds it out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"

        result = run(tmp_path, *options, f"--listen={listen}")

    assert (result.exit_code, result.stderr.splitlines()) == (
        1,
        [f"{listen} cannot be listened on; choose another with --listen, or end what listens there"],
    )
