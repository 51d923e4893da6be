"""What the audit log is told of calls of the config API.

In: calls as they were observed. Out: records, as if each object of a call had been asked for over HTTP. Law: no body of
a Secret is told, and of other requests nothing but objects: what else they hold may be a credential.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

import orjson

from controlplane.audit.event import Bodies
from controlplane.audit.record import Record
from controlplane.audit.recorder import Recorder
from controlplane.auth.audited import audit_text
from controlplane.auth.requestinfo import Unreadable, request_info
from controlplane.configapi import bodies
from controlplane.configapi.access import Admission, Caller
from controlplane.configapi.observing import Observed
from controlplane.configapi.writing import Refusal
from controlplane.model.identity import Decision
from controlplane.resources.status import Status

_LONGEST_ID: Final = 128
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request in a call: what was decided on it last, and its place among the call's objects.

    `admission` is None when nothing was decided, because the call cannot be understood.
    """

    admission: Admission | None
    decision: Decision | None
    index: int


class Recording:
    """Hears of calls."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def __call__(self, call: Observed) -> None:
        """Tells of a call."""
        sent, answered = bodies.sent(call.request), bodies.answered(call.answer)
        for asked in _asked(call, len(sent)):
            told = None
            if asked.admission is not None and not _secret(asked.admission):
                told = Bodies(_at(sent, asked.index), _at(answered, asked.index))
            self._recorder.tell(_record(call, asked), told)


def _asked(call: Observed, objects: int) -> Iterator[_Asked]:
    admissions = call.session.admissions
    if not admissions:
        yield _Asked(None, None, 0)
        return
    # Every object is decided on first; whether those that are new may be created is asked after that.
    last = admissions[-1]
    refused = call.answer.index if isinstance(call.answer, Refusal) else 0
    for index, admission in enumerate(admissions[: max(objects, 1)]):
        decisive = last if index == refused and not last.decision.allowed else admission
        yield _Asked(admission, decisive.decision, index)


def _record(call: Observed, asked: _Asked) -> Record:
    metadata = dict(call.caller.metadata)
    audit_id = metadata.get("audit-id", "")
    status = _status(call)
    admission = asked.admission
    return Record(
        stream_id=call.id,
        final=bool(call.ended),
        method=admission.method if admission is not None else "POST",
        target=admission.target if admission is not None else f"/{call.method}",
        audit_id=audit_id if 0 < len(audit_id) <= _LONGEST_ID else call.id,
        user_agent=metadata.get("user-agent", ""),
        forwarded_for="",
        real_ip="",
        peer=_address(call.caller),
        statement=_statement(asked.decision, status),
        verdict="",
        received=call.received,
        responded=call.responded,
        ended=call.ended,
        backend_time=0,
        code=status.code if status is not None else _code(call, asked.index),
        details="",
        route="",
        cluster="",
        backend="",
        call=call.method,
    )


def _status(call: Observed) -> Status | None:
    return call.answer.status if isinstance(call.answer, Refusal) else _only(call.answer)


def _only(answer: object) -> Status | None:
    return answer if isinstance(answer, Status) else None


def _code(call: Observed, index: int) -> int:
    """0 when the client went away before it was answered."""
    if call.answer is None:
        return _OK if call.responded else 0
    codes = bodies.codes(call.answer)
    return codes[min(index, len(codes) - 1)]


def _statement(decision: Decision | None, status: Status | None) -> str:
    said = orjson.loads(audit_text(decision)) if decision is not None else {}
    if status is not None:
        body = status.as_json()
        said["responseStatus"] = {name: body[name] for name in body if name not in {"kind", "apiVersion"}}
    return orjson.dumps(said).decode()


def _secret(admission: Admission) -> bool:
    info = request_info(admission.method, admission.target)
    return isinstance(info, Unreadable) or (info.api_group == "" and info.resource == "secrets")


def _address(caller: Caller) -> str:
    """The address in what gRPC says of a peer, "ipv4:192.0.2.1:4711" or "ipv6:[::1]:4711"; "" for a Unix socket."""
    scheme, _, rest = unquote(caller.peer).partition(":")
    return rest.rpartition(":")[0].strip("[]") if scheme in {"ipv4", "ipv6"} else ""


def _at(texts: tuple[str, ...], index: int) -> str:
    return texts[index] if index < len(texts) else ""
