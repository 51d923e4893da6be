"""Which failures of a question are worth asking again, and when.

In: what a server answered, or how a connection ended. Out: a `Failure` that says so. Law: as kube-apiserver's webhook
client: resets, 429, 500, 504 and whatever names a time to come back are asked again, five times in all; a server that
cannot be reached or does not answer in time is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

TRIES: Final = 5
_FIRST_PAUSE: Final = 0.5
_FACTOR: Final = 1.5
_JITTER: Final = 0.2

_SHOWN: Final = 200
_RETRIED_REASONS: Final = frozenset({"InternalError", "Timeout", "TooManyRequests", "ServerTimeout"})
_OTHER_REASONS: Final = frozenset(
    {
        *("Unauthorized", "Forbidden", "NotFound", "AlreadyExists", "Conflict", "Gone", "Invalid", "BadRequest"),
        *("MethodNotAllowed", "NotAcceptable", "RequestEntityTooLarge", "UnsupportedMediaType", "Expired"),
        *("ServiceUnavailable", "StoreReadError"),
    }
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer; `reason` is for logs and error texts and holds nothing that was sent.

    `code` is the HTTP status, 0 for none; `timeout` tells that the time was up, here or there. `retried` says whether
    to ask again, and `after` how many seconds the server wants to be left alone, at least.
    """

    reason: str
    code: int = 0
    timeout: bool = False
    retried: bool = False
    after: float = 0.0


def pauses(random: Callable[[], float]) -> Iterator[float]:
    """The seconds between one try and the next, `TRIES` - 1 of them; `random` gives numbers from 0 up to 1."""
    pause = _FIRST_PAUSE
    for _ in range(TRIES - 1):
        yield pause * (1 + _JITTER * random())
        pause *= _FACTOR


def refusal(code: int, body: bytes, retry_after: str) -> Failure:
    """What the HTTP status `code` (not 2xx) says; `retry_after` is that header, "" for none.

    A body that is a Status object (meta/v1) has the last word on why, as in client-go.
    """
    status = _status(body)
    header = float(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 10 else 0.0
    if status is None:
        # Only 503 says of itself that asking again soon is of no use.
        retried = code == 429 or (code >= 500 and code != 503)
        after, message = header, ""
    else:
        reason = str(status.get("reason"))
        known = reason in _OTHER_REASONS
        retried = code == 429 or reason in _RETRIED_REASONS or (not known and code in {500, 504})
        details = status.get("details")
        seconds = details.get("retryAfterSeconds", 0) if isinstance(details, dict) else 0
        after, message = max(header, float(seconds) if isinstance(seconds, int) else 0.0), _shown(status.get("message"))
    retried = retried or after > 0 or (bool(retry_after) and code >= 500)
    words = f"the server answered {code}: {message}" if message else f"the server answered {code}"
    return Failure(words, code, code == 504, retried, after)


def _status(body: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) and document.get("kind") == "Status" else None


def _shown(message: object) -> str:
    text = " ".join(message.split()) if isinstance(message, str) else ""
    return "".join(character for character in text if character.isprintable())[:_SHOWN]
