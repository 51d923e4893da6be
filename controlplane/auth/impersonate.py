"""Acting as somebody else: Impersonate-* headers, to the letter of kube-apiserver 1.36.

In: who asks, header lines, and an authorizer. Out: the user that the request is made as, or a refusal.
Law: nobody becomes anybody of whom the authorizer has not allowed every part: name, UID, each group, each extra value.

The permissions of constrained impersonation (KEP-5284) are tried first, from the narrowest on: each needs the verb
`impersonate:MODE` on what is impersonated, and `impersonate-on:MODE:VERB` on what the request is about. The plain verb
`impersonate` is tried last. When none suffices, the refusal of the first that was tried is the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final, TypeAlias

from controlplane.auth import status
from controlplane.auth.authorize import PRIVILEGED_GROUP, Authorizer, aggregated
from controlplane.auth.escapes import unescaped
from controlplane.auth.identity_headers import unfit
from controlplane.model import names
from controlplane.model.identity import Decision, RequestInfo, UserInfo, Verdict
from controlplane.resources import formats

AUTHENTICATED: Final = "system:authenticated"
UNAUTHENTICATED: Final = "system:unauthenticated"

_USER, _UID, _GROUP, _EXTRA = "impersonate-user", "impersonate-uid", "impersonate-group", "impersonate-extra-"
_ANONYMOUS: Final = "system:anonymous"
_NODE: Final = "system:node:"
_NODES_GROUP: Final = "system:nodes"
_ACCOUNT: Final = "system:serviceaccount:"
_NODE_NAME_EXTRA: Final = "authentication.kubernetes.io/node-name"
_NODE_KEYS_EXTRA: Final = "authentication.kubernetes.io/associated-node-keys"
_AUTHENTICATION: Final = "authentication.k8s.io"
# From so many values on, one question about all of them ("*") comes before the questions about each.
_MANY: Final = 4
# Anybody can send a bad request, and what is answered is logged as well.
_LONGEST_SHOWN: Final = 4096
_PATH: Final = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")

_ASSOCIATED_NODE, _ARBITRARY_NODE, _SERVICE_ACCOUNT, _USER_INFO = (
    "associated-node",
    "arbitrary-node",
    "serviceaccount",
    "user-info",
)

_Refusal: TypeAlias = Decision


@dataclass(frozen=True, slots=True)
class Impersonated:
    """Whom a request is made as, and the verb that allowed it: "" for plain `impersonate`."""

    user: UserInfo
    constraint: str


def wanted_user(headers: Iterable[tuple[str, str]]) -> UserInfo | str | None:
    """The user that header lines (lower-case names) ask to be, as they are written; None when they ask for nobody.

    Of several lines the first says the name, or the UID. A text says why the request is a bad one: it names groups, a
    UID or extras and no user, or something that no header could tell a backend. Surrogates stand for what is not UTF-8.
    """
    users: list[str] = []
    uids: list[str] = []
    groups: list[str] = []
    extra: dict[str, list[str]] = {}
    for header, value in headers:
        if header == _USER:
            users.append(value)
        elif header == _UID:
            uids.append(value)
        elif header == _GROUP:
            groups.append(value)
        elif header.startswith(_EXTRA):
            extra.setdefault(_unescaped(header.removeprefix(_EXTRA)), []).append(value)
    name, uid = next(iter(users), ""), next(iter(uids), "")
    if name:
        wanted = UserInfo(name, uid, tuple(groups), tuple((key, tuple(extra[key])) for key in sorted(extra)))
        reason = _untellable(wanted)
        return f"a part of the impersonated user {reason}" if reason else wanted
    if uid or groups or extra:
        long = sum(map(len, (uid, *groups, *extra, *chain.from_iterable(extra.values())))) > _LONGEST_SHOWN
        shown = "what is too long to be repeated" if long else _go_user(uid, groups, extra)
        return f"requested {shown} without impersonating a user name"
    return None


async def impersonate(
    requestor: UserInfo, wanted: UserInfo, info: RequestInfo, authorizer: Authorizer
) -> Impersonated | Decision:
    """The user that `requestor` may be in place of `wanted` for what `info` asks for, or the 403 that refuses it."""
    refusals: list[Decision] = []
    for mode in _modes(requestor, wanted):
        attempt = _Attempt(requestor, wanted, mode, authorizer)
        refusal = (await attempt.on(info) if mode else None) or await attempt.refusal()
        if refusal is None:
            return Impersonated(_whole(wanted, mode), attempt.verb if mode else "")
        refusals.append(refusal)
    return refusals[0]


def _modes(requestor: UserInfo, wanted: UserInfo) -> Iterator[str]:
    """The modes that can be meant, the narrowest first; "" is plain impersonation."""
    only_name = not (wanted.uid or wanted.groups or wanted.extra)
    node, account = _node_of(wanted.name), _account_of(wanted.name)
    if node and only_name:
        if _account_of(requestor.name) and dict(requestor.extra).get(_NODE_NAME_EXTRA) == (node,):
            yield _ASSOCIATED_NODE
        yield _ARBITRARY_NODE
    if account and only_name:
        yield _SERVICE_ACCOUNT
    if not node and not account:
        yield _USER_INFO
    yield ""


class _Attempt:
    """The questions of one mode, asked in kube-apiserver's order; each answers with a refusal, or None."""

    def __init__(self, requestor: UserInfo, wanted: UserInfo, mode: str, authorizer: Authorizer) -> None:
        self._requestor = requestor
        self._wanted = wanted
        self._mode = mode
        self._authorizer = authorizer
        self._group = _AUTHENTICATION if mode else ""
        self.verb = f"impersonate:{mode}" if mode else "impersonate"
        if mode == _ASSOCIATED_NODE:
            # What ties the account to its node has been looked at; what is asked is the same on every node.
            keys = tuple(key for key, _ in requestor.extra)
            self._requestor = replace(requestor, extra=((_NODE_KEYS_EXTRA, keys),))

    async def on(self, info: RequestInfo) -> _Refusal | None:
        """Whether this may be done at all in this mode."""
        return await self._asked(replace(info, verb=f"impersonate-on:{self._mode}:{info.verb}"))

    async def refusal(self) -> _Refusal | None:
        """Whether every part of the wanted user may be impersonated."""
        return await self._name() or await self._uid() or await self._groups() or await self._extra()

    async def _name(self) -> _Refusal | None:
        wanted = self._wanted.name
        question = self._question(self._group, "users", wanted)
        if self._mode and (node := _node_of(wanted)):
            question = replace(question, resource="nodes", name="*" if self._mode == _ASSOCIATED_NODE else node)
        elif account := _account_of(wanted):
            question = replace(question, resource="serviceaccounts", namespace=account[0], name=account[1])
        return await self._asked(question)

    async def _uid(self) -> _Refusal | None:
        if not self._wanted.uid:
            return None
        return await self._asked(self._question(_AUTHENTICATION, "uids", self._wanted.uid))

    async def _groups(self) -> _Refusal | None:
        groups = self._wanted.groups
        question = self._question(self._group, "groups", "")
        if self._mode:
            if "" in groups:
                return self._refused(question, "impersonating the empty string group is not allowed")
            if PRIVILEGED_GROUP in groups:
                reason = f"impersonating the {PRIVILEGED_GROUP} group is not allowed"
                return self._refused(replace(question, name=PRIVILEGED_GROUP), reason)
            if len(groups) >= _MANY and await self._asked(replace(question, name="*")) is None:
                return None
        for group in groups:
            if refusal := await self._asked(replace(question, name=group)):
                return refusal
        return None

    async def _extra(self) -> _Refusal | None:
        extra = self._wanted.extra
        question = self._question(_AUTHENTICATION, "userextras", "")
        if self._mode:
            if defect := next((defect for key, values in extra if (defect := _extra_defect(key, values))), ""):
                return self._refused(question, defect)
            many = sum(len(values) for _, values in extra) >= _MANY
            if many and await self._asked(replace(question, subresource="*", name="*")) is None:
                return None
        for key, values in extra:
            for value in values:
                if refusal := await self._asked(replace(question, subresource=key, name=value)):
                    return refusal
        return None

    def _question(self, group: str, resource: str, name: str) -> RequestInfo:
        return RequestInfo(
            is_resource_request=True,
            path="",
            verb=self.verb,
            api_group=group,
            api_version="v1",
            resource=resource,
            name=name,
        )

    async def _asked(self, question: RequestInfo) -> _Refusal | None:
        opinion = await self._authorizer.authorize(self._requestor, question)
        if opinion.verdict is Verdict.ALLOW:
            return None
        reason = ": ".join(part for part in (opinion.error, opinion.reason) if part)
        return self._refused(question, reason)

    def _refused(self, question: RequestInfo, reason: str) -> _Refusal:
        return status.forbidden(self._requestor, question, reason)


