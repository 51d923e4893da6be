"""One request decided by a ruling, and everything that was asked and answered on the way.

In: a question, a ruling, and how long verdicts are kept. Out: identity, verdict and keeping, in words. Law: the
decision is `decide`'s, with the ruling's own authenticators and authorizers; these are listened to and nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from math import isfinite
from typing import Final, TypeAlias

from controlplane.auth import status
from controlplane.auth.authenticate import with_authenticated_group
from controlplane.auth.authorize import Authorizer, Opinion, allowed_by
from controlplane.auth.chain import verifier
from controlplane.auth.decide import decide
from controlplane.auth.evidence import Evidence, Failed, Recognised
from controlplane.auth.ruling import Ruling
from controlplane.auth.scope import in_words, why_alone
from controlplane.auth.service import Keeping as Terms
from controlplane.explaining.asserting import in_words as assertions_in_words
from controlplane.explaining.remembering import why_asked
from controlplane.model.change import ObjectKey
from controlplane.model.explanation import (
    Asked,
    Considered,
    Ground,
    Identity,
    Keeping,
    Named,
    Question,
    Rule,
    Verdict,
)
from controlplane.model.identity import Decision, RequestInfo, UserInfo
from controlplane.model.identity import Verdict as Opined
from controlplane.model.problem import Origin
from controlplane.model.rbac import BindingKey, Grant, PolicyRule, RoleKey

OriginOf: TypeAlias = Callable[[ObjectKey], Origin | None]
"""Where an object in force was read, None when that is not known."""

_CONSIDERED: Final = 100


@dataclass(slots=True)
class _Listening:
    """An authorizer that remembers what it was asked."""

    authorizer: Authorizer
    asked: list[tuple[UserInfo, RequestInfo, Opinion]] = field(default_factory=list)

    async def authorize(self, user: UserInfo, info: RequestInfo) -> Opinion:
        opinion = await self.authorizer.authorize(user, info)
        self.asked.append((user, info, opinion))
        return opinion


@dataclass(frozen=True, slots=True)
class Judged:
    """A decision, and how it came about."""

    decision: Decision
    identity: Identity
    impersonation: tuple[Asked, ...]
    verdict: Verdict
    keeping: Keeping


async def judge(
    question: Question,
    target: str,
    ruling: Ruling,
    terms: Terms | None,
    origin_of: OriginOf,
    clock: Callable[[], float],
) -> Judged:
    """The decision on a question whose normalised target is `target`; `clock` gives Unix seconds."""
    evidence, issuer = _evidence(question, target, ruling, clock)
    found: list[Recognised | Failed] = []

    async def authenticate(shown: Evidence) -> Recognised | Failed:
        if question.user is None:
            found.append(await ruling.authenticate(shown))
        else:
            found.append(Recognised(with_authenticated_group(question.user), by="the question: no credential is shown"))
        return found[-1]

    listening = _Listening(ruling.authorizer)
    decision = await decide(question.method, target, evidence, authenticate, listening)
    now = clock()
    outcome = found[0] if found else None
    # The last question is about the request itself, unless an impersonation was refused before.
    about = listening.asked if decision.account.opinion is None else listening.asked[:-1]
    asserted = assertions_in_words(question.headers, ruling.request_header, evidence, outcome)
    identity = replace(_identity(outcome, decision, asserted), certificate=issuer)
    return Judged(
        decision,
        identity,
        tuple(_asked(*each) for each in about),
        _verdict(decision, listening, ruling, origin_of),
        _keeping(question.method, decision, listening, evidence, outcome, ruling.policy.generation, terms, now),
    )


def _evidence(question: Question, target: str, ruling: Ruling, clock: Callable[[], float]) -> tuple[Evidence, str]:
    """What the request shows, and what is known of the certificate's issuer."""
    headers = question.headers
    if question.bearer_token is not None:
        headers = (*headers, ("authorization", f"Bearer {question.bearer_token.reveal().decode()}"))
    pem, trust = question.client_certificate, ruling.request_header
    if not pem:
        return Evidence(headers=headers, target=target), ""
    own, _, _ = pem.partition("-----END CERTIFICATE-----")
    shown = Evidence(f"{own}-----END CERTIFICATE-----\n", certificate_verified=True, certificate_chain=pem)
    chains = [
        verifier(authority, clock)(shown)
        for authority in (ruling.policy.authorities.users, ruling.policy.authorities.front_proxies)
    ]
    verified = any(not isinstance(chain, Failed) for chain in chains)
    if not isinstance(chains[0], Failed):
        issuer = "issued by the client CA in force, as far as can be told here; in a request Envoy verifies it"
    elif verified:
        issuer = "issued by the CA of front proxies and not by the client CA; in a request Envoy verifies it"
    else:
        issuer = f"{chains[0].reason}; so it counts as not verified"
    asserted = () if trust is None else trust.lines(question.headers)
    evidence = replace(shown, certificate_verified=verified, headers=headers, target=target, asserted=asserted)
    return evidence, issuer


def _identity(outcome: Recognised | Failed | None, decision: Decision, asserted: str) -> Identity:
    if outcome is None:
        return Identity(failure="nobody was asked who it is")
    if isinstance(outcome, Failed):
        return Identity(failure=f"{outcome.reason}{asserted}")
    account = decision.account
    return Identity(
        recognised_by=f"{outcome.by or 'an authenticator'}{asserted}",
        user=outcome.user,
        until=outcome.until if isfinite(outcome.until) else None,
        impersonated=account.impersonated,
        constraint=(account.constraint or "impersonate") if account.impersonated is not None else "",
    )


