"""The whole decision on one request, in kube-apiserver's order.

In: method, path, evidence, and the authenticator and authorizer in force. Out: a `Decision`.
Law: only a request that passes every step is allowed; whatever is not ALLOW denies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from controlplane.auth import status
from controlplane.auth.authorize import Authorizer
from controlplane.auth.evidence import Evidence, Failed, Recognised
from controlplane.auth.requestinfo import Unreadable, check_path, request_info
from controlplane.auth.scope import validity_of
from controlplane.model.identity import Decision, Verdict

# "-" and "_" are one character to some servers.
IMPERSONATION: Final = ("impersonate-", "impersonate_")


def decide(
    method: str,
    target: str,
    evidence: Evidence,
    authenticate: Callable[[Evidence], Recognised | Failed],
    authorizer: Authorizer,
) -> Decision:
    """The decision on `method` and `target` (raw path with query) for whoever shows `evidence`.

    400 for a path with more than one reading, 500 for one that kube-apiserver cannot read either, then 401, then the
    refusal of impersonation, then 403.
    """
    defect = check_path(target)
    if defect is not None:
        return status.bad_request(f"the request path {defect}, and might be read in more than one way")
    info = request_info(method, target)
    if isinstance(info, Unreadable):
        return status.internal_error(f"failed to create RequestInfo: {info.reason}")
    recognised = authenticate(evidence)
    if isinstance(recognised, Failed):
        return status.unauthorized()
    user = recognised.user
    if any(name.startswith(IMPERSONATION) for name, _ in evidence.headers):
        return status.impersonation_refused(user)
    opinion = authorizer.authorize(user, info)
    if opinion.verdict is not Verdict.ALLOW:
        return status.forbidden(user, info, opinion.reason)
    return Decision(user=user, validity=validity_of(target, info, evidence, recognised.until, opinion.grant))
