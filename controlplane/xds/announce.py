"""What streams tell, as log lines and metrics.

In: events. Out: a log line each, and metrics. Law: every event is told in one place, and no line holds the content of a
resource.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from controlplane.xds import event
from controlplane.xds.metrics import XdsMetrics, label
from controlplane.xds.request import Node

_log = structlog.stdlib.get_logger(__name__)


class Announcer:
    """Tells events of all streams; `on_rejected` hears of every resource found guilty."""

    def __init__(self, metrics: XdsMetrics, on_rejected: Callable[[event.Rejected], None]) -> None:
        self._metrics = metrics
        self._on_rejected = on_rejected

    def __call__(self, happened: event.Event, node: Node | None, peer: str) -> None:
        """Tells one event of the stream of `node`, which connects from `peer`."""
        if isinstance(happened, event.Converged):
            # A thousand of them a change: the metric alone, for a bound logger costs more than counting does.
            self._metrics.convergence.observe(happened.seconds)
            return
        log = _log.bind(node=node.id if node else "", peer=peer)
        match happened:
            case event.Refused(reason):
                log.warning("xds stream refused", reason=reason)
            case event.Ignored(type_url):
                log.warning("xds type not served", type_url=type_url)
            case event.Stale(type_url, nonce):
                log.debug("xds request stale", type_url=type_url, nonce=nonce)
            case event.Nacked(type_url, suspects, reason):
                self._metrics.nacks.labels(label(type_url)).inc()
                log.warning("xds response rejected", type_url=type_url, suspects=suspects, reason=reason)
            case event.Rejected(key, version, reason):
                self._metrics.rejections.labels(label(key.type_url)).inc()
                log.error(
                    "xds resource quarantined", type_url=key.type_url, name=key.name, version=version, reason=reason
                )
                self._on_rejected(happened)
            case event.Withheld(type_url, names, held):
                log.error("xds removals withheld", type_url=type_url, names=names, held=held)
            case event.Released(confirmed):
                log.warning("xds removals released", confirmed=confirmed)
