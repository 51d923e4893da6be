"""What a request shows to prove who sends it, and what one way of authenticating makes of it.

In: what Envoy saw. Out: values for the authenticators. Law: a certificate that Envoy did not verify is never believed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf
from typing import Final, TypeAlias

from controlplane.model.identity import UserInfo


@dataclass(frozen=True, slots=True)
class Evidence:
    """The client certificate (PEM, "" for none), whether Envoy verified it, and header lines with lower-case names.

    Header values are UTF-8 decoded with surrogateescape, so that no byte is lost. The repr shows no header value.
    `target` is the raw path with its query. Where front proxies may say who asks, `certificate_chain` is all that the
    client showed of certificates (PEM, its own first), "" for no more than its own, and `asserted` the header lines in
    which it says who.
    """

    certificate: str = ""
    certificate_verified: bool = False
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    target: str = field(default="", repr=False)
    certificate_chain: str = field(default="", repr=False)
    asserted: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def header_values(self, name: str) -> list[str]:
        """The values of all lines of the header `name` (lower case), in order."""
        return [value for key, value in self.headers if key == name]

    def asserted_values(self, name: str) -> list[str]:
        """The values of all asserted lines of the header `name` (lower case), in order."""
        return [value for key, value in self.asserted if key == name]


@dataclass(frozen=True, slots=True)
class Failed:
    """Evidence that was shown and does not hold; `reason` is for the log and holds no secret."""

    reason: str


NO_CREDENTIALS: Final = Failed("no credentials were shown")
"""Nothing was shown, where nobody is anonymous."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """Evidence that holds: whose it is, and until when (Unix seconds) it will; `by` tells people what recognised it."""

    user: UserInfo
    until: float = inf
    by: str = field(default="", compare=False)


Outcome: TypeAlias = Recognised | Failed | None
"""What one authenticator says: this user, shown evidence that does not hold, or None: nothing of my kind was shown."""

Authenticator: TypeAlias = Callable[[Evidence], Awaitable[Outcome]]
"""One way of authenticating."""
TokenAuthenticator: TypeAlias = Callable[[str], Awaitable[Outcome]]
"""One kind of bearer token; None says that the token is of another kind."""