def _asked(user: UserInfo, info: RequestInfo, opinion: Opinion) -> Asked:
    resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    what = f"{resource} {status.go_quoted(info.name)}" if info.name else resource
    group = f" of the API group {info.api_group}" if info.api_group else ""
    where = f" in the namespace {info.namespace}" if info.namespace else ""
    told = f"{what}{group}{where}" if info.is_resource_request else f"the path {info.path}"
    allowed = opinion.verdict is Opined.ALLOW
    return Asked(f"may {user.name} {info.verb} {told}?", allowed, _reason(opinion))


def _reason(opinion: Opinion) -> str:
    given = "; ".join(part for part in (opinion.error, opinion.reason) if part)
    return given or (_granted(opinion.grant) if opinion.grant is not None else "")


def _granted(grant: Grant) -> str:
    if grant.binding is None:
        return f"members of the group {grant.holder.name} may do everything"
    return allowed_by(grant)


def _verdict(decision: Decision, listening: _Listening, ruling: Ruling, origin_of: OriginOf) -> Verdict:
    generation = ruling.policy.generation
    account = decision.account
    grant = account.grant
    if not decision.allowed:
        # A refused impersonation is answered for what was refused first, anything else for what was asked last.
        asked = listening.asked if account.opinion is None else listening.asked[-1:]
        refused = next((each for each in asked if each[2].verdict is not Opined.ALLOW), None)
        if refused is None or ruling.rbac is None:
            return Verdict(reason=account.reason, generation=generation)
        user, info, opinion = refused
        considered = list(_considered(ruling, user, info.namespace, origin_of))
        return Verdict(
            reason=_reason(opinion),
            considered=tuple(islice(considered, _CONSIDERED)),
            bindings=len(considered),
            generation=generation,
        )
    if grant is None or grant.binding is None or grant.rule is None:
        reason = account.reason or (
            _granted(grant) if grant is not None else "an authorizer allows it and does not say why"
        )
        return Verdict(allowed=True, reason=reason, generation=generation)
    return Verdict(
        allowed=True,
        reason=allowed_by(grant),
        rule=_rule(grant.rule),
        role=role_named(grant.binding.role, origin_of),
        aggregated_from=_aggregated_from(ruling, grant.binding.role, grant.rule, origin_of),
        binding=_binding_named(grant.binding.key, origin_of),
        subject=f"{grant.holder.kind} {grant.holder.name}",
        generation=generation,
    )


def _considered(ruling: Ruling, user: UserInfo, namespace: str, origin_of: OriginOf) -> Iterator[Considered]:
    if ruling.rbac is None:
        return
    for holder, binding in ruling.rbac.bindings(user, namespace):
        rules = ruling.rbac.rules(binding.role)
        yield Considered(
            _binding_named(binding.key, origin_of),
            role_named(binding.role, origin_of),
            f"{holder.kind} {holder.name}",
            len(rules or ()),
            missing=rules is None,
        )


def _keeping(
    method: str,
    decision: Decision,
    listening: _Listening,
    evidence: Evidence,
    outcome: Recognised | Failed | None,
    generation: int,
    terms: Terms | None,
    now: float,
) -> Keeping:
    account = decision.account
    if not decision.allowed or not isinstance(outcome, Recognised):
        return Keeping(not_kept="only what is allowed is kept")
    if account.impersonated is not None:
        return Keeping(not_kept="what is done as somebody else is asked about every time")
    validity, grant = decision.validity, account.grant
    if validity is None or grant is None:
        info = listening.asked[-1][1]
        return Keeping(not_kept=why_alone(evidence.target, info, evidence, outcome.until, grant))
    if terms is None:
        return Keeping(not_kept="the verdict cache is switched off (verdictCache.enabled)")
    asked = why_asked(method, evidence.target, evidence.headers)
    if asked:
        return Keeping(not_kept=asked)
    kept = terms.verdict(validity, generation, now)
    if kept is None:
        return Keeping(not_kept="the credential ends now")
    holder, binding = grant.holder, grant.binding
    where = f" in the namespace {holder.namespace}" if holder.namespace else ""
    words = [f"what {holder.kind} {holder.name} is bound to{where}"]
    if binding is not None:
        named = role_named(binding.role, lambda _: None)
        words.append(f"the rules of {named.kind} {named.name}")
    grounds = tuple(Ground(digest, told) for digest, told in zip(kept.grounds, words, strict=True))
    return Keeping(kept.scope, in_words(kept.scope), kept.seconds, grounds)


def _aggregated_from(ruling: Ruling, key: RoleKey, rule: PolicyRule, origin_of: OriginOf) -> Named | None:
    """The role that a rule of an aggregated role is from."""
    roles = ruling.policy.roles
    if key not in roles or not roles[key].aggregation:
        return None
    owners = (role.key for role in roles.values() if role.key != key and any(each is rule for each in role.rules))
    owner = next(owners, None)
    return None if owner is None else role_named(owner, origin_of)


def role_named(key: RoleKey, origin_of: OriginOf) -> Named:
    """A role by kind and name."""
    return _named("Role" if key.namespace else "ClusterRole", key.namespace, key.name, origin_of)


def _binding_named(key: BindingKey, origin_of: OriginOf) -> Named:
    return _named("RoleBinding" if key.namespace else "ClusterRoleBinding", key.namespace, key.name, origin_of)


def _named(kind: str, namespace: str, name: str, origin_of: OriginOf) -> Named:
    origin = origin_of(ObjectKey(kind, namespace, name))
    return Named(kind, namespace, name, "" if origin is None else str(origin))


def _rule(rule: PolicyRule) -> Rule:
    return Rule(rule.verbs, rule.api_groups, rule.resources, rule.resource_names, rule.non_resource_urls)
