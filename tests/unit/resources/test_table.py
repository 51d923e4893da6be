from __future__ import annotations

import datetime
from typing import Any

import pytest
from resource_cases import BASES

from controlplane.resources import operations
from controlplane.resources.finish import Written
from controlplane.resources.kinds import KINDS
from controlplane.resources.operations import Call, Target
from controlplane.resources.table import row

MADE = "2030-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("APIService", ("v1.example.com", "default/backend", "Unknown", "5s")),
        ("Service", ("backend", "ClusterIP", "None", "<none>", "80/TCP,53/UDP", "5s", "app=backend")),
        ("EndpointSlice", ("backend-1", "IPv4", "8443", "10.1.2.3", "5s")),
        ("ClusterRole", ("reader", MADE)),
        ("Role", ("reader", MADE)),
        ("ClusterRoleBinding", ("readers", "ClusterRole/view", "5s", "ann", "", "default/bot")),
        ("RoleBinding", ("readers", "Role/reader", "5s", "", "staff", "bot")),
        ("Secret", ("token", "Opaque", 2, "5s")),
    ],
)
def test_rows_are_what_kubectl_prints(kind: str, expected: tuple[Any, ...]) -> None:
    """A plain object of each kind gives one cell a column."""
    one = KINDS[kind]
    result = operations.create(Target(one, "default" if one.namespaced else ""), BASES[kind], Call(MADE, "u"))
    assert isinstance(result, Written)
    cells = row(one, result.object, datetime.datetime(2030, 1, 1, 0, 0, 5, tzinfo=datetime.UTC))

    assert expected == cells
    assert len(one.columns) == len(cells)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (119, "119s"),
        (120, "2m"),
        (130, "2m10s"),
        (3600, "60m"),
        (4 * 3600 + 60, "4h1m"),
        (86400, "24h"),
        (3 * 86400, "3d"),
    ],
)
def test_ages_are_short(seconds: int, expected: str) -> None:
    """An age has one or two units, as kubectl shows it."""
    obj = {"metadata": {"name": "x", "creationTimestamp": MADE}, "type": "Opaque"}
    now = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=seconds)

    assert expected == row(KINDS["Secret"], obj, now)[-1]
