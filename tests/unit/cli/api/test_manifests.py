"""Manifests that are given with -f."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controlplane.cli.api.connection import Namespace
from controlplane.cli.api.manifests import Given, NoManifestsError, read

ROLE = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: %s}\n"
API = "apiVersion: apiregistration.k8s.io/v1\nkind: APIService\nmetadata: {name: %s}\n"


def given(*paths: Path | str, recursive: bool = False, stdin: str = "", namespace: Namespace | None = None) -> Given:
    """What is read."""
    places = [Path(path) for path in paths]
    return read(places, namespace or Namespace(), recursive=recursive, stdin=stdin.encode)


def names(found: Given) -> list[str]:
    """The names of the objects."""
    return [manifest.name for manifest in found.objects]


def text(stdin: str, namespace: Namespace | None = None) -> Given:
    """What is in a text."""
    return given("-", stdin=stdin, namespace=namespace)


def test_every_document_is_an_object_that_knows_where_it_stood(tmp_path: Path) -> None:
    """Empty documents count, and are none."""
    path = tmp_path / "a.yaml"
    path.write_text("---\n---\n" + ROLE % "a" + "---\n" + API % "v1.x")
    found = given(path)

    assert () == found.defects
    assert [("Role", "default", "a", f"{path}, document 2"), ("APIService", "", "v1.x", f"{path}, document 3")] == [
        (one.kind.kind, one.namespace, one.name, one.place) for one in found.objects
    ]
    assert {"name": "a", "namespace": "default"} == json.loads(found.objects[0].text)["metadata"]


def test_a_folder_is_read_in_the_order_of_the_names(tmp_path: Path) -> None:
    """Other files, hidden ones and folders are left out; with -R folders are read, too."""
    (tmp_path / "sub" / ".git").mkdir(parents=True)
    for name in ("b.yml", "a.yaml", "c.json", "d.txt", ".e.yaml", "sub/f.yaml", "sub/.git/g.yaml"):
        body = ROLE % Path(name).stem
        (tmp_path / name).write_text(json.dumps(_parsed(body)) if name.endswith("json") else body)

    assert ["a", "b", "c"] == names(given(tmp_path))
    assert ["a", "b", "c", "f"] == names(given(tmp_path, recursive=True))
    assert ["d"] == names(given(tmp_path / "d.txt"))


def _parsed(body: str) -> object:
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": body[-3]}}


def test_lists_are_their_items() -> None:
    """Of the kind List, of a typed list, and lists in lists; each item says where it stood."""
    item = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    inner = {"apiVersion": "v1", "kind": "ServiceList", "items": [{"metadata": {"name": "t"}}]}
    found = text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [item, inner, 7]}))

    assert ["STDIN, document 1, items[0]", "STDIN, document 1, items[1].items[0]"] == [
        one.place for one in found.objects
    ]
    assert ["s", "t"] == names(found)
    assert ("error: STDIN, document 1: items[2] is 7; write an object with apiVersion and kind there",) == found.defects


def test_json_texts_may_follow_one_another() -> None:
    """As jq writes them; each is a document."""
    texts = [json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}) for name in "ab"]
    found = text("\n".join(texts) + "\n")

    assert ["a", "b"] == names(found)
    assert ["STDIN, document 1", "STDIN, document 2"] == [one.place for one in found.objects]


@pytest.mark.parametrize("bad", ["a: [", "{", '{"a": NaN}', "a: b: c", "\0"])
def test_a_broken_file_costs_no_other(tmp_path: Path, bad: str) -> None:
    """File, document and remedy are told."""
    (tmp_path / "a.yaml").write_text(ROLE % "a" + "---\n" + bad)
    (tmp_path / "b.yaml").write_text(ROLE % "b")
    found = given(tmp_path)

    assert "b" in names(found)
    assert 1 == len(found.defects)
    assert found.defects[0].startswith(f"error: {tmp_path / 'a.yaml'}")


def test_a_broken_document_is_named_by_its_number(tmp_path: Path) -> None:
    """With the line in the file, and what to do."""
    (tmp_path / "a.yaml").write_text(ROLE % "a" + "---\n" + ROLE % "b" + "---\na: [\n---\n")
    found = given(tmp_path / "a.yaml")

    assert () == found.objects
    assert found.defects[0].startswith(f"error: {tmp_path / 'a.yaml'}, document 3: is not YAML (line ")
    assert "mend it" in found.defects[0]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("kind: Pod\napiVersion: v1", 'no matches for kind "Pod" in version "v1"; write one of APIService, Service,'),
        ("kind: Role\napiVersion: v1", 'no matches for kind "Role" in version "v1"'),
        ("kind: [a]\napiVersion: v1", "no matches for kind a list"),
        ("a: b", "no matches for kind null in version null"),
        ("kind: Secret\napiVersion: v1", "Secret: it has no name; write metadata.name"),
        ("kind: Secret\napiVersion: v1\nmetadata: {name: 7}", "it has no name"),
        ("kind: Secret\napiVersion: v1\nmetadata: {generateName: a}", "generated can be made once, and not applied"),
        ("kind: Secret\napiVersion: v1\nmetadata: {name: a}\ndata: {a: 1e999}", '"a": a number in it is infinite'),
        ("- a", "is not a mapping"),
    ],
)
def test_what_is_no_object_is_said(body: str, said: str) -> None:
    """With its place; the others are taken."""
    found = text(ROLE % "a" + "---\n" + body + "\n---\n" + ROLE % "b")

    assert ["a", "b"] == names(found)
    assert found.defects[0].startswith("error: STDIN, document 2: ")
    assert said in found.defects[0]


def test_the_namespace_is_that_of_the_object_or_the_one_in_use() -> None:
    """One that is given with -n may not be another than the object's; kinds without namespaces have none."""
    other = "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: prod}\n"
    both = other + "---\n" + ROLE % "b" + "---\n" + API % "v1.x"

    assert ["prod", "test", ""] == [one.namespace for one in text(both, Namespace("test")).objects]
    assert ["prod", "prod", ""] == [one.namespace for one in text(both, Namespace("prod", given=True)).objects]
    assert (
        'error: STDIN, document 1: Secret "a" is in the namespace "prod", and -n says "test"; give -n prod, or none',
    ) == text(both, Namespace("test", given=True)).defects


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nowhere", "does not exist"),
        ("https://x/y.yaml", "is not fetched"),
        ("empty", "has no file that ends in .yaml"),
        ("long" * 100, r"cannot be looked into \(File name too long\)"),
    ],
)
def test_what_cannot_be_read_at_all_ends_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, said: str
) -> None:
    """A path that is mistyped is no empty folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()

    with pytest.raises(NoManifestsError, match=said):
        given(path)


def test_a_file_that_cannot_be_read_costs_no_other(tmp_path: Path) -> None:
    """A link to nothing in a folder is said."""
    (tmp_path / "a.yaml").symlink_to(tmp_path / "nothing")
    (tmp_path / "b.yaml").write_text(ROLE % "b")
    found = given(tmp_path)

    assert ["b"] == names(found)
    assert "cannot be read (No such file or directory)" in found.defects[0]


def test_what_a_secret_holds_is_in_no_sentence() -> None:
    """Neither in a defect nor in a repr."""
    body = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {a: hunter2}\n"
    found = text(body + "---\n" + body.replace("v1", "v2", 1) + "---\n" + body + "stringData: {b: hunter2}\n")

    assert 2 == len(found.defects)
    assert "hunter2" not in repr(found)
