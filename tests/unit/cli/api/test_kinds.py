"""What people call kinds and objects."""

from __future__ import annotations

import pytest

from controlplane.api.v1 import config_pb2
from controlplane.cli.api.kinds import KindError, Wanted, kind_of, resolve, spoken, type_of, wanted
from controlplane.resources.kinds import KINDS

SERVICE, SECRET, API, ROLE = (KINDS[name] for name in ("Service", "Secret", "APIService", "Role"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("apiservice", "APIService"),
        ("apiservices", "APIService"),
        ("APIService", "APIService"),
        ("apiservices.apiregistration.k8s.io", "APIService"),
        ("apiservices.apiregistration", "APIService"),
        ("apiservices.v1.apiregistration.k8s.io", "APIService"),
        ("svc", "Service"),
        ("services.v1.", "Service"),
        ("endpointslices", "EndpointSlice"),
        ("clusterroles", "ClusterRole"),
        ("role.rbac.authorization.k8s.io", "Role"),
        ("clusterrolebinding", "ClusterRoleBinding"),
        ("rolebindings", "RoleBinding"),
        ("secret", "Secret"),
        ("api-extensions", "APIService"),
        ("all", "Service"),
        ("svc,secrets,service", "Service Secret"),
        ("svc, apiservices", "Service APIService"),
    ],
)
def test_a_kind_has_the_names_that_kubectl_knows(text: str, expected: str) -> None:
    """Plural, singular, short, in any case, with its group or a part of it, with its version, and by category."""
    assert tuple(KINDS[name] for name in expected.split()) == resolve(text)


@pytest.mark.parametrize(
    "text",
    ["", "pods", "svc.", "services.v1", "roles.v2.rbac.authorization.k8s.io", "secrets.apps", "all.v1.", "svc,,"],
)
def test_an_unknown_kind_is_said_with_those_there_are(text: str) -> None:
    """The sentence begins as kubectl's, and lists every plural."""
    with pytest.raises(KindError, match="error: the server doesn't have a resource type ") as caught:
        resolve(text)

    known = str(caught.value).partition("; there are ")[2].split(", ")
    assert [kind.plural for kind in KINDS.values()] == known


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("svc",), (Wanted(SERVICE),)),
        (("svc", "a", "b", "a"), (Wanted(SERVICE, "a"), Wanted(SERVICE, "b"))),
        (("svc,secret", "a"), (Wanted(SERVICE, "a"), Wanted(SECRET, "a"))),
        (("svc/a", "roles/b", "svc/a"), (Wanted(SERVICE, "a"), Wanted(ROLE, "b"))),
        (("apiservice/v1.example.com",), (Wanted(API, "v1.example.com"),)),
        (("clusterroles", "system:a:b"), (Wanted(KINDS["ClusterRole"], "system:a:b"),)),
    ],
)
def test_objects_are_named_in_two_forms(arguments: tuple[str, ...], expected: tuple[Wanted, ...]) -> None:
    """TYPE NAME..., of one kind or several, or TYPE/NAME..., each object once."""
    assert expected == wanted(arguments)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "say what kind of object is meant"),
        (("svc", ""), "a name is empty"),
        (("svc/a", "b"), "b is no TYPE/NAME, and others are"),
        (("svc", "roles/b"), "svc is no TYPE/NAME, and others are"),
        (("svc/a/b",), "svc/a/b is no TYPE/NAME"),
        (("svc/",), "svc/ is no TYPE/NAME"),
        (("/a",), "/a is no TYPE/NAME"),
        (("svc,roles/a",), "svc,roles/a names several kinds"),
        (("pods/a",), 'the server doesn\'t have a resource type "pods"'),
    ],
)
def test_what_names_no_object_is_said(arguments: tuple[str, ...], expected: str) -> None:
    """One sentence with what to give instead."""
    with pytest.raises(KindError) as caught:
        wanted(arguments)

    assert str(caught.value).startswith(f"error: {expected}")


@pytest.mark.parametrize("name", KINDS)
def test_what_output_says_is_understood(name: str) -> None:
    """The name of an object in output names it on the command line."""
    assert (Wanted(KINDS[name], "x.y"),) == wanted((spoken(KINDS[name], "x.y"),))


def test_names_have_the_group() -> None:
    """As kubectl prints them."""
    assert "role.rbac.authorization.k8s.io/a" == spoken(ROLE, "a")
    assert "service/a" == spoken(SERVICE, "a")


def test_a_kind_of_a_newer_server_is_refused() -> None:
    """By its name and version, not by a missing key."""
    known = config_pb2.Object(reference=config_pb2.Reference(type=type_of(SERVICE)))
    newer = config_pb2.Object(reference=config_pb2.Reference(type=config_pb2.Type(api_version="v2", kind="Service")))

    assert SERVICE == kind_of(known)
    with pytest.raises(KindError, match="the kind Service of v2, which is newer than this program"):
        kind_of(newer)
