"""What authorization says for the audit log, in kube-apiserver's words."""

from __future__ import annotations

from dataclasses import replace

import orjson

from controlplane.auth import status
from controlplane.auth.audited import audit_text
from controlplane.model.identity import Account, Decision, RequestInfo, UserInfo, Verdict
from controlplane.model.rbac import BindingKey, Grant, Holder, RoleBinding, RoleKey, Subject

ALICE = UserInfo("alice", "7", ("devs",), (("scopes", ("a", "b")),))
BOB = UserInfo("bob")
INFO = RequestInfo(is_resource_request=False, path="/x", verb="get")
BINDING = RoleBinding(BindingKey("", "b"), RoleKey("", "r"), (Subject("User", "alice"),))
GRANT = Grant(Holder("User", "alice", ""), BINDING)


def said(decision: Decision) -> dict[str, object]:
    """The text, read."""
    read: dict[str, object] = orjson.loads(audit_text(decision))
    return read


def test_an_allowed_request_names_user_and_rule() -> None:
    """UserInfo without what is empty, and the reason of the binding."""
    assert said(Decision(user=ALICE, account=Account(ALICE, opinion=Verdict.ALLOW, grant=GRANT))) == {
        "user": {"username": "alice", "uid": "7", "groups": ["devs"], "extra": {"scopes": ["a", "b"]}},
        "annotations": {
            "authorization.k8s.io/decision": "allow",
            "authorization.k8s.io/reason": 'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to User "alice"',
        },
    }


def test_an_impersonation_names_both_users() -> None:
    """And the constraint, where there is one."""
    account = Account(BOB, ALICE, "impersonate:user-info", Verdict.ALLOW, "because")
    told = said(Decision(user=ALICE, account=account))

    assert told["user"] == {"username": "bob"}
    assert told["impersonatedUser"]["username"] == "alice"  # type: ignore[index] -- JSON
    assert told["authenticationMetadata"] == {"impersonationConstraint": "impersonate:user-info"}
    assert told["annotations"]["authorization.k8s.io/reason"] == "because"  # type: ignore[index] -- JSON
    assert "authenticationMetadata" not in said(Decision(user=ALICE, account=replace(account, constraint="")))


def test_a_refusal_has_its_status() -> None:
    """403 with decision and reason; a failed authorizer has no decision; 401 has nothing but the status."""
    forbidden = replace(status.forbidden(BOB, INFO, "no"), account=Account(BOB, opinion=Verdict.DENY, reason="no"))
    failed = replace(status.internal_error("x"), account=Account(BOB, opinion=Verdict.DENY, reason="secret detail"))

    told = said(forbidden)
    assert told["annotations"] == {"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": "no"}
    assert told["responseStatus"]["code"] == 403  # type: ignore[index] -- JSON
    assert "kind" not in told["responseStatus"]  # type: ignore[operator] -- JSON
    assert said(failed)["annotations"] == {"authorization.k8s.io/reason": "internal error"}
    assert said(status.unauthorized()) == {
        "responseStatus": {
            "metadata": {},
            "status": "Failure",
            "message": "Unauthorized",
            "reason": "Unauthorized",
            "code": 401,
        }
    }


def test_a_name_that_is_not_utf_8_is_escaped() -> None:
    """A refused user's name may be any bytes."""
    odd = UserInfo("caf\udce9", groups=("g\udcff",))

    told = said(replace(status.forbidden(BOB, INFO), account=Account(odd, opinion=Verdict.DENY)))

    assert told["user"] == {"username": "caf\\udce9", "groups": ["g\\udcff"]}
