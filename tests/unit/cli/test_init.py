"""The command `isthmus` itself."""

import gc
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from controlplane import __version__
from controlplane.cli import main
from controlplane.errors import SettingsError, StartError

SERVER_VERBS = ("up", "serve", "prepare", "bootstrap", "status", "proxies", "explain", "confirm-removals", "validate")
API_VERBS = ("apply", "diff", "delete", "get", "describe", "watch", "config", "completion")
VERBS = SERVER_VERBS + API_VERBS


def running(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> CliRunner:
    """A runner for which every verb raises `error`."""

    @click.command()
    def command() -> None:
        raise error

    monkeypatch.setattr(main, "get_command", lambda _context, _name: command)
    return CliRunner()


def test_help_lists_every_verb_and_loads_none() -> None:
    """Help is quick because it imports neither the settings nor Envoy's messages."""
    code = (
        "import sys\nfrom controlplane.cli import main\n"
        "try:\n    main(['--help'])\nfinally:\n"
        "    print(sorted({'pydantic', 'grpc', 'envoy_data_plane', 'kubernetes'} & set(sys.modules)))\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert answer.stdout.splitlines()[-1] == "[]"
    for verb in VERBS:
        assert f"\n  {verb} " in answer.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    """Each verb that is listed exists."""
    result = CliRunner().invoke(main, [verb, "--help"])

    assert result.exit_code == 0
    assert f"Usage: main {verb} " in result.stdout


def test_an_unknown_verb_is_said() -> None:
    """A verb that does not exist is a usage error."""
    result = CliRunner().invoke(main, ["fly"])

    assert result.exit_code == 2
    assert "No such command 'fly'" in result.stderr


def test_the_version_is_printed() -> None:
    """--version names the program and its version."""
    assert CliRunner().invoke(main, ["--version"]).stdout == f"isthmus, version {__version__}\n"


@pytest.mark.parametrize(("error", "code"), [(StartError("no Envoy"), 1), (SettingsError("no Envoy"), 2)])
def test_a_reason_to_stop_is_its_sentence_and_its_code(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    """One line on stderr, nothing else, and the exit code of the exception's class."""
    result = running(monkeypatch, error).invoke(main, ["x"])

    assert (result.exit_code, result.stderr, result.stdout) == (code, "no Envoy\n", "")


def test_a_reason_inside_a_group_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks that stop together raise a group; a person reads the sentences in it."""
    group = ExceptionGroup("tasks", [ExceptionGroup("more", [StartError("no Envoy")]), SettingsError("no port")])

    result = running(monkeypatch, group).invoke(main, ["x"])

    assert (result.exit_code, result.stderr) == (2, "no Envoy\nno port\n")


def test_anything_else_is_an_internal_error_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of ours is one line, too, and says how to see more."""
    result = running(monkeypatch, KeyError("x")).invoke(main, ["x"])

    assert result.exit_code == 1
    assert result.stderr == (
        "internal error: KeyError: 'x'; please report it, with what ISTHMUS_TRACEBACK=1 in the environment adds\n"
    )


def test_the_traceback_is_there_for_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """ISTHMUS_TRACEBACK lets the exception through."""
    monkeypatch.setenv("ISTHMUS_TRACEBACK", "1")

    result = running(monkeypatch, KeyError("x")).invoke(main, ["x"])

    assert isinstance(result.exception, KeyError)


def test_an_interrupt_has_the_shells_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends with 128 + SIGINT and says nothing."""
    result = running(monkeypatch, KeyboardInterrupt()).invoke(main, ["x"])

    assert (result.exit_code, result.stderr) == (130, "")


def test_garbage_is_collected_once_a_verb_is_loaded() -> None:
    """Collection is off only while the verb's module is imported, also when there is none such."""
    group = click.Context(main)
    before = main.get_command(group, "nonsense"), gc.isenabled()
    loaded = main.get_command(group, "validate"), gc.isenabled()

    assert before == (None, True)
    assert loaded[0] is not None
    assert loaded[1]
