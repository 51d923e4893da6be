"""What docs/cli.md shows is what is printed."""

from __future__ import annotations

import base64
import datetime
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pki import CertificateAuthority

from controlplane.api.v1 import config_pb2
from controlplane.cli.api.backends import Backing
from controlplane.cli.api.described import text
from controlplane.cli.api.following import Event
from controlplane.cli.api.showing import Stream, Style, whole
from controlplane.cli.api.tables import Look

Make = Callable[..., config_pb2.Object]
MADE = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
PAGE = Path(__file__).resolve().parents[4] / "docs" / "cli.md"


def shown(command: str) -> list[str]:
    """What the page shows below a command."""
    _, _, rest = PAGE.read_text().partition(f"    $ {command}\n")
    found = re.match(r"(?:    .*\n|\n(?=    ))*", rest)
    assert found is not None
    return [line.removeprefix("    ") for line in found[0].splitlines()]


def an_api(made: Make, available: str = "True", reason: str = "Passed") -> config_pb2.Object:
    """The APIService of the page."""
    conditions = [
        {"type": "Available", "status": available, "reason": reason, "message": "all checks passed"},
        {"type": "Programmed", "status": "True", "reason": "Programmed", "message": "no proxy rejects any of it"},
    ]
    return made(
        "APIService",
        metadata={"name": "v1.shop.example.com"},
        spec={
            "group": "shop.example.com",
            "version": "v1",
            "groupPriorityMinimum": 1000,
            "versionPriority": 15,
            "service": {"namespace": "shop", "name": "shop"},
            "caBundle": base64.b64encode(CertificateAuthority("shop-ca").certificate).decode(),
        },
        status={"conditions": conditions},
    )


def a_service(made: Make) -> config_pb2.Object:
    """The Service of the page."""
    spec: dict[str, Any] = {"clusterIP": "None", "ports": [{"name": "https", "port": 443}]}
    return made("Service", metadata={"name": "shop", "namespace": "shop"}, spec=spec)


def at(minutes: int, seconds: int) -> datetime.datetime:
    """So long after the objects were made."""
    return MADE + datetime.timedelta(minutes=minutes, seconds=seconds)


def test_the_table_is_printed_so(made: Make) -> None:
    """With both kinds."""
    printed = whole([an_api(made), a_service(made)], Style(None, Look()), single=False, now=at(5, 12))

    assert list(printed) == shown("isthmus get apiservices,svc -n shop")


def test_the_description_is_printed_so(made: Make) -> None:
    """But for the end of the certificate, which no test can choose."""
    slices = ({"ports": [{"name": "https", "port": 8443}], "endpoints": [{"addresses": ["10.0.0.7"]}]},)
    backing = Backing({"spec": {"ports": [{"name": "https", "port": 443}]}}, slices)
    printed = text(an_api(made), backing, datetime.datetime.now(datetime.UTC))
    expected = shown("isthmus describe apiservice v1.shop.example.com")

    assert [re.sub("at .*", "", line) for line in printed.split("\n")] == [
        re.sub("at .*", "", line) for line in expected
    ]


def test_the_watch_is_printed_so(made: Make) -> None:
    """As time goes by."""
    moments = iter([at(5, 12), at(6, 2), at(7, 40)])
    stream = Stream(Style(None, Look(events=True)), lambda: next(moments))
    gone = an_api(made, "False", "MissingEndpoints")
    events = (Event("ADDED", an_api(made)), Event("MODIFIED", gone), Event("DELETED", gone))

    assert [line for event in events for line in stream.texts((event,))] == shown("isthmus watch apiservices")
