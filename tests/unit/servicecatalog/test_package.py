"""The package's own borders."""

import ast
from pathlib import Path

import pytest
import servicecatalog

FOLDER = Path(servicecatalog.__file__).parent
MODULES = {path.relative_to(FOLDER).as_posix(): path for path in sorted(FOLDER.rglob("*.py"))}
EDGES = ("handlers/", "server.py", "cli.py", "__main__.py", "feed.py")
IMPURE = {"aiohttp", "asyncio", "logging", "os", "random", "secrets", "socket", "ssl", "time", "uuid"}


def imported(path: Path) -> set[str]:
    """The top-level names a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


@pytest.mark.parametrize("name", MODULES)
def test_nothing_of_the_control_plane_is_used(name: str) -> None:
    """The demo server stands for other people's servers."""
    assert "controlplane" not in imported(MODULES[name])


@pytest.mark.parametrize("name", [name for name in MODULES if not name.startswith(EDGES)])
def test_everything_below_the_edges_is_pure(name: str) -> None:
    """No clock, randomness, network or log below the handlers and the server."""
    assert imported(MODULES[name]) & IMPURE == set()
