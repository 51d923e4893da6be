"""From Envoy's messages, and calls of our own faces, to lines of the audit log.

In: messages of the access log service as bytes, records of calls, the watched policy, what reads a method and a target,
and where lines go. Out: lines. Law: one record that cannot be told of is counted and said, and harms no other; nothing
here waits.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final, TypeAlias

import structlog
from envoy.service.accesslog.v3 import als_pb2

from controlplane.aio import Watchable
from controlplane.audit.event import Bodies, Outline, event_line, outline_of
from controlplane.audit.metrics import AuditMetrics
from controlplane.audit.policy import AuditPolicy
from controlplane.audit.record import Record, record_of
from controlplane.audit.sources import source_ips
from controlplane.audit.stages import Told, stages_of
from controlplane.model.identity import RequestInfo

_KEPT: Final = 4096
_SHORT: Final = 4096
_SHORT_CHAIN: Final = 256
# Requests that run for longer than a second; what is forgotten may be told of twice.
_RUNNING: Final = 65_536

Reading: TypeAlias = Callable[[str, str], RequestInfo]
"""What a method and a target ask for; also of a request that authorization refused as unreadable."""
Lines: TypeAlias = Callable[[list[bytes]], None]
"""Takes lines that end in a line feed, and never waits."""


class Recorder:
    """Tells of requests by the latest policy, and remembers what was told of those that run.

    `new_id` names a request that Envoy refused before it gave it a name.
    """

    def __init__(
        self,
        policy: Watchable[AuditPolicy],
        reading: Reading,
        lines: Lines,
        metrics: AuditMetrics,
        new_id: Callable[[], str],
    ) -> None:
        self._policy = policy
        self._reading = reading
        self._lines = lines
        self._metrics = metrics
        self._new_id = new_id
        self._log = structlog.get_logger("audit")
        self._running: OrderedDict[str, Told] = OrderedDict()
        self._ruling_policy = policy.value
        self._outline = self._outlines(policy.value)
        self._sources = lru_cache(maxsize=_KEPT)(source_ips)

    def take(self, message: bytes) -> None:
        """Tells of the requests in a serialised StreamAccessLogsMessage; never raises for any message."""
        if self._policy.value is not self._ruling_policy:
            self._ruling_policy = self._policy.value
            self._outline = self._outlines(self._ruling_policy)
        try:
            entries = als_pb2.StreamAccessLogsMessage.FromString(message).http_logs.log_entry
        except Exception as error:  # noqa: BLE001 - whatever came, the next message must be read
            self._failed(error)
            return
        self._metrics.records(len(entries))
        lines: list[bytes] = []
        for entry in entries:
            try:
                record = record_of(entry)
                if record is not None:
                    lines += self._events(record, self._outline(record.statement, record.method, record.target))
            except Exception as error:  # noqa: BLE001 - the other records must be told of
                self._failed(error)
        self._put(lines)

    def tell(self, record: Record, bodies: Bodies | None) -> None:
        """Tells of a request that did not come through Envoy; never raises for any."""
        try:
            asked = self._reading(record.method, record.target)
            outline = outline_of(self._policy.value, asked, record.statement)
            lines = list(self._events(record, outline, bodies))
        except Exception as error:  # noqa: BLE001 - whoever asked must be answered
            self._failed(error)
        else:
            self._put(lines)

    def _put(self, lines: list[bytes]) -> None:
        if lines:
            self._metrics.events(len(lines))
            self._lines(lines)

    def _events(self, record: Record, outline: Outline, bodies: Bodies | None = None) -> Iterator[bytes]:
        if not outline.ruling.audited:
            return
        if not record.audit_id:
            record = record._replace(audit_id=self._new_id())
        before = self._running.pop(record.stream_id, Told.NOTHING)
        stages, told = stages_of(record, before, long_running=outline.long_running)
        if not record.final:
            self._running[record.stream_id] = told
            if len(self._running) > _RUNNING:
                self._running.popitem(last=False)
        for stage, at in stages:
            if stage not in outline.ruling.omit_stages:
                yield event_line(outline, record, self._sources_of(record), stage, at, bodies)

    def _sources_of(self, record: Record) -> tuple[str, ...]:
        short = len(record.forwarded_for) + len(record.real_ip) <= _SHORT_CHAIN
        return (self._sources if short else source_ips)(record.forwarded_for, record.real_ip, record.peer)

    def _outlines(self, policy: AuditPolicy) -> Callable[[str, str, str], Outline]:
        def outline(said: str, method: str, target: str) -> Outline:
            return outline_of(policy, self._reading(method, target), said)

        remembered = lru_cache(maxsize=_KEPT)(outline)

        def cheapest(said: str, method: str, target: str) -> Outline:
            # Long ones are made by people who want memory to run out, and remembered by nobody.
            return (remembered if len(said) + len(target) <= _SHORT else outline)(said, method, target)

        return cheapest

    def _failed(self, error: Exception) -> None:
        self._metrics.failed()
        # Not its text, which may hold anything a client wrote.
        self._log.error("audit event lost", error=type(error).__qualname__)
