from __future__ import annotations

from collections.abc import Mapping

import pytest

from controlplane.model.change import ObjectKey
from controlplane.model.problem import Origin
from controlplane.model.rbac import Role, RoleKey
from controlplane.sources.decode import Bad, Good, Ignored, decode, identify

HERE = Origin("api.yaml", 2)
RBAC = "rbac.authorization.k8s.io/v1"


def _a_role(name: str, **more: object) -> dict[str, object]:
    return {"apiVersion": RBAC, "kind": "Role", "metadata": {"name": name, **more}}


def _the_sentence(manifest: Mapping[str, object]) -> str:
    [outcome] = decode(manifest, HERE)
    assert isinstance(outcome, Bad | Ignored)
    return str(outcome.problem) if isinstance(outcome, Ignored) else "\n".join(map(str, outcome.problems))


def test_a_manifest_that_holds_becomes_its_object_under_its_key() -> None:
    """A manifest that holds becomes its object, under kind, namespace and name."""
    outcomes = decode(_a_role("reader", namespace="shop"), HERE)

    assert (Good(HERE, ObjectKey("Role", "shop", "reader"), Role(RoleKey("shop", "reader"))),) == outcomes


def test_a_namespaced_object_without_namespace_is_in_default() -> None:
    """An object of a namespaced kind that names no namespace is in the namespace default."""
    [outcome] = decode(_a_role("reader"), HERE)

    assert isinstance(outcome, Good)
    assert ObjectKey("Role", "default", "reader") == outcome.key


def test_null_fields_count_as_absent() -> None:
    """A field that is null reads as one that is not there."""
    [outcome] = decode({**_a_role("reader", namespace=None, labels=None), "rules": None}, HERE)

    assert isinstance(outcome, Good)
    assert Role(RoleKey("default", "reader")) == outcome.object


def test_a_list_gives_each_of_its_items() -> None:
    """A List of v1 gives the outcome of each of its items, and one bad item harms no other."""
    outcomes = decode({"apiVersion": "v1", "kind": "List", "items": [_a_role("a"), 5, _a_role("b")]}, HERE)

    assert [Good, Bad, Good] == [type(outcome) for outcome in outcomes]


def test_the_items_of_a_typed_list_need_not_repeat_its_kind() -> None:
    """The items of a RoleList are Roles of the list's version, whether they say so or not."""
    outcomes = decode({"apiVersion": RBAC, "kind": "RoleList", "items": [{"metadata": {"name": "a"}}]}, HERE)

    assert (Good(HERE, ObjectKey("Role", "default", "a"), Role(RoleKey("default", "a"))),) == outcomes


@pytest.mark.parametrize(
    ("manifest", "sentence"),
    [
        (
            {"kind": "Role", "metadata": {"name": "a"}},
            (
                "api.yaml, document 2: Role default/a: apiVersion: Required value; "
                "write the apiVersion of the object, for example apiregistration.k8s.io/v1"
            ),
        ),
        (
            {"apiVersion": "v1", "metadata": {"name": "a"}},
            "api.yaml, document 2: a: kind: Required value; write the kind of the object, for example APIService",
        ),
        (
            {"apiVersion": 1, "kind": "Service", "metadata": {"name": "web"}},
            (
                "api.yaml, document 2: Service default/web: apiVersion: Invalid value: 1: must be a string; "
                "put it in quotes"
            ),
        ),
        (
            {
                "apiVersion": "apiregistration.k8s.io/v1beta1",
                "kind": "APIService",
                "metadata": {"name": "v1.a.example"},
            },
            (
                "api.yaml, document 2: APIService v1.a.example: apiVersion: Unsupported value: "
                '"apiregistration.k8s.io/v1beta1": '
                'supported values: "apiregistration.k8s.io/v1"; write apiregistration.k8s.io/v1'
            ),
        ),
        (
            {"apiVersion": "v1", "kind": "Service"},
            "api.yaml, document 2: Service: metadata.name: Required value; write the name of the object",
        ),
        (
            {"apiVersion": "v1", "kind": "Service", "metadata": {}},
            "api.yaml, document 2: Service: metadata.name: Required value; write the name of the object",
        ),
        (
            {"apiVersion": "v1", "kind": "Service", "metadata": "web"},
            (
                'api.yaml, document 2: Service: metadata: Invalid value: "web": must be a mapping; '
                "write its fields below it, indented"
            ),
        ),
        (
            _a_role("a", namespace="Shop"),
            (
                'api.yaml, document 2: Role Shop/a: metadata.namespace: Invalid value: "Shop": '
                "must be lower case letters, "
                "digits and '-', beginning and ending with a letter or digit (RFC 1123 label); "
                "write the name of a namespace"
            ),
        ),
        (
            {"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": "a", "namespace": "shop"}},
            (
                'api.yaml, document 2: ClusterRole a: metadata.namespace: Invalid value: "shop": '
                "not allowed on this type: "
                "ClusterRole has no namespace; remove it"
            ),
        ),
        (
            {"apiVersion": "v1", "kind": "List", "items": {}},
            (
                "api.yaml, document 2: List: items: Invalid value: a mapping: must be a list; "
                "write each object after a dash"
            ),
        ),
        (
            {"apiVersion": "v1", "kind": "List", "items": ["web"]},
            (
                'api.yaml, document 2: items[0]: Invalid value: "web": must be a mapping; '
                "write an object with apiVersion and kind"
            ),
        ),
        (
            {"apiVersion": "v1", "kind": "List", "items": [{**_a_role("a"), "rules": 5}]},
            (
                "api.yaml, document 2: Role default/a: items[0].rules: Invalid value: 5: must be a list; "
                "write each entry below it, after a dash"
            ),
        ),
        (
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}},
            (
                "api.yaml, document 2: Deployment web: kind: Deployment of apps/v1 is not a kind that is read here, "
                "and is ignored; take it out, or write one of APIService, Service, EndpointSlice, ClusterRole, Role, "
                "ClusterRoleBinding, RoleBinding"
            ),
        ),
    ],
)
def test_a_manifest_that_does_not_hold_says_why(manifest: dict[str, object], sentence: str) -> None:
    """A manifest that does not hold names place, object, field, value and remedy."""
    assert sentence == _the_sentence(manifest)


def test_a_service_of_another_group_is_not_a_service_of_ours() -> None:
    """A kind of the same name in somebody else's group is ignored, not refused."""
    [outcome] = decode({"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "a"}}, HERE)

    assert isinstance(outcome, Ignored)


def test_a_list_of_another_group_is_ignored() -> None:
    """A List kind in somebody else's group is not taken apart."""
    [outcome] = decode({"apiVersion": "apps/v1", "kind": "DeploymentList", "items": [_a_role("a")]}, HERE)

    assert isinstance(outcome, Ignored)


def test_an_outdated_version_still_says_which_object_it_is() -> None:
    """A manifest of an old version carries its key, so that the object in force can stay."""
    [outcome] = decode(
        {"apiVersion": "rbac.authorization.k8s.io/v1beta1", "kind": "Role", "metadata": {"name": "a"}}, HERE
    )

    assert isinstance(outcome, Bad)
    assert ObjectKey("Role", "default", "a") == outcome.key


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        {"kind": "Deployment", "metadata": {"name": "a"}},
        {"kind": "Role", "metadata": {"name": 1}},
        {"kind": "Role"},
    ],
)
def test_a_manifest_that_does_not_say_its_object_has_no_key(manifest: dict[str, object]) -> None:
    """Without one of our kinds and a name there is no key."""
    assert identify(manifest) is None
