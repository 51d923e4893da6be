"""The whole decision on one request, in kube-apiserver's order.

In: method, path, evidence, and the authenticator and authorizer in force. Out: a `Decision`.
Law: only a request that passes every step is allowed; whatever is not ALLOW denies.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from controlplane.auth import status
from controlplane.auth.authorize import Authorizer
from controlplane.auth.evidence import Evidence, Failed, Recognised
from controlplane.auth.impersonate import impersonate, wanted_user
from controlplane.auth.requestinfo import Unreadable, asked_by_path, check_path, heeding_query
from controlplane.auth.scope import validity_of
from controlplane.model.identity import Account, Decision, Verdict


async def decide(
    method: str,
    target: str,
    evidence: Evidence,
    authenticate: Callable[[Evidence], Awaitable[Recognised | Failed]],
    authorizer: Authorizer,
) -> Decision:
    """The decision on `method` and `target` (raw path with query) for whoever shows `evidence`.

    400 for a path with more than one reading, 500 for one that kube-apiserver cannot read either, then 401, then 400 or
    403 for an impersonation, then 403, or 500 when nobody allows and an authorizer could not be asked.
    """
    defect = check_path(target)
    if defect is not None:
        return status.bad_request(f"the request path {defect}, and might be read in more than one way")
    asked = asked_by_path(method, target)
    if isinstance(asked, Unreadable):
        return status.internal_error(f"failed to create RequestInfo: {asked.reason}")
    recognised = await authenticate(evidence)
    if isinstance(recognised, Failed):
        return status.unauthorized()
    account = Account(recognised.user)
    # Not before somebody is known: anybody can write a query of any size.
    info = heeding_query(asked, target)
    wanted = wanted_user(evidence.headers)
    if isinstance(wanted, str):
        return replace(status.bad_request(wanted), account=account)
    if wanted is not None:
        outcome = await impersonate(recognised.user, wanted, info, authorizer)
        if isinstance(outcome, Decision):
            return replace(outcome, account=account)
        account = Account(recognised.user, outcome.user, outcome.constraint)
    user = recognised.user if account.impersonated is None else account.impersonated
    opinion = await authorizer.authorize(user, info)
    account = replace(account, opinion=opinion.verdict, reason=opinion.reason or opinion.error, grant=opinion.grant)
    if opinion.verdict is Verdict.ALLOW:
        # What holds for somebody else's sake is asked about every time.
        validity = validity_of(target, info, evidence, recognised.until, opinion.grant) if wanted is None else None
        return Decision(user=user, validity=validity, account=account)
    if opinion.error:
        return replace(status.internal_error(opinion.error), account=account)
    return replace(status.forbidden(user, info, opinion.reason), account=account)
