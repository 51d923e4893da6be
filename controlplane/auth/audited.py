"""What the audit log is to say of a decision.

In: a `Decision`. Out: JSON, the part of an audit.k8s.io/v1 Event that only authorization knows. Law: it is said in
kube-apiserver's words, of refused requests too, and holds no credential.

`user` is who was authenticated, `impersonatedUser` whom that user became. The annotations are there when authorization
was asked, as in kube-apiserver: not for a request that nobody was recognised in, or that may not impersonate.
"""

from __future__ import annotations

from typing import Final

import orjson

from controlplane.auth.authorize import allowed_by
from controlplane.model.identity import Account, Decision, UserInfo, Verdict

_DECISION: Final = "authorization.k8s.io/decision"
_REASON: Final = "authorization.k8s.io/reason"
_ERROR: Final = 500


def audit_text(decision: Decision) -> str:
    """The text; it travels in dynamic metadata, and Envoy keeps it beside a verdict."""
    account = decision.account
    said: dict[str, object] = {}
    if account.requestor is not None:
        said["user"] = _user(account.requestor)
    if account.impersonated is not None:
        said["impersonatedUser"] = _user(account.impersonated)
        if account.constraint:
            said["authenticationMetadata"] = {"impersonationConstraint": account.constraint}
    if account.opinion is not None:
        said["annotations"] = _annotations(account, decision.status)
    if not decision.allowed:
        status = orjson.loads(decision.body)
        said["responseStatus"] = {name: status[name] for name in status if name not in {"kind", "apiVersion"}}
    try:
        return orjson.dumps(said).decode()
    except orjson.JSONEncodeError:
        # A name that came in as bytes that are no UTF-8: shown escaped rather than not at all.
        return orjson.dumps(_escaped(said)).decode()


def _annotations(account: Account, status: int) -> dict[str, str]:
    if account.opinion is Verdict.ALLOW:
        reason = account.reason or (allowed_by(account.grant) if account.grant is not None else "")
        return {_DECISION: "allow", _REASON: reason}
    return {_REASON: "internal error"} if status == _ERROR else {_DECISION: "forbid", _REASON: account.reason}


def _user(user: UserInfo) -> dict[str, object]:
    shown: dict[str, object] = {
        "username": user.name,
        "uid": user.uid,
        "groups": user.groups,
        "extra": dict(user.extra),
    }
    return {name: value for name, value in shown.items() if value}


def _escaped(value: object) -> object:
    match value:
        case str():
            return value.encode(errors="backslashreplace").decode()
        case dict():
            return {_escaped(key): _escaped(each) for key, each in value.items()}
        case list() | tuple():
            return [_escaped(each) for each in value]
    return value
