"""`isthmus apply`: what manifests say becomes so."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import yaml
from click.testing import Result
from config_api import Api, rights, role, secret, write
from isthmus_command import PATIENCE, isthmus

RBAC = "rbac.authorization.k8s.io"


def manifests(folder: Path, **files: object) -> Path:
    """A folder with these files, each one object or a list of them."""
    folder.mkdir(exist_ok=True)
    for name, objects in files.items():
        bodies = objects if isinstance(objects, list) else [objects]
        (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(bodies))
    return folder


async def apply(api: Api, *arguments: str, stdin: str = "") -> Result:
    """Runs `isthmus apply`."""
    return await isthmus(api.socket, "apply", *arguments, stdin=stdin)


def lines(result: Result) -> tuple[int, list[str], str]:
    """Exit code, lines on standard output, and standard error."""
    return result.exit_code, result.stdout.splitlines(), result.stderr


async def test_objects_are_created_configured_and_unchanged(api: Api, tmp_path: Path) -> None:
    """With kubectl's lines; what others lean on comes first, whatever the files are called."""
    binding, bound = rights("a", "alice", {"verbs": ["get"], "apiGroups": [""], "resources": ["x"]})
    folder = manifests(tmp_path / "m", a=bound, b=binding, c=role("r", kind="Role"), d=secret("s", k="v"))
    first = await apply(api, "-f", str(folder))
    manifests(folder, c=role("r", "list", kind="Role"))
    second = await apply(api, "-f", str(folder))

    assert (
        0,
        [
            "secret/s created",
            f"clusterrole.{RBAC}/a created",
            f"role.{RBAC}/r created",
            f"clusterrolebinding.{RBAC}/a created",
        ],
        "",
    ) == lines(first)
    assert [
        "secret/s unchanged",
        f"clusterrole.{RBAC}/a unchanged",
        f"role.{RBAC}/r configured",
        f"clusterrolebinding.{RBAC}/a unchanged",
    ] == second.stdout.splitlines()


async def test_standard_input_is_read(api: Api) -> None:
    """YAML, or JSON."""
    result = await apply(api, "-f", "-", "-n", "prod", stdin=json.dumps(secret("s", k="v")))
    stored = await api.call(
        "Get", reference={"type": {"api_version": "v1", "kind": "Secret"}, "namespace": "prod", "name": "s"}
    )

    assert (0, ["secret/s created"], "") == lines(result)
    assert "prod" == stored.reference.namespace


async def test_a_dry_run_writes_nothing(api: Api, tmp_path: Path) -> None:
    """And says so in each line."""
    folder = manifests(tmp_path / "m", a=role("a"))
    for option in ("--dry-run", "--dry-run=server"):
        result = await apply(api, option, "-f", str(folder), "--wait")
        assert (0, [f"clusterrole.{RBAC}/a created (server dry run)"], "") == lines(result)

    assert [f"clusterrole.{RBAC}/a created"] == (await apply(api, "-f", str(folder))).stdout.splitlines()


async def test_what_is_there_then_is_printed_when_asked_for(api: Api, tmp_path: Path) -> None:
    """Names, or objects: one by itself, several as a List; without who manages what, and without what Secrets hold."""
    one = manifests(tmp_path / "one", a=role("a"))
    two = manifests(tmp_path / "two", a=role("a"), b=secret("s", k="hunter2"))
    names = await apply(api, "-f", str(two), "-o", "name")
    single = json.loads((await apply(api, "-f", str(one), "-o", "json")).stdout)
    managed = json.loads((await apply(api, "-f", str(one), "-o", "json", "--show-managed-fields")).stdout)
    several = (await apply(api, "-f", str(two), "-o", "yaml")).stdout

    assert ["secret/s", f"clusterrole.{RBAC}/a"] == names.stdout.splitlines()
    assert ("ClusterRole", "a") == (single["kind"], single["metadata"]["name"])
    assert "managedFields" not in single["metadata"]
    assert "isthmus" == managed["metadata"]["managedFields"][0]["manager"]
    assert ["Secret", "ClusterRole"] == [item["kind"] for item in yaml.safe_load(several)["items"]]
    assert "hunter2" not in several


