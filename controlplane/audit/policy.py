"""Which requests are audited, and at which stages.

In: a user's name and groups and a `RequestInfo`. Out: a `Ruling`. Law: the first rule that matches decides, and what no
rule matches is not audited, as in kube-apiserver.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from controlplane.model.identity import RequestInfo

REQUEST_RECEIVED: Final = "RequestReceived"
RESPONSE_STARTED: Final = "ResponseStarted"
RESPONSE_COMPLETE: Final = "ResponseComplete"
STAGES: Final = (REQUEST_RECEIVED, RESPONSE_STARTED, RESPONSE_COMPLETE, "Panic")


class Level(Enum):
    """How much of a request is told: nothing is the zero value.

    Request and RequestResponse differ from Metadata by bodies. Those of requests through Envoy are not read, so these
    are told as Metadata.
    """

    NONE = "None"
    METADATA = "Metadata"
    REQUEST = "Request"
    REQUEST_RESPONSE = "RequestResponse"


@dataclass(frozen=True, slots=True)
class GroupResources:
    """Resources of one API group ("" is the core group, "*" any); no resources: all of it."""

    group: str = ""
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of an audit.k8s.io/v1 Policy; an empty field matches everything."""

    level: Level
    users: frozenset[str] = frozenset()
    user_groups: frozenset[str] = frozenset()
    verbs: frozenset[str] = frozenset()
    resources: tuple[GroupResources, ...] = ()
    namespaces: frozenset[str] = frozenset()
    non_resource_urls: tuple[str, ...] = ()
    omit_stages: frozenset[str] = frozenset()
    omit_managed_fields: bool = False


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a policy says of one request: how much of it is told, at which stages not, and what bodies go without."""

    level: Level = Level.NONE
    omit_stages: frozenset[str] = frozenset()
    omit_managed_fields: bool = False

    @property
    def audited(self) -> bool:
        """Whether anything is told."""
        return self.level is not Level.NONE


@dataclass(frozen=True, slots=True)
class AuditPolicy:
    """The rules in order, and the stages that all of them leave out."""

    rules: tuple[Rule, ...] = ()
    omit_stages: frozenset[str] = frozenset()

    def ruling(self, user: str | None, groups: Iterable[str], info: RequestInfo) -> Ruling:
        """The ruling on a request of `user`, None when nobody was recognised."""
        for rule in self.rules:
            if _matches(rule, user, groups, info):
                return Ruling(rule.level, self.omit_stages | rule.omit_stages, rule.omit_managed_fields)
        return Ruling()


def _matches(rule: Rule, user: str | None, groups: Iterable[str], info: RequestInfo) -> bool:
    if rule.users and user not in rule.users:
        return False
    if rule.user_groups and (user is None or rule.user_groups.isdisjoint(groups)):
        return False
    if rule.verbs and info.verb not in rule.verbs:
        return False
    if rule.namespaces or rule.resources:
        return info.is_resource_request and _matches_resource(rule, info)
    if rule.non_resource_urls:
        return not info.is_resource_request and any(_url_matches(url, info.path) for url in rule.non_resource_urls)
    return True


def _matches_resource(rule: Rule, info: RequestInfo) -> bool:
    if rule.namespaces and info.namespace not in rule.namespaces:
        return False
    return not rule.resources or any(_holds(each, info) for each in rule.resources)


def _holds(listed: GroupResources, info: RequestInfo) -> bool:
    if listed.group not in {info.api_group, "*"}:
        return False
    if not listed.resources:
        return True
    if listed.resource_names and info.name not in listed.resource_names:
        return False
    # RBAC differs: there "resource/*" is no pattern.
    wanted = {"*", f"{info.resource}/*"}
    if info.subresource:
        wanted |= {f"{info.resource}/{info.subresource}", f"*/{info.subresource}"}
    else:
        wanted.add(info.resource)
    return not wanted.isdisjoint(listed.resources)


def _url_matches(url: str, path: str) -> bool:
    return url in {"*", path} or (url.endswith("*") and path.startswith(url.rstrip("*")))
