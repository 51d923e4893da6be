"""The tables of `isthmus get`."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest

from controlplane.api.v1 import config_pb2
from controlplane.cli.api.tables import Columns, Look, header, row
from controlplane.resources.kinds import KINDS

LOCAL = {"group": "example.com", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1}
NOW = datetime.datetime(2030, 1, 1, 0, 0, 5, tzinfo=datetime.UTC)
MADE = "2030-01-01T00:00:00Z"
PLAIN, WIDE = Look(), Look(wide=True)
Make = Callable[..., config_pb2.Object]


@pytest.mark.parametrize(
    ("kind", "look", "expected"),
    [
        (
            "APIService",
            PLAIN,
            {"NAME": "v1.example.com", "SERVICE": "default/backend", "AVAILABLE": "Unknown", "AGE": "5s"},
        ),
        (
            "APIService",
            WIDE,
            {
                "NAME": "v1.example.com",
                "SERVICE": "default/backend",
                "AVAILABLE": "Unknown",
                "AGE": "5s",
                "PROGRAMMED": "Unknown",
            },
        ),
        (
            "Service",
            PLAIN,
            {
                "NAME": "backend",
                "TYPE": "ClusterIP",
                "CLUSTER-IP": "None",
                "EXTERNAL-IP": "<none>",
                "PORT(S)": "80/TCP,53/UDP",
                "AGE": "5s",
            },
        ),
        (
            "Service",
            WIDE,
            {
                "NAME": "backend",
                "TYPE": "ClusterIP",
                "CLUSTER-IP": "None",
                "EXTERNAL-IP": "<none>",
                "PORT(S)": "80/TCP,53/UDP",
                "AGE": "5s",
                "SELECTOR": "app=backend",
            },
        ),
        (
            "EndpointSlice",
            PLAIN,
            {"NAME": "backend-1", "ADDRESSTYPE": "IPv4", "PORTS": "8443", "ENDPOINTS": "10.1.2.3", "AGE": "5s"},
        ),
        ("ClusterRole", PLAIN, {"NAME": "reader", "CREATED AT": MADE}),
        ("Role", WIDE, {"NAME": "reader", "CREATED AT": MADE}),
        ("ClusterRoleBinding", PLAIN, {"NAME": "readers", "ROLE": "ClusterRole/view", "AGE": "5s"}),
        (
            "RoleBinding",
            WIDE,
            {
                "NAME": "readers",
                "ROLE": "Role/reader",
                "AGE": "5s",
                "USERS": "",
                "GROUPS": "staff",
                "SERVICEACCOUNTS": "bot",
            },
        ),
        ("Secret", PLAIN, {"NAME": "token", "TYPE": "Opaque", "DATA": "2", "AGE": "5s"}),
    ],
)
def test_each_kind_has_the_columns_of_kubectl(kind: str, look: Look, expected: dict[str, str], made: Make) -> None:
    """With the cells of a plain object, narrow and wide."""
    assert expected == dict(zip(header(KINDS[kind], look), row(made(kind), look, NOW), strict=True))


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        ("APIService", {"spec": LOCAL}, ("v1.example.com", "Local", "True", "5s", "Unknown")),
        ("APIService", {"status": {}}, ("v1.example.com", "default/backend", "Unknown", "5s", "Unknown")),
        ("APIService", {"status": {"conditions": [
            {"type": "Programmed", "status": "False", "reason": "Rejected"},
            {"type": "Available", "status": "False", "reason": "Missing\x1b[2J\nEndpoints"},
        ]}}, ("v1.example.com", "default/backend", "False (Missing [2J Endpoints)", "5s", "False (Rejected)")),
        ("APIService", {"status": {"conditions": [
            {"type": "Available", "status": "True"}, {"type": "Programmed", "status": "True"},
        ]}}, ("v1.example.com", "default/backend", "True", "5s", "True")),
        ("Service", {"spec": {"clusterIP": "None"}},
         ("backend", "ClusterIP", "None", "<none>", "<none>", "5s", "<none>")),
        ("Service", {"spec": {"type": "ExternalName", "externalName": "a.example.com"}},
         ("backend", "ExternalName", "<none>", "a.example.com", "<none>", "5s", "<none>")),
        ("EndpointSlice", {"ports": None, "endpoints": None}, ("backend-1", "IPv4", "<unset>", "<unset>", "5s")),
        ("EndpointSlice", {"endpoints": [{"addresses": [f"10.0.0.{last}"]} for last in range(1, 6)]},
         ("backend-1", "IPv4", "8443", "10.0.0.1,10.0.0.2,10.0.0.3 + 2 more...", "5s")),
        ("ClusterRole", {"rules": None}, ("reader", MADE)),
        ("ClusterRoleBinding", {"subjects": None}, ("readers", "ClusterRole/view", "5s", "", "", "")),
        ("Secret", {"data": None, "stringData": None}, ("token", "Opaque", "0", "5s")),
    ],
)  # fmt: skip
def test_what_an_object_leaves_out_has_a_cell_too(
    kind: str, fields: dict[str, Any], expected: tuple[str, ...], made: Make
) -> None:
    """Whatever its kind lets it leave out, wide; and nothing in a cell moves a cursor."""
    assert expected == row(made(kind, **fields), WIDE, NOW)


def test_columns_are_added(made: Make) -> None:
    """What happened, the namespace, labels; the name with its type when kinds are mixed."""
    item = made("Role", metadata={"name": "a", "namespace": "ns", "labels": {"x.io/tier": "1", "app": "b"}})
    look = Look(namespaces=True, types=True, labels=True, label_columns=("x.io/tier", "none"), events=True)

    assert ("EVENT", "NAMESPACE", "NAME", "CREATED AT", "TIER", "NONE", "LABELS") == header(KINDS["Role"], look)
    assert (
        "ADDED",
        "ns",
        "role.rbac.authorization.k8s.io/a",
        MADE,
        "1",
        "",
        "app=b,x.io/tier=1",
    ) == row(item, look, NOW, "ADDED")


def test_kinds_without_namespaces_have_no_column_for_them(made: Make) -> None:
    """As with kubectl get -A."""
    assert ("NAME", "CREATED AT") == header(KINDS["ClusterRole"], Look(namespaces=True))
    assert ("reader", MADE) == row(made("ClusterRole"), Look(namespaces=True), NOW)


def test_no_labels_are_said(made: Make) -> None:
    """A cell that is empty would look like a mistake."""
    assert ("reader", MADE, "<none>") == row(made("Role"), Look(labels=True), NOW)


def test_columns_stay_where_they_are() -> None:
    """What comes later is below what came before, unless it needs more room."""
    columns = Columns()
    first = list(columns.lines([("NAME", "AGE"), ("a-long-name", "5s")]))
    second = list(columns.lines([("b", "6s")]))
    third = list(columns.lines([("a-longer-name", "7s"), ("b", "")]))

    assert ["NAME          AGE", "a-long-name   5s"] == first
    assert ["b             6s"] == second
    assert ["a-longer-name   7s", "b"] == third
    assert [] == list(columns.lines([]))