def _whole(wanted: UserInfo, mode: str) -> UserInfo:
    """The wanted user with the groups that come with the name."""
    groups = wanted.groups
    if mode in {_ASSOCIATED_NODE, _ARBITRARY_NODE}:
        groups = (_NODES_GROUP,)
    elif not groups and (account := _account_of(wanted.name)):
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{account[0]}")
    added = UNAUTHENTICATED if wanted.name == _ANONYMOUS else AUTHENTICATED
    if added not in groups and UNAUTHENTICATED not in groups:
        groups = (*groups, added)
    return replace(wanted, groups=groups)


def _node_of(name: str) -> str:
    node = name.removeprefix(_NODE)
    return "" if node == name or names.dns1123_subdomain(node) else node


def _account_of(name: str) -> tuple[str, str] | None:
    """Namespace and name of a service account's user name."""
    namespace, _, account = name.removeprefix(_ACCOUNT).partition(":")
    if not name.startswith(_ACCOUNT) or names.dns1123_label(namespace) or names.dns1123_subdomain(account):
        return None
    return namespace, account


def _extra_defect(key: str, values: tuple[str, ...]) -> str:
    if not key:
        return "impersonating the empty string key in extra is not allowed"
    if problems := list(_key_problems(key)):
        shown = [f"extra.key: Invalid value: {status.go_quoted(part)}: {problem}" for part, problem in problems]
        return f"impersonating an invalid key in extra is not allowed: {aggregated(shown)}"
    if key != key.lower():
        return f"impersonating a non-lowercase key in extra is not allowed: {status.go_quoted(key)}"
    return "impersonating the empty string value in extra is not allowed" if "" in values else ""


