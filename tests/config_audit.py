"""An audit log in memory.

In: a policy. Out: events. Law: they are made as those in a file are.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from prometheus_client import CollectorRegistry

from controlplane.aio import Watchable
from controlplane.audit.metrics import AuditMetrics
from controlplane.audit.policy import AuditPolicy
from controlplane.audit.recorder import Recorder
from controlplane.auth.requestinfo import Unreadable, request_info
from controlplane.model.identity import RequestInfo


class AuditLog:
    """Events by a policy, in order; nothing is audited until there is one."""

    def __init__(self) -> None:
        self.policy = Watchable(AuditPolicy())
        self.events: list[dict[str, Any]] = []
        self.told = asyncio.Event()
        self.registry = CollectorRegistry()
        self.recorder = Recorder(self.policy, _read, self._put, AuditMetrics(self.registry), lambda: "made")

    def _put(self, lines: list[bytes]) -> None:
        self.events += map(orjson.loads, lines)
        self.told.set()


def _read(method: str, target: str) -> RequestInfo:
    info = request_info(method, target)
    assert not isinstance(info, Unreadable)
    return info
