from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator

import pytest
import structlog

from controlplane import telemetry
from controlplane.errors import SettingsError
from controlplane.model.credentials import Secret


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Sets structlog and logging up as they were."""
    configuration, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    structlog.configure(**configuration)
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """The lines on stderr, each of them an object."""
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_every_line_is_an_object_with_the_same_keys(capsys: pytest.CaptureFixture[str]) -> None:
    """When, how grave, which part, what; and what it is about."""
    telemetry.configure("debug", "json")
    structlog.get_logger("auth").debug("first", audit_id="a-1")
    structlog.stdlib.get_logger("controlplane.faces.rpc").warning("second\nof two", peer=b"\xff")

    found = lines(capsys)

    assert all(str(line.pop("timestamp")).endswith("Z") for line in found)
    assert [
        {"level": "debug", "logger": "auth", "event": "first", "audit_id": "a-1"},
        {"level": "warning", "logger": "faces", "event": "second\nof two", "peer": "b'\\xff'"},
    ] == found


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor is anything of a library's below a warning, at any level."""
    telemetry.configure("warning", "json")
    structlog.get_logger("auth").info("first")
    telemetry.configure("debug", "json")
    logging.getLogger("aiohttp.client").debug("sent Bearer s3cr3t")

    assert [] == lines(capsys)


def test_libraries_and_warnings_are_in_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    """A traceback is one field of one line."""
    telemetry.configure("info", "json")
    try:
        int("many")
    except ValueError:
        logging.getLogger("grpc").exception("a call failed: %s", "why")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("careful", stacklevel=1)

    first, second = lines(capsys)
    assert ("grpc", "error", "a call failed: why") == (first["logger"], first["level"], first["event"])
    assert str(first["exception"]).endswith("base 10: 'many'")
    assert ("py.warnings", "warning") == (second["logger"], second["level"])


def test_a_secret_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever logs one by mistake logs that it is one."""
    telemetry.configure("debug", "json")
    structlog.get_logger("auth").info("mistake", key=Secret(b"s3cr3t"))

    assert "s3cr3t" not in capsys.readouterr().err


def test_what_ends_the_program_is_a_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON, with the exit code that it carries; a defect has its traceback."""
    telemetry.configure("error", "json")
    with pytest.raises(SystemExit) as expected, telemetry.last_words():
        raise SettingsError("set it otherwise")
    with pytest.raises(SystemExit) as defect, telemetry.last_words():
        raise RuntimeError("inner workings")

    first, second = lines(capsys)
    assert (2, 1) == (expected.value.code, defect.value.code)
    assert ("ended", "set it otherwise", None) == (first["event"], first["reason"], first.get("exception"))
    assert str(second["exception"]).endswith("RuntimeError: inner workings")


def test_people_are_told_by_the_command_line() -> None:
    """As text, what ends the program is passed on."""
    telemetry.configure("error", "text")
    with pytest.raises(SettingsError), telemetry.last_words():
        raise SettingsError("set it otherwise")
