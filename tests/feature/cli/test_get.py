"""`isthmus get`: what there is, as kubectl shows it."""

from __future__ import annotations

import asyncio
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from config_api import Api, rights, role, secret
from isthmus_command import PATIENCE, command, isthmus

API_SERVICE = {
    "apiVersion": "apiregistration.k8s.io/v1",
    "kind": "APIService",
    "metadata": {"name": "v1.garden.io", "labels": {"app": "roses"}},
    "spec": {
        "group": "garden.io",
        "version": "v1",
        "groupPriorityMinimum": 1000,
        "versionPriority": 15,
        "insecureSkipTLSVerify": True,
        "service": {"namespace": "default", "name": "roses"},
    },
}


async def get(api: Api, *arguments: str, token: str = "") -> Result:
    """Runs `isthmus get`."""
    if token:
        file = api.folder.parent / "token"
        file.write_text(token)
        arguments = (*arguments, "--token-file", str(file))
    return await isthmus(api.socket, "get", *arguments)


def service(name: str, namespace: str = "default", **labels: str) -> dict[str, Any]:
    """A Service without ports."""
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"clusterIP": "None"}}


async def many(api: Api, number: int) -> None:
    """So many ClusterRoles."""
    for first in range(0, number, 100):
        texts = [json.dumps(role(f"r{index:04}")) for index in range(first, min(first + 100, number))]
        await api.call("BatchApply", json=texts, options={"field_manager": "test"})


async def test_a_table_has_a_row_an_object(api: Api) -> None:
    """With the columns of kubectl; several kinds are several tables."""
    await api.apply(API_SERVICE)
    await api.apply(service("roses"))
    one = await get(api, "apiservices")
    both = await get(api, "apiservices,svc")

    assert [["NAME", "SERVICE", "AVAILABLE", "AGE"], ["v1.garden.io", "default/roses"]] == [
        line.split()[: 4 - 2 * number] for number, line in enumerate(one.stdout.splitlines())
    ]
    assert ["NAME", "apiservice.apiregistration.k8s.io/v1.garden.io", "", "NAME", "service/roses"] == [
        line.partition(" ")[0] for line in both.stdout.splitlines()
    ]
    assert (0, "", 0, "") == (one.exit_code, one.stderr, both.exit_code, both.stderr)


async def test_all_pages_are_shown(api: Api) -> None:
    """However many objects there are, and however many come at a time."""
    await many(api, 1001)
    names = [f"clusterrole.rbac.authorization.k8s.io/r{index:04}" for index in range(1001)]
    for size in ("500", "100", "0"):
        result = await get(api, "clusterroles", "-o", "name", "--chunk-size", size)

        assert names == result.stdout.splitlines(), size


async def test_selectors_choose(api: Api) -> None:
    """Labels, fields, namespaces, names."""
    for body in (service("a", x="1"), service("b", x="2"), service("c", "prod", x="1")):
        await api.apply(body)

    async def names(*arguments: str) -> list[str]:
        result = await get(api, "svc", "-o", "name", *arguments)
        assert (0, "") == (result.exit_code, result.stderr)
        return [line.removeprefix("service/") for line in result.stdout.splitlines()]

    assert ["a", "b"] == await names()
    assert ["c"] == await names("-n", "prod")
    assert ["a", "b", "c"] == await names("-A")
    assert ["a", "c"] == await names("-A", "-l", "x in (1,3)")
    assert ["b"] == await names("--field-selector", "metadata.name=b")
    assert ["b", "a"] == await names("b", "a")


async def test_all_namespaces_say_which(api: Api) -> None:
    """In a first column; labels are the last."""
    await api.apply(service("a", x="1", y="2"))
    await api.apply(service("c", "prod"))
    result = await get(api, "svc", "-A", "--show-labels", "-L", "x,y")
    plain = await get(api, "svc", "--no-headers")
    rows = [line.split() for line in result.stdout.splitlines()]

    assert ["NAMESPACE", "NAME"] == rows[0][:2]
    assert ["X", "Y", "LABELS"] == rows[0][-3:]
    assert ["default", "a", "1", "2", "x=1,y=2"] == [*rows[1][:2], *rows[1][-3:]]
    assert ["prod", "c", "<none>"] == [*rows[2][:2], rows[2][-1]]
    assert ["a"] == [line.split()[0] for line in plain.stdout.splitlines()]