async def test_a_bad_object_among_good_ones_is_reported_with_its_place(api: Api, tmp_path: Path) -> None:
    """The good ones are applied; the exit code is 1, and how many are missing is said."""
    bad = role("bad")
    bad["rules"][0]["verbs"] = []
    unknown = role("unknown") | {"colour": "red"}
    folder = manifests(tmp_path / "m", a=role("a"), b=[role("b1"), bad, role("b2")], c=unknown, d=role("d"))
    (folder / "e.yaml").write_text("kind: Pod\napiVersion: v1\n---\na: [\n")
    (folder / "f.yaml").write_text("kind: Pod\napiVersion: v1\n")
    code, out, err = lines(await apply(api, "-f", str(folder)))
    told = err.splitlines()

    assert (1, [f"clusterrole.{RBAC}/{name} created" for name in ("a", "b1", "b2", "d")]) == (code, out)
    assert told[0].startswith(f"error: {folder}/e.yaml, document 2: is not YAML (line 5")
    assert told[1].startswith(f'error: {folder}/f.yaml, document 1: no matches for kind "Pod" in version "v1"')
    assert told[2] == (
        f'{folder}/b.yaml, document 2: The ClusterRole "bad" is invalid: rules[0].verbs: Required value: verbs must '
        "contain at least one value"
    )
    assert f"{folder}/c.yaml, document 1: Error from server" in err
    assert "colour" in err
    assert "error: 2 of 6 objects were not applied" == told[-1]


async def test_all_or_nothing_applies_nothing_when_one_is_bad(api: Api, tmp_path: Path) -> None:
    """Nor when a file is broken, or there are more than can be applied at once."""
    bad = role("bad")
    bad["rules"][0]["verbs"] = []
    folder = manifests(tmp_path / "m", a=role("a"), b=bad)
    refused = await apply(api, "--atomic", "-f", str(folder))
    (folder / "b.yaml").write_text("a: [")
    broken = await apply(api, "--atomic", "-f", str(folder))
    (folder / "b.yaml").unlink()
    many = manifests(tmp_path / "many", a=[role(f"r{number}") for number in range(129)])
    too_many = await apply(api, "--atomic", "-f", str(many))
    nothing = await isthmus(api.socket, "get", "clusterroles", "-o", "name")
    good = await apply(api, "--atomic", "-f", str(folder))

    assert [1, 1, 1] == [result.exit_code for result in (refused, broken, too_many)]
    assert "nothing is applied, because of --atomic" in refused.stderr
    assert 'The ClusterRole "bad" is invalid' in refused.stderr
    assert "nothing is applied, because of --atomic" in broken.stderr
    assert "129 objects are more than the 128" in too_many.stderr
    assert "" == nothing.stdout
    assert 0 == good.exit_code


async def test_a_conflict_names_the_manager_and_the_ways_out(api: Api, tmp_path: Path) -> None:
    """One of which takes the fields."""
    await api.apply(role("a", "get"))
    folder = manifests(tmp_path / "m", a=role("a", "list"), b=role("b"))
    refused = await apply(api, "-f", str(folder))
    forced = await apply(api, "-f", str(folder), "--force-conflicts")

    assert (1, [f"clusterrole.{RBAC}/b created"]) == (refused.exit_code, refused.stdout.splitlines())
    assert 'Error from server (Conflict): Apply failed with 1 conflict: conflict with "test": .rules' in refused.stderr
    assert "--force-conflicts" in refused.stderr
    assert (0, [f"clusterrole.{RBAC}/a configured", f"clusterrole.{RBAC}/b unchanged"], "") == lines(forced)


async def test_what_a_manifest_of_the_control_plane_defines_is_left_alone(api: Api, tmp_path: Path) -> None:
    """The file that does is named."""
    write(api.folder, "roles.yaml", role("a"))
    async with asyncio.timeout(PATIENCE):
        while not api.registry.topology.policy.roles:
            await api.rulings.changed(api.rulings.value)
    folder = manifests(tmp_path / "m", a=role("a", "list"), b=role("b"))
    result = await apply(api, "-f", str(folder))

    assert (1, [f"clusterrole.{RBAC}/b created"]) == (result.exit_code, result.stdout.splitlines())
    assert f"is defined in {api.folder}/roles.yaml" in result.stderr


