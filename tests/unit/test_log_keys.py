"""What the log says is what the page on it says."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from process import ROOT

PAGE = ROOT / "docs" / "observability.md"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
BINDING = {"bind", "bind_contextvars"}
# What structlog is told, and what it makes of it.
MADE = {"exc_info": "exception"}
EVERY_LINE = {"timestamp", "level", "logger", "event", "exception"}


@cache
def calls() -> list[tuple[Path, ast.Call, str]]:
    """Every call in the package that writes a line, or binds keys for lines to come, with what is called."""
    found = []
    for path in sorted((ROOT / "controlplane").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            name = node.func.attr
            if name in LEVELS | BINDING:
                receiver = ast.unparse(node.func.value)
                logs = receiver.rpartition(".")[2] in {"log", "_log"} or "get_logger" in receiver
                if logs or name == "bind_contextvars":
                    found.append((path, node, name))
    return found


def documented() -> set[str]:
    """The keys in the table of the section on logs."""
    section = PAGE.read_text().partition("\n## Logs\n")[2].partition("\n## ")[0]
    rows = (line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    return {key.strip(" `") for row in rows for key in row.split(",")}


def test_the_documented_keys_are_those_that_are_used() -> None:
    """No more and no less."""
    used = {MADE.get(str(word.arg), str(word.arg)) for _, call, _ in calls() for word in call.keywords}

    assert used | EVERY_LINE == documented()


def test_what_happens_is_a_constant() -> None:
    """So that it can be searched for and counted; whatever differs from one time to the next is in fields."""
    lines = [(path, call) for path, call, name in calls() if name in LEVELS]

    assert lines
    for path, call in lines:
        event = call.args[0]
        # The audit log's writer is told its events when it is made.
        assert isinstance(event, ast.Constant) or ast.unparse(event) == "self._event", f"{path}:{call.lineno}"
        assert len(call.args) == 1, f"{path}:{call.lineno}"
