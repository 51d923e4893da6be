"""Who asks, what they ask, and what was decided.

Law: the zero value of every verdict is a denial.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from controlplane.model.rbac import Grant


@dataclass(frozen=True, slots=True)
class UserInfo:
    """An authenticated user (authentication.k8s.io/v1 UserInfo); extra keys are lower case, sorted."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """What a request asks for, as kube-apiserver's RequestInfo reads method and path.

    For a non-resource request only `path` and `verb` (the lower-case method) mean something. The selectors are those of
    the verbs list, watch and deletecollection, as they were written, and only narrow what is asked for: one that does
    not parse narrows nothing.
    """

    is_resource_request: bool
    path: str
    verb: str
    api_group: str = ""
    api_version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    field_selector: str = ""
    label_selector: str = ""


class Verdict(Enum):
    """An authorizer's answer: DENY is the zero value, NO_OPINION lets the next one speak and denies at the end."""

    DENY = 0
    ALLOW = 1
    NO_OPINION = 2


@dataclass(frozen=True, slots=True)
class Validity:
    """How far an allowing decision reaches: every request in `scope` with the same credential, until a moment.

    `scope` is in the language of `auth/scope.py`; `grounds` are what it rests on, as `model/revocations.py` names them;
    `until` is in Unix seconds, `inf` where the credential has no end.
    """

    scope: str
    grounds: tuple[str, ...]
    until: float


@dataclass(frozen=True, slots=True)
class Account:
    """How a decision came about, as far as it got: for the audit log, and for whoever asks why.

    `requestor` was authenticated, and became `impersonated` if that is set, by the permission `constraint` ("" for the
    plain verb "impersonate"). `opinion` is what authorization said, None when it was not asked; `reason` is why, where
    it does not follow from `grant`.
    """

    requestor: UserInfo | None = None
    impersonated: UserInfo | None = None
    constraint: str = ""
    opinion: Verdict | None = None
    reason: str = ""
    grant: Grant | None = None


NO_ACCOUNT: Final = Account()


@dataclass(frozen=True, slots=True)
class Decision:
    """What the front door does with one request.

    `user` is set exactly when the request is allowed; `validity` is None when that holds for this request alone.
    Otherwise `status` (an HTTP code) and `body` (a Status object as JSON) are what the client gets, with `headers`
    beside them.
    """

    user: UserInfo | None = None
    status: int = 403
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = field(default=())
    validity: Validity | None = None
    account: Account = NO_ACCOUNT

    @property
    def allowed(self) -> bool:
        """True only when a user was established and every authorizer's answer came to ALLOW."""
        return self.user is not None
