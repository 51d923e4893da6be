"""`isthmus delete`: objects go."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from config_api import Api, reference, rights, role, secret
from isthmus_command import isthmus

from controlplane.model.proxy import ProxyState
from controlplane.store.interface import Page, Scope

RBAC = "rbac.authorization.k8s.io"


async def delete(api: Api, *arguments: str, stdin: str = "") -> Result:
    """Runs `isthmus delete`."""
    return await isthmus(api.socket, "delete", *arguments, stdin=stdin)


async def left(api: Api, kinds: str = "clusterroles,clusterrolebindings,roles,secrets") -> list[str]:
    """What is there."""
    return (await isthmus(api.socket, "get", kinds, "-A", "-o", "name")).stdout.splitlines()


async def there_are(api: Api, *bodies: Mapping[str, Any]) -> None:
    """Makes objects."""
    for body in bodies:
        await api.apply(body)


async def test_objects_go_by_name(api: Api) -> None:
    """TYPE NAME and TYPE/NAME; kubectl's lines say from which namespace."""
    await there_are(api, role("a"), role("b"), role("c"), role("r", kind="Role"))
    names = await delete(api, "clusterroles", "a", "b")
    slashes = await delete(api, "clusterrole/c", "role/r")

    assert (0, [f'clusterrole.{RBAC} "a" deleted', f'clusterrole.{RBAC} "b" deleted'], "") == (
        names.exit_code,
        names.stdout.splitlines(),
        names.stderr,
    )
    assert [f'clusterrole.{RBAC} "c" deleted', f'role.{RBAC} "r" deleted from default namespace'] == (
        slashes.stdout.splitlines()
    )
    assert [] == await left(api)


async def test_what_is_missing_keeps_nothing_else_from_going(api: Api) -> None:
    """It is a failure, unless it is none."""
    await there_are(api, role("a"), role("b"))
    missing = await delete(api, "clusterrole", "a", "x", "b")
    ignored = await delete(api, "clusterrole", "a", "--ignore-not-found")

    assert 1 == missing.exit_code
    assert [f'clusterrole.{RBAC} "a" deleted', f'clusterrole.{RBAC} "b" deleted'] == missing.stdout.splitlines()
    assert f'Error from server (NotFound): clusterroles.{RBAC} "x" not found\n' == missing.stderr
    assert (0, "", "") == (ignored.exit_code, ignored.stdout, ignored.stderr)


async def test_objects_go_by_labels_and_all_together(api: Api) -> None:
    """Only those that are selected; when none is, that is said and no failure."""
    await there_are(api, role("a", labels={"app": "x"}), role("b"), secret("s", k="v"))
    await api.apply(secret("t", k="v") | {"metadata": {"name": "t", "namespace": "prod"}})
    labels = await delete(api, "clusterroles", "-l", "app=x")
    again = await delete(api, "clusterroles", "-l", "app=x")
    everything = await delete(api, "clusterroles,secrets", "--all", "-o", "name")
    rest = await left(api)
    everywhere = await delete(api, "secrets", "--all", "-A")

    assert [f'clusterrole.{RBAC} "a" deleted'] == labels.stdout.splitlines()
    assert (0, "", "No resources found\n") == (again.exit_code, again.stdout, again.stderr)
    assert [f"clusterrole.{RBAC}/b", "secret/s"] == everything.stdout.splitlines()
    assert ["secret/t"] == rest
    assert ['secret "t" deleted from prod namespace'] == everywhere.stdout.splitlines()


async def test_manifests_say_what_goes(api: Api, tmp_path: Path) -> None:
    """What leans on others goes first; a broken file keeps the rest from nothing."""
    binding, bound = rights("a", "alice", {"verbs": ["get"], "apiGroups": [""], "resources": ["x"]})
    await there_are(api, binding, bound, secret("s", k="v"))
    (tmp_path / "m.yaml").write_text(yaml.safe_dump_all([secret("s"), binding, bound, bound]))
    (tmp_path / "n.yaml").write_text("a: [")
    result = await delete(api, "-f", str(tmp_path / "m.yaml"), "-f", str(tmp_path / "n.yaml"))
    again = await delete(api, "-f", "-", stdin=json.dumps(binding))

    assert (
        1,
        [
            f'clusterrolebinding.{RBAC} "a" deleted',
            f'clusterrole.{RBAC} "a" deleted',
            'secret "s" deleted from default namespace',
        ],
    ) == (result.exit_code, result.stdout.splitlines())
    assert result.stderr.startswith(f"error: {tmp_path}/n.yaml, document 1: is not YAML")
    assert again.stderr.startswith("STDIN, document 1: Error from server (NotFound)")


