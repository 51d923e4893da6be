"""`isthmus diff`: what apply would change."""

from __future__ import annotations

from pathlib import Path

import yaml
from click.testing import Result
from config_api import Api, role, secret
from isthmus_command import isthmus


async def diff(api: Api, *bodies: object, options: tuple[str, ...] = ()) -> Result:
    """Runs `isthmus diff` for these objects."""
    return await isthmus(api.socket, "diff", "-f", "-", *options, stdin=yaml.safe_dump_all(bodies))


async def test_nothing_that_would_change_is_success(api: Api) -> None:
    """Exit code 0, and not a word."""
    body = role("a")
    await isthmus(api.socket, "apply", "-f", "-", stdin=yaml.safe_dump(body))
    result = await diff(api, body)

    assert (0, "", "") == (result.exit_code, result.stdout, result.stderr)


async def test_differences_are_told_and_not_made(api: Api) -> None:
    """Exit code 1; afterwards they are still there."""
    await isthmus(api.socket, "apply", "-f", "-", stdin=yaml.safe_dump(role("a", "get")))
    for _ in range(2):
        result = await diff(api, role("a", "list"), secret("new", k="hunter2"))
        changes = [line for line in result.stdout.splitlines() if line[0] in "+-"]

        assert (1, "") == (result.exit_code, result.stderr)
        assert [
            "--- LIVE/v1.Secret.default.new",
            "+++ MERGED/v1.Secret.default.new",
            "+apiVersion: v1",
            "+data:",
            "+  k: '*** 7 bytes'",
            "+kind: Secret",
            "+metadata:",
            "+  name: new",
            "+  namespace: default",
            "+type: Opaque",
            "--- LIVE/rbac.authorization.k8s.io.v1.ClusterRole..a",
            "+++ MERGED/rbac.authorization.k8s.io.v1.ClusterRole..a",
            "-  - get",
            "+  - list",
        ] == changes


async def test_a_secret_that_would_change_is_told_without_what_it_holds(api: Api) -> None:
    """Also when it is no longer than before."""
    await isthmus(api.socket, "apply", "-f", "-", stdin=yaml.safe_dump(secret("s", k="hunter2")))
    same = await diff(api, secret("s", k="hunter2"))
    other = await diff(api, secret("s", k="hunter3"))

    assert (0, "") == (same.exit_code, same.stdout)
    assert 1 == other.exit_code
    assert "-  k: '*** 7 bytes (before)'" in other.stdout
    assert "+  k: '*** 7 bytes (after)'" in other.stdout


async def test_what_cannot_be_known_is_no_difference(api: Api, tmp_path: Path) -> None:
    """Exit code 2, whatever else differs: a conflict, an object that is wrong, a file, a server, a flag."""
    await api.apply(role("a", "get"))
    bad = role("bad")
    bad["rules"][0]["verbs"] = []
    conflict = await diff(api, role("a", "list"), role("b"), bad)
    forced = await diff(api, role("a", "list"), options=("--force-conflicts",))
    broken = await diff(api, "no object", role("b"))
    missing = await isthmus(api.socket, "diff", "-f", str(tmp_path / "x"))
    gone = await isthmus(tmp_path / "x.sock", "diff", "-f", "-", stdin=yaml.safe_dump(role("b")))
    wrong = await diff(api, role("b"), options=("--context", "x"))

    assert [2, 1, 2, 2, 2, 2] == [result.exit_code for result in (conflict, forced, broken, missing, gone, wrong)]
    assert "STDIN, document 1: Error from server (Conflict)" in conflict.stderr
    assert 'STDIN, document 3: The ClusterRole "bad" is invalid' in conflict.stderr
    assert "+++ MERGED/rbac.authorization.k8s.io.v1.ClusterRole..b" in conflict.stdout
    assert "+  - list" in forced.stdout
    assert "STDIN, document 1: is not a mapping" in broken.stderr