@pytest.mark.parametrize(("output", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
async def test_what_is_printed_can_be_applied(output: str, read: Any, api: Api) -> None:  # noqa: ANN401 - two readers
    """An object that is printed and applied is what it was; a list holds such objects."""
    await api.apply(role("a"))
    await api.apply(API_SERVICE)
    alone = await get(api, "clusterrole/a", "-o", output)
    listed = await get(api, "clusterroles,apiservices", "-o", output)
    managed = await get(api, "clusterrole", "a", "-o", output, "--show-managed-fields")
    objects = [read(alone.stdout), *read(listed.stdout)["items"]]
    for body in objects:
        await api.apply(body)
    again = await get(api, "clusterroles,apiservices", "-o", output)

    assert [body.get("rules", body.get("spec")) for body in objects[1:]] == [
        body.get("rules", body.get("spec")) for body in read(again.stdout)["items"]
    ]
    assert ["ClusterRole", "ClusterRole", "APIService"] == [body["kind"] for body in objects]
    assert "test" == read(managed.stdout)["metadata"]["managedFields"][0]["manager"]
    assert "managedFields" not in alone.stdout + listed.stdout


async def test_what_a_secret_holds_is_not_shown(api: Api) -> None:
    """In no form; its table says how many entries it has."""
    await api.apply(secret("s", password="hunter2", user="ann"))
    results = [await get(api, "secrets", *form) for form in ([], ["-o", "wide"], ["-o", "yaml"], ["-o", "json"])]
    shown = "".join(result.stdout for result in results)

    assert ["s", "Opaque", "2"] == results[0].stdout.splitlines()[1].split()[:3]
    assert "hunter2" not in shown
    assert "aHVudGVyMg" not in shown


async def test_what_is_missing_is_said(api: Api) -> None:
    """After what there is; the exit code is 1, unless that is no failure."""
    await api.apply(service("a"))
    missing = 'Error from server (NotFound): services "x" not found\n'
    some = await get(api, "svc", "x", "a", "-o", "name")
    none = await get(api, "svc/x")
    documents = await get(api, "svc/x", "-o", "yaml")
    ignored = await get(api, "svc", "x", "a", "-o", "name", "--ignore-not-found")
    nothing = await get(api, "svc/x", "--ignore-not-found", "-o", "json")

    assert (1, "service/a\n", missing) == (some.exit_code, some.stdout, some.stderr)
    assert (1, "", missing) == (none.exit_code, none.stdout, none.stderr)
    assert (1, "", missing) == (documents.exit_code, documents.stdout, documents.stderr)
    assert (0, "service/a\n", "") == (ignored.exit_code, ignored.stdout, ignored.stderr)
    assert (0, "", "") == (nothing.exit_code, nothing.stdout, nothing.stderr)


async def test_nothing_is_said_in_words(api: Api) -> None:
    """On stderr, and it is no failure; for programs it is an empty list."""
    table = await get(api, "svc", "-n", "prod")
    wide = await get(api, "apiservices", "-o", "wide")
    names = await get(api, "svc", "-o", "name")
    listed = await get(api, "svc", "-o", "json")

    assert (0, "", "No resources found in prod namespace.\n") == (table.exit_code, table.stdout, table.stderr)
    assert (0, "", "No resources found\n") == (wide.exit_code, wide.stdout, wide.stderr)
    assert (0, "", "") == (names.exit_code, names.stdout, names.stderr)
    assert [] == json.loads(listed.stdout)["items"]


async def test_what_is_forbidden_is_said(api: Api) -> None:
    """And what is not is shown."""
    rule = {"verbs": ["list"], "apiGroups": [""], "resources": ["services"]}
    for body in (*rights("lister", "alice", rule), service("a")):
        done = await api.apply(body)
    await api.in_force(done.revision)
    result = await get(api, "secrets,svc", "-o", "name", token="t-alice")
    nothing = await get(api, "secrets", token="t-alice")

    assert (1, "service/a\n") == (result.exit_code, result.stdout)
    assert result.stderr == nothing.stderr
    assert result.stderr.startswith('Error from server (Forbidden): secrets is forbidden: User "alice" cannot list')
    assert 1 == len(result.stderr.splitlines())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["pods"], 'error: the server doesn\'t have a resource type "pods"; there are apiservices, '),
        ([], "error: say what kind of object is meant; there are apiservices, "),
        (["svc", "-l", "a=b=c"], "Error from server (BadRequest): "),
        (["svc", "--field-selector", "spec.color=red"], "Error from server (BadRequest): "),
        (["svc", "a", "-w", "-l", "x"], "error: a name and a selector are given"),
    ],
)
async def test_what_cannot_be_asked_is_one_sentence(arguments: list[str], expected: str, api: Api) -> None:
    """With exit code 1."""
    result = await get(api, *arguments)

    assert (1, "") == (result.exit_code, result.stdout)
    assert result.stderr.startswith(expected)
    assert 1 == len(result.stderr.splitlines())


async def test_a_server_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    """With its address and what to do."""
    result = await isthmus(tmp_path / "none.sock", "get", "svc,secrets")

    assert (1, "") == (result.exit_code, result.stdout)
    assert f"unix:{tmp_path}/none.sock" in result.stderr
    assert "start the control plane" in result.stderr
    assert 1 == len(result.stderr.splitlines())


async def test_a_reader_that_has_enough_may_go(api: Api) -> None:
    """What is not read is not printed, and nothing is said about it."""
    await many(api, 500)
    line = shlex.join(command(api.socket, "get", "clusterroles", "-o", "json"))
    shell = await asyncio.create_subprocess_shell(
        f"{line} | head -n 1", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE):
        told = await shell.communicate()

    assert (b"{\n", b"") == told
