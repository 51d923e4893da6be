"""Questions and explanations, as the ExplainService says them.

In: an ExplainRequest; an `Explanation`. Out: the `Question`; the response. Law: fields correspond by name; the token of
a request is inside a `Secret` from here on, in no response and in no error.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import fields, is_dataclass
from typing import Any, Final, TypeAlias

from google.protobuf.json_format import ParseDict
from google.protobuf.timestamp_pb2 import Timestamp

from controlplane.api.v1 import explain_pb2
from controlplane.model.credentials import Secret
from controlplane.model.explanation import Broken, Explanation, Identity, Question, Unanswerable
from controlplane.model.identity import UserInfo

_LAST_SECOND: Final = 253_402_300_799

Answer: TypeAlias = Callable[[Question], Awaitable[Explanation | Unanswerable]]
"""Answers one question."""


async def answered(
    answer: Answer, request: explain_pb2.ExplainRequest
) -> explain_pb2.ExplainResponse | Unanswerable | Broken:
    """The answer to a request."""
    try:
        found = await answer(question(request))
    except Exception as error:  # noqa: BLE001 - its text may hold a token, and gRPC would log it
        return Broken(f"deciding failed ({type(error).__qualname__}); the request itself would be answered with 500")
    return found if isinstance(found, Unanswerable) else response(found)


def question(request: explain_pb2.ExplainRequest) -> Question:
    """What is asked."""
    evidence = request.WhichOneof("evidence")
    return Question(
        method=request.method,
        target=request.target,
        headers=tuple((header.name.lower(), header.value) for header in request.headers),
        user=_user(request.user) if evidence == "user" else None,
        bearer_token=Secret(request.bearer_token.encode()) if evidence == "bearer_token" else None,
        client_certificate=request.client_certificate,
        node_group=request.node_group if request.HasField("node_group") else None,
    )


def response(explanation: Explanation) -> explain_pb2.ExplainResponse:
    """The answer."""
    return ParseDict(_plain(explanation), explain_pb2.ExplainResponse())


def _user(user: explain_pb2.User) -> UserInfo:
    extra: dict[str, tuple[str, ...]] = {}
    for each in user.extra:
        key = each.key.lower()
        extra[key] = (*extra.get(key, ()), *each.values)
    return UserInfo(user.name, user.uid, tuple(user.groups), tuple(sorted(extra.items())))


def _plain(value: Any) -> Any:  # noqa: ANN401 - any field of an explanation
    """The same as the JSON of protobuf has it; what is absent is left out."""
    if isinstance(value, UserInfo):
        extra = [{"key": _plain(key), "values": _plain(values)} for key, values in value.extra]
        return {"name": _plain(value.name), "uid": _plain(value.uid), "groups": _plain(value.groups), "extra": extra}
    if is_dataclass(value):
        named = {field.name: getattr(value, field.name) for field in fields(value)}
        plain = {name: _plain(each) for name, each in named.items() if each is not None}
        if isinstance(value, Identity) and value.until is not None:
            plain["until"] = _moment(value.until)
        return plain
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, str):
        # A name that came in as bytes that are no UTF-8 is shown escaped rather than not at all.
        return value.encode(errors="backslashreplace").decode()
    return value


def _moment(seconds: float) -> str:
    stamp = Timestamp()
    # What ends after the year 9999 is told as if it ended then.
    stamp.FromSeconds(int(min(seconds, _LAST_SECOND)))
    return stamp.ToJsonString()
