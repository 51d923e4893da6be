"""What is known of proxies, and when each of them is looked at for it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import structlog
from prometheus_client import CollectorRegistry

from controlplane.model.resource import CLUSTER
from controlplane.routing import Routing
from controlplane.settings.settings import Settings
from controlplane.snapshot.snapshot import Resource

FACE = {"listen": "unix:/run/isthmus.sock"}
DOOR = {"certificateFile": "tls.crt", "privateKeyFile": "tls.key"}
SETTINGS = Settings.model_validate(
    {"manifests": "m", "frontDoor": DOOR, "xds": FACE, "authorization": FACE, "discovery": FACE}
)


@pytest.fixture
def routing() -> Routing:
    """The parts, with nobody connected."""
    return Routing.of(SETTINGS, CollectorRegistry(), structlog.get_logger())


def programmed(routing: Routing) -> str:
    """Why an APIService that nothing is wrong with is, or is not, known to be programmed."""
    return routing.reports(list).standing().taken.healthy.reason


def test_proxies_are_counted_while_nothing_was_ever_rejected(routing: Routing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether there are any is all that matters then, so none is looked at."""
    monkeypatch.setattr(type(routing.xds), "statuses", lambda _: pytest.fail("they were looked at"))
    before = programmed(routing)
    routing.xds_metrics.streams.labels("delta").inc()
    connected = programmed(routing)
    routing.xds_metrics.streams.labels("delta").dec()

    assert ["NoProxies", "Programmed", "NoProxies"] == [before, connected, programmed(routing)]


def test_proxies_are_looked_at_once_something_was_rejected(routing: Routing) -> None:
    """What they say counts, whatever was counted."""
    routing.xds_metrics.streams.labels("delta").inc()
    routing.xds._quarantines[""].reject(Resource.of(CLUSTER, "a", b"bad"), "reason", None)

    assert "NoProxies" == programmed(routing)


async def test_watches_of_proxies_look_together(routing: Routing, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one of them has seen is good for all, for ten times as long as looking took."""
    now, looks = [0.0], list[float]()

    def statuses(_: object) -> list[object]:
        now[0] += 0.1
        looks.append(now[0])
        return []

    monkeypatch.setattr(type(routing.xds), "statuses", statuses)
    monkeypatch.setattr("controlplane.routing.time", SimpleNamespace(monotonic=lambda: now[0], time=lambda: now[0]))
    reports = routing.reports(list)
    for _ in range(3):
        await anext(reports.every_proxies())
    now[0] += 1.1
    await anext(reports.every_proxies())

    assert 2 == len(looks)
