"""How the authorization of one request went, for whoever counts it.

In: an authorizer and a steady clock. Out: the same authorizer for one request, and what came of its last question. Law:
kube-apiserver's words, in its order: what is allowed is allowed, whatever else went wrong.
"""

from __future__ import annotations

from collections.abc import Callable

from controlplane.auth.authorize import Authorizer, Opinion
from controlplane.model.identity import RequestInfo, UserInfo, Verdict


class Attempt:
    """Asks `authorizer` about one request; `timer` gives seconds."""

    __slots__ = ("_authorizer", "_opinion", "_timer", "seconds")

    def __init__(self, authorizer: Authorizer, timer: Callable[[], float]) -> None:
        self._authorizer = authorizer
        self._timer = timer
        self._opinion = Opinion()
        self.seconds = 0.0
        """How long the last question took."""

    async def authorize(self, user: UserInfo, info: RequestInfo) -> Opinion:
        """The authorizer's verdict."""
        began = self._timer()
        self._opinion = await self._authorizer.authorize(user, info)
        self.seconds = self._timer() - began
        return self._opinion

    @property
    def result(self) -> str:
        """What came of the last question: allowed, error, no-opinion or denied."""
        if self._opinion.verdict is Verdict.ALLOW:
            return "allowed"
        if self._opinion.error:
            return "error"
        return "no-opinion" if self._opinion.silent else "denied"
