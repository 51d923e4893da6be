"""At which stages a request is told of, and when.

In: a `Record`, and what was told of the request before. Out: stages with their times. Law: a request is told of in the
order of stages, each of them once, however often Envoy speaks of it.

Envoy speaks of a request when it ends and, when that takes longer than a second, a few times before. So the first two
stages are told late and bear the times at which they were.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from controlplane.audit.policy import REQUEST_RECEIVED, RESPONSE_COMPLETE, RESPONSE_STARTED
from controlplane.audit.record import Record
from controlplane.model.identity import RequestInfo

# As kube-apiserver has them (pkg/controlplane/apiserver/config.go).
_LONG_VERBS: Final = frozenset({"watch", "proxy"})
_LONG_SUBRESOURCES: Final = frozenset({"attach", "exec", "proxy", "log", "portforward"})
_PROFILES: Final = "/debug/pprof/"
_UNAUTHORIZED: Final = 401


class Told(IntEnum):
    """The last stage that was told of a request."""

    NOTHING = 0
    RECEIVED = 1
    STARTED = 2


def is_long_running(info: RequestInfo) -> bool:
    """Whether kube-apiserver expects the request to last, and so tells of the beginning of its response."""
    if info.is_resource_request:
        return info.verb in _LONG_VERBS or info.subresource in _LONG_SUBRESOURCES
    return info.verb in _LONG_VERBS or info.path.startswith(_PROFILES)


def stages_of(record: Record, told: Told, *, long_running: bool) -> tuple[list[tuple[str, int]], Told]:
    """The stages to tell of now, with their times in nanoseconds since 1970, and what is told then."""
    if not record.final and not record.statement:
        # Authorization has not answered yet; when it has, the policy can be asked about the user.
        return [], told
    if record.code == _UNAUTHORIZED and (record.details or record.call):
        # kube-apiserver tells of a request that it could not authenticate by this one stage.
        return ([(RESPONSE_STARTED, record.responded or record.ended)] if told < Told.STARTED else []), Told.STARTED
    stages: list[tuple[str, int]] = []
    if told < Told.RECEIVED:
        stages.append((REQUEST_RECEIVED, record.received))
        told = Told.RECEIVED
    if told < Told.STARTED and long_running and (record.responded or record.final):
        stages.append((RESPONSE_STARTED, record.responded or record.ended))
        told = Told.STARTED
    if record.final:
        stages.append((RESPONSE_COMPLETE, record.ended))
    return stages, told
