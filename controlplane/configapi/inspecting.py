"""The calls of the StatusService and of the ExplainService, for callers who have the right to them.

In: a request, and the session of whoever calls. Out: the response, or why there is none. Law: each is a right of its
own, to a resource of the API group isthmus.dev.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import quote

from controlplane.api.v1 import explain_pb2, status_pb2
from controlplane.configapi.access import Session
from controlplane.configapi.errors import UNDECIDED
from controlplane.model.explanation import Broken, Unanswerable
from controlplane.resources.status import Status, bad_request

PROXIES: Final = "/apis/isthmus.dev/v1/proxies"
STATUS: Final = "/apis/isthmus.dev/v1/statuses/current"
REMOVALS: Final = "/apis/isthmus.dev/v1/removals"
EXPLANATIONS: Final = "/apis/isthmus.dev/v1/explanations"


class Reports(Protocol):
    """What the StatusService tells and does, for whoever may ask."""

    def status(self) -> status_pb2.GetStatusResponse:
        """The status of registrations, and what is wrong."""

    def proxies(self) -> status_pb2.ListProxiesResponse:
        """How far every proxy is."""

    def every_proxies(self) -> AsyncGenerator[status_pb2.ListProxiesResponse, None]:
        """The same, now and after every change, without an end."""

    def confirm_removals(self, request: status_pb2.ConfirmRemovalsRequest) -> status_pb2.ConfirmRemovalsResponse:
        """Lets go what is withheld."""


@dataclass(frozen=True, slots=True)
class Inspecting:
    """Every call of the two services; `answer` explains, or says why it cannot."""

    reports: Reports
    answer: Callable[[explain_pb2.ExplainRequest], Awaitable[explain_pb2.ExplainResponse | Unanswerable | Broken]]

    async def get_status(
        self,
        request: status_pb2.GetStatusRequest,  # noqa: ARG002 - the form of every call
        session: Session,
    ) -> status_pb2.GetStatusResponse | Status:
        """The status of this moment."""
        user = await session.admit("GET", STATUS)
        return user if isinstance(user, Status) else self.reports.status()

    async def list_proxies(
        self,
        request: status_pb2.ListProxiesRequest,  # noqa: ARG002 - the form of every call
        session: Session,
    ) -> status_pb2.ListProxiesResponse | Status:
        """How far every proxy is."""
        user = await session.admit("GET", PROXIES)
        return user if isinstance(user, Status) else self.reports.proxies()

    async def watch_proxies(
        self,
        request: status_pb2.ListProxiesRequest,  # noqa: ARG002 - the form of every call
        session: Session,
    ) -> AsyncGenerator[status_pb2.ListProxiesResponse | Status, None]:
        """The same, now and after every change; a Status is the last."""
        user = await session.admit("GET", f"{PROXIES}?watch=1")
        if isinstance(user, Status):
            yield user
            return
        async with aclosing(self.reports.every_proxies()) as states:
            async for state in states:
                yield state

    async def confirm_removals(
        self, request: status_pb2.ConfirmRemovalsRequest, session: Session
    ) -> status_pb2.ConfirmRemovalsResponse | Status:
        """Lets go what is withheld from a node group, or from all: that is a right to all."""
        named = f"{REMOVALS}/{quote(request.group, safe='')}" if request.group else REMOVALS
        user = await session.admit("PUT", named)
        return user if isinstance(user, Status) else self.reports.confirm_removals(request)

    async def explain(
        self, request: explain_pb2.ExplainRequest, session: Session
    ) -> explain_pb2.ExplainResponse | Status:
        """What becomes of a request; tells of the rights of others."""
        user = await session.admit("POST", EXPLANATIONS)
        if isinstance(user, Status):
            return user
        match await self.answer(request):
            case Broken(reason):
                return Status(500, "InternalError", reason)
            case Unanswerable(reason, now):
                return Status(503, UNDECIDED, reason) if now else bad_request(reason)
            case explained:
                return explained