async def test_a_dry_run_removes_nothing(api: Api) -> None:
    """And says so."""
    await there_are(api, role("a"))
    result = await delete(api, "clusterrole/a", "--dry-run", "--wait")

    assert (0, f'clusterrole.{RBAC} "a" deleted (server dry run)\n', "") == (
        result.exit_code,
        result.stdout,
        result.stderr,
    )
    assert [f"clusterrole.{RBAC}/a"] == await left(api)


async def test_what_has_finalizers_is_marked(api: Api) -> None:
    """It is there until somebody takes them off."""
    await there_are(api, role("a", finalizers=["example.com/x"]))
    result = await delete(api, "clusterrole", "a")

    assert (0, f'clusterrole.{RBAC} "a" marked for deletion, and kept while it has finalizers\n') == (
        result.exit_code,
        result.stdout,
    )
    assert [f"clusterrole.{RBAC}/a"] == await left(api)


async def test_a_wait_is_for_the_proxies(api: Api) -> None:
    """Whoever is late is named, and waited for once."""
    await there_are(api, role("a"), role("b"))
    nobody = await delete(api, "clusterrole", "a", "--wait")
    await there_are(api, role("a"))
    api.proxies.connected = {"envoy": ProxyState.SYNCED}
    late = await delete(api, "clusterrole", "a", "b", "--wait", "--timeout", "1s")

    assert (0, "no proxy is connected; whoever connects gets it\n") == (nobody.exit_code, nobody.stderr)
    assert (1, 2) == (late.exit_code, len(late.stdout.splitlines()))
    assert "timed out after 1s: envoy has not acknowledged yet" in late.stderr


async def test_who_may_not_is_told_so(api: Api, tmp_path: Path) -> None:
    """For each object; a list that is forbidden is one failure."""
    rule = {"verbs": ["delete"], "apiGroups": [""], "resources": ["secrets"]}
    await there_are(api, secret("s", k="v"), role("a"))
    for body in rights("remover", "alice", rule):
        done = await api.apply(body)
    await api.in_force(done.revision)
    (tmp_path / "token").write_text("t-alice")
    by_name = await delete(api, "secret/s", "clusterrole/a", "--token-file", str(tmp_path / "token"))
    by_list = await delete(api, "clusterroles", "--all", "--token-file", str(tmp_path / "token"))

    assert (1, 'secret "s" deleted from default namespace\n') == (by_name.exit_code, by_name.stdout)
    assert "Error from server (Forbidden)" in by_name.stderr
    assert (1, "", 1) == (by_list.exit_code, by_list.stdout, len(by_list.stderr.splitlines()))


async def test_an_object_that_took_the_place_of_a_listed_one_stays(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asked for that one to go."""
    await there_are(api, role("a"))
    listed = api.store.list

    async def then_replaced(scope: Scope, *, limit: int, **options: Any) -> Page:  # noqa: ANN401 -- those of `list`
        page = await listed(scope, limit=limit, **options)
        await api.call("Delete", reference=reference("ClusterRole", "a"))
        await api.apply(role("a"))
        return page

    monkeypatch.setattr(api.store, "list", then_replaced)
    result = await delete(api, "clusterroles", "--all")
    monkeypatch.undo()

    assert (1, "") == (result.exit_code, result.stdout)
    assert "Error from server (Conflict)" in result.stderr
    assert [f"clusterrole.{RBAC}/a"] == await left(api)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "by TYPE and NAME"),
        (("clusterrole", "a", "-f", "x"), "by TYPE and NAME"),
        (("-f", "x", "--all"), "by TYPE and NAME"),
        (("clusterroles", "--all", "-l", "a=b"), "--all and a selector"),
        (("clusterroles",), "error: kinds are given, and no name; give names, -l, or --all"),
        (("clusterroles", "a", "--all"), "error: names and --all are given"),
        (("clusterroles", "a", "-l", "a=b"), "error: a name and a selector are given"),
        (("roses", "a"), 'the server doesn\'t have a resource type "roses"'),
        (("-f", "nowhere"), 'error: the path "nowhere" does not exist'),
        (("-f", "/dev/null"), "error: no objects passed to delete"),
    ],
)
async def test_what_makes_no_sense_removes_nothing(api: Api, arguments: tuple[str, ...], said: str) -> None:
    """It is said in one sentence."""
    await there_are(api, role("a"))
    result = await delete(api, *arguments)

    assert result.exit_code in (1, 2)
    assert said in result.stderr
    assert [f"clusterrole.{RBAC}/a"] == await left(api)
