"""The whole answer to what becomes of a request.

In: a question; the latest ruling, topology and snapshots. Out: an `Explanation`, or why there is none. Law: all that is
told was in force at one moment, and nothing is sent to any backend.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import orjson

from controlplane.aio import Watchable
from controlplane.auth.requestinfo import Unreadable, check_path, request_info
from controlplane.auth.ruling import Ruling
from controlplane.auth.selector import field_requirements, label_requirements
from controlplane.auth.service import Keeping
from controlplane.explaining.judging import OriginOf, judge
from controlplane.explaining.routing import holdings, routed
from controlplane.model.explanation import Explanation, Question, Request, Unanswerable
from controlplane.model.proxy import Proxy
from controlplane.model.selector import Requirement
from controlplane.model.topology import Topology
from controlplane.snapshot.cache import SnapshotCache
from controlplane.translation.listeners import PATH_REFUSED, UPGRADES
from controlplane.translation.selection import normalised

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
_UNSEEN: Final = re.compile(r"[\x00-\x20\x7f]")
_BAD_REQUEST: Final = 400
_UPGRADE_REFUSED: Final = 403


class Explainer:
    """Answers questions by what is in force at the moment of each."""

    def __init__(
        self,
        rulings: Watchable[Ruling | None],
        topology: Watchable[Topology],
        snapshots: SnapshotCache,
        connected: Callable[[], tuple[Proxy, ...]],
        *,
        groups: tuple[str, ...],
        keeping: Keeping | None,
        clock: Callable[[], float],
        origin_of: OriginOf,
    ) -> None:
        """`groups` are the names of the node groups, "" alone where there are none; `clock` gives Unix seconds."""
        self._rulings = rulings
        self._topology = topology
        self._snapshots = snapshots
        self._connected = connected
        self._groups = groups
        self._keeping = keeping
        self._clock = clock
        self._origin_of = origin_of

    async def explain(self, question: Question) -> Explanation | Unanswerable:
        """The answer to one question; may ask webhooks as the request itself would."""
        defect = _defect(question)
        if defect:
            return Unanswerable(defect)
        group = self._groups[0] if question.node_group is None else question.node_group
        if group not in self._groups and self._groups == ("",):
            return Unanswerable("there are no node groups here; name none")
        if group not in self._groups or (question.node_group is None and len(self._groups) > 1):
            return Unanswerable(f"node groups are served different APIs; name one of {', '.join(self._groups)}")
        ruling, topology, snapshot = self._rulings.value, self._topology.value, self._snapshots.latest(group)
        if ruling is None or snapshot is None:
            return Unanswerable(
                "the control plane has not read everything yet and decides nothing; ask again when /readyz answers 200",
                now=True,
            )
        target = normalised(question.target)
        if target is None:
            request = Request(question.method, question.target, refused=PATH_REFUSED)
            return Explanation(served=False, status=_BAD_REQUEST, message=PATH_REFUSED, request=request)
        question = replace(question, headers=_seen(question.headers))
        judged = await judge(question, target, ruling, self._keeping, self._origin_of, self._clock)
        upgrade = next((value for name, value in question.headers if name == "upgrade"), None)
        found = routed(target, topology, snapshot, self._origin_of, upgrade=upgrade or "", group=group)
        status, message = 0, ""
        if upgrade is not None and upgrade.lower() not in {known.lower() for known in UPGRADES}:
            status, message = _UPGRADE_REFUSED, f"Envoy changes to no other protocol than {' and '.join(UPGRADES)}"
        elif not judged.decision.allowed:
            status, message = judged.decision.status, str(orjson.loads(judged.decision.body)["message"])
        elif found.route is not None:
            status, message = found.route.status, found.route.message
        return Explanation(
            served=status == 0 and found.destination is not None,
            status=status,
            message=message,
            request=_request(question, target),
            identity=judged.identity,
            impersonation=judged.impersonation,
            verdict=judged.verdict,
            keeping=judged.keeping,
            route=found.route,
            destination=found.destination,
            proxies=holdings(self._connected(), found.needs, group),
        )


def _defect(question: Question) -> str:
    """What makes it a question that no HTTP client could ask; "" for nothing."""
    if question.method not in _METHODS:
        verbs = "verbs such as list and watch follow from method and path"
        return f"{question.method!r} is no HTTP method; write one of {', '.join(_METHODS)} ({verbs})"
    if not question.target.startswith("/"):
        return f"the path {question.target!r} does not begin with a slash; write it as in a URL, from / on"
    if _UNSEEN.search(question.target):
        return "the path holds a space or a control character; percent-encode it"
    if any(name == "authorization" for name, _ in question.headers):
        return "an Authorization header is among the headers; give its token as bearer token"
    if question.bearer_token is not None and _UNSEEN.search(question.bearer_token.reveal().decode()):
        return "the bearer token holds a space or a control character; give the token alone"
    if question.user is not None and not question.user.name:
        return "the user has no name; name one, or nobody at all"
    return ""


def _seen(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The headers without an Upgrade that Envoy takes away: one that Connection does not name, or one to h2c."""
    connection = {
        token.strip().lower() for name, value in headers if name == "connection" for token in value.split(",")
    }
    gone = "upgrade" not in connection or any(name == "upgrade" and value.lower() == "h2c" for name, value in headers)
    return tuple(each for each in headers if not (gone and each[0] == "upgrade"))


def _request(question: Question, target: str) -> Request:
    given = "" if target == question.target else question.target
    defect = check_path(target)
    plain = Request(question.method, target, given=given)
    if defect is not None:
        return replace(plain, refused=f"the path {defect}")
    info = request_info(question.method, target)
    if isinstance(info, Unreadable):
        return replace(plain, refused=info.reason)
    return replace(
        plain,
        resource=info.is_resource_request,
        verb=info.verb,
        api_group=info.api_group,
        api_version=info.api_version,
        namespace=info.namespace,
        resource_name=info.resource,
        subresource=info.subresource,
        name=info.name,
        field_selector=_selector(field_requirements(info.field_selector)),
        label_selector=_selector(label_requirements(info.label_selector)),
    )


def _selector(requirements: tuple[Requirement, ...]) -> str:
    return ", ".join(
        f"{each.key} {each.operator} ({', '.join(each.values)})" if each.values else f"{each.key} {each.operator}"
        for each in requirements
    )
