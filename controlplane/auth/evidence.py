"""What a request shows to prove who sends it, and what one way of authenticating makes of it.

In: what Envoy saw. Out: values for the authenticators. Law: a certificate that Envoy did not verify is never believed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TypeAlias

from controlplane.model.identity import UserInfo


@dataclass(frozen=True, slots=True)
class Evidence:
    """The client certificate (PEM, "" for none), whether Envoy verified it, and header lines with lower-case names.

    Header values are UTF-8 decoded with surrogateescape, so that no byte is lost. The repr shows no header value.
    """

    certificate: str = ""
    certificate_verified: bool = False
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def header_values(self, name: str) -> list[str]:
        """The values of all lines of the header `name` (lower case), in order."""
        return [value for key, value in self.headers if key == name]


@dataclass(frozen=True, slots=True)
class Failed:
    """Evidence that was shown and does not hold; `reason` is for the log and holds no secret."""

    reason: str


@dataclass(frozen=True, slots=True)
class Recognised:
    """Evidence that holds: whose it is, and until when (Unix seconds) it will."""

    user: UserInfo
    until: float = inf


Outcome: TypeAlias = Recognised | Failed | None
"""What one authenticator says: this user, shown evidence that does not hold, or None: nothing of my kind was shown."""
