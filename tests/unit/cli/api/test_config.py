"""`isthmus config`: the contexts file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from controlplane.cli import main


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the contexts file is going to be."""
    path = tmp_path / "contexts.yaml"
    monkeypatch.setenv("ISTHMUSCONFIG", str(path))
    monkeypatch.chdir(tmp_path)
    return path


def config(*arguments: str) -> Result:
    """Runs `isthmus config`."""
    return CliRunner().invoke(main, ["config", *arguments])


def test_contexts_are_made_chosen_and_listed() -> None:
    """With kubectl's words."""
    made = config("set-context", "dev", "--server", "unix:/dev.sock", "-n", "roses")
    config("set-context", "prod", "--server", "https://prod.example.com:443")
    used = config("use-context", "prod")

    assert ('Context "dev" created.\n', 'Switched to context "prod".\n') == (made.stdout, used.stdout)
    assert "prod\n" == config("current-context").stdout
    assert [
        "CURRENT   NAME   SERVER                         NAMESPACE",
        "          dev    unix:/dev.sock                 roses",
        "*         prod   https://prod.example.com:443",
    ] == config("get-contexts").stdout.splitlines()
    assert "dev\nprod\n" == config("get-contexts", "-o", "name").stdout
    assert "dev" in config("get-contexts", "--no-headers", "dev").stdout
    assert "prod" not in config("get-contexts", "--no-headers", "dev").stdout


def test_only_what_is_given_is_changed(path: Path) -> None:
    """A value of nothing takes a setting away; files are named so that they are found from elsewhere."""
    config("set-context", "dev", "--server", "unix:/dev.sock", "--token-file", "token", "-n", "roses")
    config("use-context", "dev")
    changed = config("set-context", "--current", "--namespace", "", "--tls-server-name", "x")
    [context] = yaml.safe_load(path.read_text())["contexts"]

    assert 'Context "dev" modified.\n' == changed.stdout
    assert {
        "name": "dev",
        "server": "unix:/dev.sock",
        "tls-server-name": "x",
        "token-file": str(path.parent / "token"),
    } == context
    config("set-context", "dev", "--token-file", "")
    assert "token-file" not in path.read_text()


def test_a_context_is_removed(path: Path) -> None:
    """Whoever removes the current one is told to choose another."""
    for name in ("a", "b"):
        config("set-context", name, "--server", "unix:/x")
    config("use-context", "a")
    other, current = config("delete-context", "b"), config("delete-context", "a")

    assert (f"deleted context b from {path}\n", "") == (other.stdout, other.stderr)
    assert "use-context" in current.stderr
    assert 1 == config("current-context").exit_code
    assert "CURRENT   NAME   SERVER   NAMESPACE\n" == config("get-contexts").stdout


def test_the_file_is_shown_as_it_is_understood() -> None:
    """It is YAML that may be a contexts file."""
    config("set-context", "a", "--server", "unix:/x")

    assert {"current-context": "", "contexts": [{"name": "a", "server": "unix:/x"}]} == yaml.safe_load(
        config("view").stdout
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("current-context",), 1, "current-context is not set"),
        (("use-context", "x"), 1, 'context "x" does not exist; there are: none'),
        (("delete-context", "x"), 1, "does not exist"),
        (("get-contexts", "x"), 1, "does not exist"),
        (("set-context", "--current", "-n", "x"), 1, 'context "" does not exist'),
        (("set-context",), 2, "Give the name of a context, or --current."),
        (("set-context", "x", "-n", "y"), 1, 'error: context "x".server: Field required'),
        (("set-context", "x", "-s", "y"), 1, "'y' is no address"),
        (("set-context", "x", "-s", "unix:/x", "--client-key", "k"), 1, "belong together"),
    ],
)
def test_what_cannot_be_done_is_said(path: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    """In one sentence, and no file is written."""
    result = config(*arguments)

    assert code == result.exit_code
    assert said in result.stderr
    assert not path.exists()