def _key_problems(key: str) -> Iterator[tuple[str, str]]:
    """Each part of the key that is not as it must be, and how it must be."""
    domain, _, path = key.partition("/")
    if not domain or not path:
        yield key, 'must be a domain-prefixed path (such as "acme.io/foo")'
        return
    yield from ((domain, problem) for problem in formats.dns1123_subdomain(domain, "bytes"))
    if re.fullmatch(_PATH, path) is None:
        yield path, f"Invalid path (regex used for validation is '{_PATH}')"


def _untellable(wanted: UserInfo) -> str:
    values = (wanted.name, wanted.uid, *wanted.groups, *(value for _, values in wanted.extra for value in values))
    if any(map(_SURROGATE.search, (*values, *(key for key, _ in wanted.extra)))):
        return "is not UTF-8"
    return next((reason for value in values if (reason := unfit(value))), "")


def _unescaped(key: str) -> str:
    """The key of an extra, percent-decoded; as it is where that does not decode."""
    read = unescaped(key)
    return key if read is None else read.decode(errors="surrogateescape")


def _go_user(uid: str, groups: list[str], extra: dict[str, list[str]]) -> str:
    """The user without a name, in Go's syntax, as kube-apiserver's message shows it."""
    pairs = ", ".join(f"{status.go_quoted(key)}:{_go_texts(extra[key])}" for key in sorted(extra))
    shown = f"map[string][]string{{{pairs}}}" if extra else "map[string][]string(nil)"
    uid = status.go_quoted(uid)
    return f'&user.DefaultInfo{{Name:"", UID:{uid}, Groups:{_go_texts(groups)}, Extra:{shown}}}'


def _go_texts(texts: list[str]) -> str:
    return f"[]string{{{', '.join(map(status.go_quoted, texts))}}}" if texts else "[]string(nil)"
