"""Status objects: what every refusal says in its body.

In: a code, a reason and a sentence. Out: JSON of a meta/v1 Status. Law: every answer of 400 and above has one.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error answer; `retry_after` is in seconds, 0 for none."""

    code: int
    reason: str
    message: str
    retry_after: int = 0

    @property
    def body(self) -> bytes:
        """The Status object as JSON."""
        return orjson.dumps(
            {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Failure",
                "message": self.message,
                "reason": self.reason,
                "details": {"retryAfterSeconds": self.retry_after} if self.retry_after else {},
                "code": self.code,
            }
        )