async def test_an_object_that_is_too_large_keeps_no_other_away(api: Api, tmp_path: Path) -> None:
    """Those of its batch are applied, also when they are too many bytes together."""
    sizes = {"a": 0, "huge": 2_000_000, "gigantic": 9_000_000, "b": 700_000, "c": 700_000}
    bodies = [role(name) for name in sizes]
    for body, size in zip(bodies, sizes.values(), strict=True):
        body["rules"][0]["resourceNames"] = ["x" * 10_000] * (size // 10_000)
    path = tmp_path / "m.json"
    path.write_text("\n".join(map(json.dumps, bodies)))
    result = await apply(api, "-f", str(path))

    assert (1, [f"clusterrole.{RBAC}/{name} created" for name in "abc"]) == (
        result.exit_code,
        result.stdout.splitlines(),
    )
    for document in (2, 3):
        said = f"{path}, document {document}: Error from server (RequestEntityTooLarge): Request entity too large"
        assert said in result.stderr
    assert "xxx" not in result.stderr


async def test_what_a_bad_secret_holds_is_not_said(api: Api) -> None:
    """Neither what it should not, nor what it cannot."""
    texts = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"k": "hunter2!"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "b"}, "stringData": {"k": ["hunter2"]}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c"}, "hunter": "hunter2"},
    ]
    result = await apply(api, "-f", "-", stdin="\n".join(map(json.dumps, texts)))

    assert (1, "") == (result.exit_code, result.stdout)
    assert "error: 3 of 3 objects were not applied" in result.stderr
    assert "hunter2" not in result.stderr


async def test_who_may_not_write_is_told_so(api: Api, tmp_path: Path) -> None:
    """For each object, because the rights may differ; whoever is nobody is told once."""
    rules: dict[str, Any] = {"verbs": ["patch", "create"], "apiGroups": [""], "resources": ["secrets"]}
    for body in rights("writer", "alice", rules):
        done = await api.apply(body)
    await api.in_force(done.revision)
    folder = manifests(tmp_path / "m", a=[secret("s", k="v"), role("a"), role("b")])
    for name, token in (("alice", "t-alice"), ("nobody", "wrong")):
        (tmp_path / name).write_text(token)
    alice = await apply(api, "-f", str(folder), "--token-file", str(tmp_path / "alice"))
    nobody = await apply(api, "-f", str(folder), "--token-file", str(tmp_path / "nobody"))
    as_alice = await apply(api, "-f", str(folder), "--as", "alice")

    assert (1, ["secret/s created"]) == (alice.exit_code, alice.stdout.splitlines())
    assert 2 == alice.stderr.count('Error from server (Forbidden): clusterroles.rbac.authorization.k8s.io "')
    assert (1, "", "error: You must be logged in to the server (Unauthorized)\n") == (
        nobody.exit_code,
        nobody.stdout,
        nobody.stderr,
    )
    assert (1, ["secret/s unchanged"]) == (as_alice.exit_code, as_alice.stdout.splitlines())


async def test_the_same_object_twice_ends_as_the_later_says(api: Api, tmp_path: Path) -> None:
    """As with kubectl; all or nothing cannot do that."""
    folder = manifests(tmp_path / "m", a=role("a", "get"), b=role("a", "list"))
    both = await apply(api, "-f", str(folder))
    refused = await apply(api, "-f", str(folder), "--atomic")

    assert [f"clusterrole.{RBAC}/a created", f"clusterrole.{RBAC}/a configured"] == both.stdout.splitlines()
    assert 1 == refused.exit_code
    assert "is object 0 of the batch already" in refused.stderr


async def test_nothing_to_apply_is_said(api: Api, tmp_path: Path) -> None:
    """An empty file is no success."""
    (tmp_path / "a.yaml").write_text("---\n")
    result = await apply(api, "-f", str(tmp_path / "a.yaml"))

    assert (1, "error: no objects passed to apply\n") == (result.exit_code, result.stderr)
