"""Who asks, by the word of a front proxy, as kube-apiserver's request-header authenticator takes it.

In: which authorities, names and headers count, and the evidence. Out: the user the front proxy names. Law: nobody is
believed without a certificate of the request-header authorities; one of the client CA alone never speaks for others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from controlplane.auth.chain import Verifier, verifier
from controlplane.auth.escapes import unescaped
from controlplane.auth.evidence import Authenticator, Evidence, Failed, Outcome, Recognised
from controlplane.auth.identity_headers import unfit
from controlplane.model.identity import UserInfo

FRONT_PROXY: Final = "the front proxy"
"""With what the words on a user begin whom a front proxy names."""


@dataclass(frozen=True, slots=True)
class RequestHeaderTrust:
    """Whose word counts, and in which headers (kube-apiserver's --requestheader-* options), whose names are lower case.

    The common name of a front proxy's certificate must be one of `allowed_names`, unless there are none.
    """

    allowed_names: frozenset[str] = frozenset()
    username_headers: tuple[str, ...] = ("x-remote-user",)
    uid_headers: tuple[str, ...] = ()
    group_headers: tuple[str, ...] = ("x-remote-group",)
    extra_prefixes: tuple[str, ...] = ("x-remote-extra-",)

    def lines(self, headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """Those of the header lines (lower-case names) in which who asks can be said."""
        named = frozenset((*self.username_headers, *self.uid_headers, *self.group_headers))
        return tuple((name, value) for name, value in headers if name in named or name.startswith(self.extra_prefixes))


def used(trust: RequestHeaderTrust, evidence: Evidence) -> tuple[str, ...]:
    """The names of the headers that a front proxy's word is made of, each once, in their order."""
    singles = (_place(evidence, trust.username_headers), _place(evidence, trust.uid_headers))
    told = {name for name, value in evidence.asserted if value and name in trust.group_headers}
    told |= {name for name, _ in evidence.asserted if name.startswith(trust.extra_prefixes)}
    return tuple(dict.fromkeys(name for name, _ in evidence.asserted if name in told or name in singles))


def front_proxy(trust: RequestHeaderTrust, authorities: bytes, clock: Callable[[], float]) -> Authenticator:
    """Believes what the holder of a certificate of `authorities` (PEM) says in headers; `clock` gives Unix seconds.

    It says nothing of a request without a user's name in its headers.

    Raises:
        ValueError: when the authorities cannot be parsed.
    """
    chain_of = verifier(authorities, clock)

    async def authenticate(evidence: Evidence) -> Outcome:
        return _told(evidence, trust, chain_of)

    return authenticate


def _told(evidence: Evidence, trust: RequestHeaderTrust, chain_of: Verifier) -> Outcome:
    if evidence.certificate and not evidence.certificate_verified:
        return Failed("the client certificate was not verified by any client CA")
    name = _first(evidence, trust.username_headers)
    if not evidence.certificate or not name:
        return None
    chain = chain_of(evidence)
    if isinstance(chain, Failed):
        return chain
    if trust.allowed_names and chain.common_name not in trust.allowed_names:
        return Failed(f"the client certificate's common name {chain.common_name!r} is no allowed name of a front proxy")
    user = UserInfo(
        name=name,
        uid=_first(evidence, trust.uid_headers),
        groups=tuple(value for header in trust.group_headers for value in evidence.asserted_values(header) if value),
        extra=_extra(evidence, trust.extra_prefixes),
    )
    defect = _defect(user)
    if defect is not None:
        return Failed(f"what the front proxy says {defect}")
    return Recognised(user, chain.not_after, f"{FRONT_PROXY} {chain.common_name}")


def _first(evidence: Evidence, headers: Iterable[str]) -> str:
    """The first line of the first of `headers` whose first line is not empty."""
    return next(iter(evidence.asserted_values(_place(evidence, headers))), "")


def _place(evidence: Evidence, headers: Iterable[str]) -> str:
    """The first of `headers` whose first line is not empty, "" for none."""
    return next((header for header in headers if next(iter(evidence.asserted_values(header)), "")), "")


def _extra(evidence: Evidence, prefixes: Iterable[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    values: dict[str, list[str]] = {}
    for prefix in prefixes:
        for name, value in evidence.asserted:
            if name.startswith(prefix):
                values.setdefault(_key(name.removeprefix(prefix)), []).append(value)
    return tuple((key, tuple(values[key])) for key in sorted(values))


def _key(escaped: str) -> str:
    """The key as Go's PathUnescape reads it; one that is not escaped properly is taken as it is."""
    read = unescaped(escaped)
    # ASCII in lower case: as a header's name an escaped "A" reaches a backend as "a".
    return escaped if read is None else read.lower().decode(errors="surrogateescape")


def _defect(user: UserInfo) -> str | None:
    """Why no header could carry on what was said, None when all can; keys are escaped on the way."""
    values = [user.name, user.uid, *user.groups, *(value for _, several in user.extra for value in several)]
    try:
        "".join([*values, *(key for key, _ in user.extra)]).encode()
    except UnicodeEncodeError:
        return "is not UTF-8"
    return next(filter(None, map(unfit, values)), None)
