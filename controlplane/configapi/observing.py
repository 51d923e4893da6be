"""What is told of each call: to metrics, and to whoever keeps a record.

In: calls as they come, begin to be answered, and end. Out: numbers, and what is known of a call when the answers of a
stream begin and when it ends. Law: a call is told of however it ends, in the words of its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

from google.protobuf.message import Message
from google.rpc import code_pb2

from controlplane.configapi.access import Caller, Session
from controlplane.configapi.errors import error_of
from controlplane.configapi.metrics import CallMetrics
from controlplane.configapi.writing import Refusal
from controlplane.resources.status import Status

_BROKEN: Final = Status(500, "InternalError", "the call failed; the log says why")

Answer: TypeAlias = Message | Refusal | Status


@dataclass(slots=True, kw_only=True)
class Observed:
    """One call, from its beginning to its end; whoever answers it says what was the `request` and what is the `answer`.

    Times are nanoseconds since 1970: `responded` is when the answers of a stream began, else 0, `ended` is 0 while it
    runs. `request` is None when it could not be read, `answer` when the client went away before it came; that of a
    stream is None, or why it ended.
    """

    id: str
    method: str
    caller: Caller
    session: Session
    received: int
    responded: int = 0
    ended: int = 0
    request: Message | None = None
    answer: Answer | None = None


class Observing:
    """Observes calls; `record` hears of all of them.

    `new_id` gives each a name, `now` is in nanoseconds since 1970, `clock` monotonic, in seconds.
    """

    def __init__(
        self,
        metrics: CallMetrics,
        record: Callable[[Observed], None],
        *,
        new_id: Callable[[], str],
        now: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        self._metrics = metrics
        self._record = record
        self._new_id = new_id
        self._now = now
        self._clock = clock

    def call(self, method: str, caller: Caller, session: Session) -> AbstractContextManager[Observed]:
        """A call with one answer; `method` is <service>/<method>."""
        begun, name = self._clock(), _short(method)
        return self._until(
            self._begun(method, caller, session), lambda code: self._metrics.answered(name, code, self._clock() - begun)
        )

    def stream(self, method: str, caller: Caller, session: Session) -> AbstractContextManager[Observed]:
        """A call whose answers go on."""
        name = _short(method)
        self._metrics.opened(name)
        return self._until(self._begun(method, caller, session), lambda code: self._metrics.closed(name, code))

    def answering(self, call: Observed) -> None:
        """An answer of a stream is on its way; only the first is told of."""
        if not call.responded:
            call.responded = self._now()
            self._record(call)

    def _begun(self, method: str, caller: Caller, session: Session) -> Observed:
        return Observed(id=self._new_id(), method=method, caller=caller, session=session, received=self._now())

    @contextmanager
    def _until(self, call: Observed, ended: Callable[[str], None]) -> Iterator[Observed]:
        # What ends a call without an answer or an error is a cancellation.
        code = code_pb2.CANCELLED
        try:
            yield call
            code = _code(call.answer)
        except Exception:
            call.answer, code = _BROKEN, code_pb2.UNKNOWN
            raise
        finally:
            call.ended = self._now()
            ended(code_pb2.Code.Name(code))
            self._record(call)


def _code(answer: Answer | None) -> int:
    match answer:
        case Refusal(status=status) | (Status() as status):
            return int(error_of(status).code)
    return int(code_pb2.OK)


def _short(method: str) -> str:
    return method.rpartition("/")[2]
