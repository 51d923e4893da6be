"""The objects in requests and answers, and what an answer is over HTTP.

In: messages of the ConfigService. Out: JSON texts, an HTTP code. Law: the objects of a request and of its answer are in
the same order.
"""

from __future__ import annotations

from google.protobuf.message import Message

from controlplane.api.v1 import config_pb2

_OK = 200
_CREATED = 201


def sent(request: Message | None) -> tuple[str, ...]:
    """What a request says of each object that it writes, as JSON; a removal says nothing."""
    match request:
        case config_pb2.BatchApplyRequest():
            return tuple(request.json)
        case (
            config_pb2.ApplyRequest()
            | config_pb2.CreateRequest()
            | config_pb2.ReplaceRequest()
            | config_pb2.PatchRequest()
        ):
            return (request.json,)
    return ()


def answered(answer: object) -> tuple[str, ...]:
    """Each object in an answer, as JSON; pages and watches are not gone into."""
    if isinstance(answer, config_pb2.Object):
        return (answer.json,)
    return tuple(written.object.json for written in _written(answer))


def codes(answer: object) -> tuple[int, ...]:
    """How an answer would be over HTTP, for each object that was written; what is left is as the last."""
    made = config_pb2.Written.OUTCOME_CREATED
    return tuple(_CREATED if written.outcome == made else _OK for written in _written(answer)) or (_OK,)


def _written(answer: object) -> tuple[config_pb2.Written, ...]:
    match answer:
        case config_pb2.BatchApplyResponse():
            return tuple(answer.written)
        case config_pb2.WriteResponse():
            return (answer.written,)
    return ()
