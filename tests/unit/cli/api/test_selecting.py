"""Which objects a command is about."""

from __future__ import annotations

import pytest

from controlplane.api.v1 import config_pb2
from controlplane.cli.api.kinds import KindError
from controlplane.cli.api.selecting import Found, found, nothing, selection
from controlplane.configapi.client import ApiError


class Server:
    """Has Services a, b and c, and says of all else that it is not there; lists of Secrets are forbidden."""

    def get(self, reference: config_pb2.Reference) -> config_pb2.Object:
        """An object."""
        if reference.name == "down":
            raise ApiError("UNAVAILABLE", "", "nobody answers")
        if reference.type.kind != "Service" or reference.name not in ("a", "b", "c"):
            raise ApiError("NOT_FOUND", "NotFound", f'"{reference.name}" not found')
        return config_pb2.Object(reference=reference)

    def pages(self, request: config_pb2.ListRequest) -> list[config_pb2.ListResponse]:
        """Pages of one object each."""
        if request.type.kind == "Secret":
            raise ApiError("PERMISSION_DENIED", "Forbidden", "secrets is forbidden")
        names = ("a", "b", "c") if request.type.kind == "Service" else ()
        return [
            config_pb2.ListResponse(objects=[self.get(config_pb2.Reference(type=request.type, name=name))])
            for name in names
        ]


def ask(*arguments: str) -> tuple[list[str], list[str]]:
    """The names that are found, and what is said of the others."""
    there = found(Server(), selection(arguments, namespace="default"))  # type: ignore[arg-type]
    return [item.reference.name for item in there.items], [str(error) for error in there.errors]


def test_what_is_missing_keeps_nothing_away() -> None:
    """In the order in which it was asked for, over all pages; errors are apart."""
    missing = 'Error from server (NotFound): "x" not found'

    assert (["a", "b", "c"], []) == ask("svc")
    assert (["b", "a"], [missing]) == ask("svc", "b", "x", "a")
    assert (["a"], [missing]) == ask("roles/x", "svc/a")
    assert (["a", "b", "c"], ["Error from server (Forbidden): secrets is forbidden"]) == ask("secrets,svc")


def test_a_server_that_is_away_is_asked_once() -> None:
    """Nothing else could be found out."""
    with pytest.raises(ApiError, match="nobody answers"):
        ask("svc", "a", "down", "b")


def test_a_list_is_asked_for_as_it_was_said() -> None:
    """Namespaces only where the kind has them; a name as a field selector."""
    services = selection(["svc"], namespace="prod", labels="a=b", fields="spec.type=ClusterIP", page_size=7)
    roles = selection(["clusterroles", "x"], namespace="prod")
    everywhere = selection(["secrets"], namespace="prod", all_namespaces=True)

    assert config_pb2.ListRequest(
        type=config_pb2.Type(api_version="v1", kind="Service"),
        namespace="prod",
        label_selector="a=b",
        field_selector="spec.type=ClusterIP",
        page_size=7,
    ) == services.request(services.wanted[0])
    assert ("", "metadata.name=x") == (
        roles.request(roles.wanted[0]).namespace,
        roles.request(roles.wanted[0]).field_selector,
    )
    assert "" == everywhere.request(everywhere.wanted[0]).namespace
    assert ("", "x") == (roles.reference(roles.wanted[0]).namespace, roles.reference(roles.wanted[0]).name)


@pytest.mark.parametrize(
    ("arguments", "options", "expected"),
    [
        (["svc", "a"], {"labels": "x=y"}, "a name and a selector are given"),
        (["svc/a"], {"fields": "x=y"}, "a name and a selector are given"),
        (["svc", "a"], {"all_namespaces": True}, "a name and --all-namespaces are given"),
    ],
)
def test_a_name_selects_enough(arguments: list[str], options: dict[str, str | bool], expected: str) -> None:
    """What more is said of it would be forgotten in silence."""
    with pytest.raises(KindError, match=f"error: {expected}"):
        selection(arguments, namespace="default", **options)  # type: ignore[arg-type]


def test_a_name_of_a_kind_without_namespaces_is_in_all_of_them() -> None:
    """`-A` takes nothing away from it."""
    assert selection(["clusterroles", "a"], namespace="default", all_namespaces=True).single


def test_nothing_is_said_with_its_namespace() -> None:
    """Where the kinds have namespaces, and one was meant."""
    assert "No resources found in prod namespace." == nothing(selection(["svc"], namespace="prod"))
    assert "No resources found" == nothing(selection(["svc,clusterroles"], namespace="prod"))
    assert "No resources found" == nothing(selection(["svc"], namespace="prod", all_namespaces=True))


def test_one_object_is_single() -> None:
    """A list with one object in it is not."""
    assert selection(["svc/a"], namespace="").single
    assert not selection(["svc"], namespace="").single
    assert not selection(["svc,roles", "a"], namespace="").single
    assert Found(()) == Found((), ())
