"""What the StatusService tells, and the one thing that it does.

In: how the parts of a control plane are asked. Out: responses. Law: only a confirmation changes anything, and that is
to let go what was wanted already; a watch tells at most one state between two pauses, the latest.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass

from controlplane.admin import proxies, removals, status
from controlplane.admin.conditions import Standing, Taken
from controlplane.aio import Watchable
from controlplane.api.v1 import status_pb2
from controlplane.model.problem import Problem
from controlplane.model.proxy import Proxy
from controlplane.model.topology import Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """Reports of the moment in which they are asked for.

    `problems` and `connected` give the problems and proxies there are now, `epoch` what to add to a proxy's times to
    get seconds since 1970. A watch of proxies looks again whenever `pause` has returned. `withheld` gives the removals
    that wait for `confirm`, which confirms those of a node group, or of every group, and says how many streams that
    released; without the two nothing is ever withheld. `taken` gives what proxies take without looking at each of them;
    None looks. `watched` gives the proxies to watches, of which there may be many; None looks for each of them.
    """

    topology: Watchable[Topology]
    problems: Callable[[], Iterable[Problem]]
    connected: Callable[[], tuple[Proxy, ...]]
    epoch: Callable[[], float]
    pause: Callable[[], Awaitable[None]]
    withheld: Callable[[], Iterable[removals.Withheld]] = tuple
    confirm: Callable[[str | None], int] = lambda _: 0
    taken: Callable[[], Taken] | None = None
    watched: Callable[[], tuple[Proxy, ...]] | None = None

    def standing(self) -> Standing:
        """How APIServices stand."""
        return Standing(self.topology.value, self.taken or (lambda: Taken.by(self.connected())))

    def status(self) -> status_pb2.GetStatusResponse:
        """The status of registrations, and what is wrong."""
        return status.response(self.topology.value, self.problems(), self.connected(), self.withheld())

    def proxies(self) -> status_pb2.ListProxiesResponse:
        """How far every proxy is."""
        return proxies.response(self.connected(), self.epoch())

    async def every_proxies(self) -> AsyncGenerator[status_pb2.ListProxiesResponse, None]:
        """The same, now and after every change, without an end."""
        told: tuple[Proxy, ...] | None = None
        look = self.watched or self.connected
        while True:
            latest = look()
            if latest != told:
                told = latest
                yield proxies.response(latest, self.epoch())
            await self.pause()

    def confirm_removals(self, request: status_pb2.ConfirmRemovalsRequest) -> status_pb2.ConfirmRemovalsResponse:
        """Lets go what is withheld from a node group, or from all."""
        group = request.group if request.HasField("group") else None
        waiting = [one for one in self.withheld() if group is None or one.group == group]
        streams = self.confirm(group)
        return removals.released(waiting if streams else (), streams)
