"""What operators see of the audit log: how many events there were, and how many were lost.

In: a registry. Out: counters in it. Law: nothing that gets here is lost without being
counted, by why.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class AuditMetrics:
    """isthmus_audit_records_total, isthmus_audit_events_total, isthmus_audit_lost_total{reason}: full, write, error.

    Records are what Envoy has told; all Envoys' `logs_written` together are as many, or some were lost on the way.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._records = Counter("isthmus_audit_records", "Records that Envoy has told.", registry=registry)
        self._events = Counter("isthmus_audit_events", "Audit events made.", registry=registry)
        lost = Counter("isthmus_audit_lost", "Audit events lost, by reason.", ["reason"], registry=registry)
        self._full, self._write, self._error = (lost.labels(reason) for reason in ("full", "write", "error"))

    def records(self, number: int) -> None:
        """Envoy has told so many records."""
        self._records.inc(number)

    def events(self, number: int) -> None:
        """So many events were made."""
        self._events.inc(number)

    def overflowed(self, number: int) -> None:
        """So many were dropped because the log could not be written as fast as they came."""
        self._full.inc(number)

    def unwritten(self, number: int) -> None:
        """So many could not be written."""
        self._write.inc(number)

    def failed(self) -> None:
        """What Envoy told could not be made into events."""
        self._error.inc()
