"""Paths and methods to targets."""

import pytest
from servicecatalog.requestinfo import Verb, parse_target

ROOT = "/apis/servicecatalog.k8s.io/v1beta1"


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/clusterservicebrokers", (Verb.LIST, "", "", "")),
        ("POST", "/clusterservicebrokers", (Verb.CREATE, "", "", "")),
        ("DELETE", "/clusterservicebrokers", (Verb.DELETE_COLLECTION, "", "", "")),
        ("PUT", "/clusterservicebrokers", (None, "", "", "")),
        ("GET", "/clusterservicebrokers/b", (Verb.GET, "", "b", "")),
        ("PATCH", "/clusterservicebrokers/b", (Verb.PATCH, "", "b", "")),
        ("POST", "/clusterservicebrokers/b", (None, "", "b", "")),
        ("PUT", "/clusterservicebrokers/b/status", (Verb.UPDATE, "", "b", "status")),
        ("DELETE", "/clusterservicebrokers/b/status", (None, "", "b", "status")),
        ("GET", "/serviceinstances", (Verb.LIST, "", "", "")),
        ("POST", "/serviceinstances", (None, "", "", "")),
        ("POST", "/namespaces/n/serviceinstances", (Verb.CREATE, "n", "", "")),
        ("DELETE", "/namespaces/n/serviceinstances/i", (Verb.DELETE, "n", "i", "")),
        ("GET", "/clusterservicebrokers/a%2Fstatus", (Verb.GET, "", "a/status", "")),
    ],
)
def test_a_path_selects_resource_and_verb(method: str, path: str, expected: tuple[Verb | None, str, str, str]) -> None:
    """Scope, name, subresource and method together give the verb; None is a method that is not allowed."""
    target = parse_target(method, ROOT + path, watch=False)

    assert target is not None
    assert (target.verb, target.namespace, target.name, target.subresource) == expected


def test_only_a_list_becomes_a_watch() -> None:
    """The watch flag turns a list into a watch and leaves everything else alone."""
    verbs = []
    for method, path in (
        ("GET", "/serviceinstances"),
        ("GET", "/clusterservicebrokers/b"),
        ("DELETE", "/clusterservicebrokers"),
    ):
        target = parse_target(method, ROOT + path, watch=True)
        assert target is not None
        verbs.append(target.verb)

    assert verbs == [Verb.WATCH, Verb.GET, Verb.DELETE_COLLECTION]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/nothing",
        "/clusterservicebrokers/",
        "/clusterservicebrokers//status",
        "/clusterservicebrokers/b/scale",
        "/clusterservicebrokers/b/status/x",
        "/serviceinstances/i",
        "/namespaces/n/clusterservicebrokers",
        "/namespaces/n",
        "/namespaces//serviceinstances",
        "/watch/clusterservicebrokers",
    ],
)
def test_other_paths_are_not_objects(path: str) -> None:
    """What is not exactly a path of objects is none."""
    assert parse_target("GET", ROOT + path, watch=False) is None
