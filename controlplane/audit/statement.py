"""What authorization says of a request for the audit log.

In: the JSON text that authorization puts into dynamic metadata, for refused requests too. Out: a `Statement`. Law: a
text that is not as it should be says nothing: nobody was recognised.

The text is the part of an audit event that only authorization knows: an object with `user` and `impersonatedUser`
(authentication.k8s.io/v1 UserInfo), `authenticationMetadata`, `annotations`, and `responseStatus` (a Status) where it
refused. Each may be absent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import orjson

_SHORT: Final = 4096


@dataclass(frozen=True, slots=True)
class Statement:
    """Fields of the event as JSON, and the user's name and groups for the policy; name None: nobody was recognised."""

    fields: dict[str, object] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    status: orjson.Fragment | None = None
    name: str | None = None
    groups: tuple[str, ...] = ()


def statement(text: str) -> Statement:
    """The statement in a JSON text; "" says nothing."""
    # There are as many as pairs of users and rules, and each comes again and again; a long one is a client's own doing.
    return _remembered(text) if len(text) <= _SHORT else _read(text)


def fragment(value: object) -> orjson.Fragment:
    """A value as JSON that can be kept.

    What orjson gives out holds several kilobytes of memory however short it is, and a copy what it needs.
    """
    return orjson.Fragment(bytes(memoryview(orjson.dumps(value))))


def _read(text: str) -> Statement:
    said = _object(text)
    user = said.get("user")
    if not isinstance(user, dict):
        return Statement({"user": {}}, _annotations(said), _status(said))
    names = ("user", "impersonatedUser", "authenticationMetadata")
    fields = {name: fragment(said[name]) for name in names if name in said}
    name, groups = user.get("username", ""), user.get("groups", ())
    return Statement(dict(fields), _annotations(said), _status(said), name, tuple(groups))


_remembered = lru_cache(maxsize=4096)(_read)


def _object(text: str) -> dict[str, object]:
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _annotations(said: dict[str, object]) -> dict[str, str]:
    annotations = said.get("annotations")
    return annotations if isinstance(annotations, dict) else {}


def _status(said: dict[str, object]) -> orjson.Fragment | None:
    status = said.get("responseStatus")
    return fragment(status) if isinstance(status, dict) else None
