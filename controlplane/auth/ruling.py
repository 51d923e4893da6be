"""What decides: a policy together with the living authenticators and authorizers that belong to it.

In: policies, and descriptions of what their files say. Out: rulings, each whole. Law: a ruling's authenticators are
those of its own policy's files and certificates, so that a verdict given under a policy was found by them too; only
what cannot be used, be it files or client CAs, leaves in force what took its place before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import structlog
from prometheus_client import CollectorRegistry

from controlplane.aio import Watchable
from controlplane.auth.authenticate import Authentication, Clock, authenticator
from controlplane.auth.authorize import Authorizer, PrivilegedGroups, union
from controlplane.auth.decisions import Decisions
from controlplane.auth.description import Description
from controlplane.auth.evidence import Evidence, Failed, Recognised, TokenAuthenticator
from controlplane.auth.front_proxy import RequestHeaderTrust
from controlplane.auth.jwt.authenticators import JwtAuthenticators
from controlplane.auth.jwt.metrics import JwtMetrics
from controlplane.auth.rbac import Rbac
from controlplane.auth.webhook.chain import authorizers
from controlplane.auth.webhook.client import Surroundings
from controlplane.auth.webhook.described import Local
from controlplane.auth.webhook.metrics import WebhookMetrics
from controlplane.auth.webhook.tokens import token_reviews
from controlplane.egress.proxying import DIRECT, Proxies
from controlplane.errors import SettingsError
from controlplane.model.auth_files import AuthFiles
from controlplane.model.credentials import ClientAuthorities
from controlplane.model.policy import Policy

# Requests that are being decided when files are replaced are decided to their end by what was in force. Envoy waits no
# longer than this for an answer.
_GRACE_SECONDS: Final = 60.0

_log = structlog.stdlib.get_logger("auth")


Authenticate: TypeAlias = Callable[[Evidence], Awaitable[Recognised | Failed]]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What is in force at one moment; a request is decided by one of them from its first question to its last.

    `rbac` is the part of `authorizer` that goes by bindings, None when none does; `request_header` says which headers
    front proxies may say who asks in, None that nobody may.
    """

    policy: Policy
    authenticate: Authenticate
    authorizer: Authorizer
    rbac: Rbac | None = None
    request_header: RequestHeaderTrust | None = None


@dataclass(frozen=True, slots=True)
class RulingMetrics:
    """Who is told of what authenticators and authorizers do."""

    webhooks: WebhookMetrics
    jwt: JwtMetrics
    decisions: Decisions

    @classmethod
    def of(cls, registry: CollectorRegistry, clock: Clock) -> RulingMetrics:
        """Metrics in a registry; `clock` gives Unix seconds."""
        return cls(WebhookMetrics(registry), JwtMetrics(registry, clock), Decisions(registry))


@dataclass(frozen=True, slots=True)
class _Living:
    """What was made of a description; leaving the stack ends it."""

    description: Description
    jwt: JwtAuthenticators
    authentication: Authentication
    around: Callable[[Authorizer], tuple[Authorizer, ...]]
    stack: AsyncExitStack


class Rulings:
    """Makes rulings while it runs; there is none before the first policy, whose generation is 1."""

    def __init__(
        self,
        policies: Watchable[Policy],
        describe: Callable[[AuthFiles], Description],
        metrics: RulingMetrics,
        *,
        clock: Clock,
        key: bytes,
        proxies: Proxies = DIRECT,
    ) -> None:
        """`describe` may raise a SettingsError, `clock` gives Unix seconds, `key` is 16 random bytes or more.

        `proxies` says how issuers and webhooks are reached.
        """
        self._policies = policies
        self._describe = describe
        self._metrics = metrics
        self._clock = clock
        self._key = key
        self._proxies = proxies
        self.latest: Watchable[Ruling | None] = Watchable(None)

    async def run(self) -> None:
        """Follows the policies until it is cancelled.

        Raises:
            SettingsError: when the first policy's files cannot be used.
        """
        policy = self._policies.value
        if not policy.generation:
            policy = await self._policies.changed(policy)
        async with AsyncExitStack() as everything:
            living = await self._made(self._describe(policy.files), everything)
            rbac = Rbac(policy)
            authorities = policy.authorities
            try:
                authenticate = authenticator(living.authentication, self._clock, authorities)
            except ValueError as error:
                raise SettingsError("a client CA cannot be used; put PEM certificates into its file") from error
            async with asyncio.TaskGroup() as tasks:
                while True:
                    chain = living.description.chain
                    counted = self._metrics.decisions.counted(chain, living.around(rbac))
                    asked, among = union(PrivilegedGroups(), *counted), Local.RBAC in chain
                    asserted = living.description.request_header
                    self.latest.publish(Ruling(policy, authenticate, asked, rbac if among else None, asserted))
                    before, policy = policy, await self._policies.changed(policy)
                    rbac = rbac.following(policy)
                    others = policy.authorities is not before.authorities
                    if policy.files is not before.files:
                        made = await self._remade(policy.files, living, everything)
                        if made.stack is not living.stack:
                            tasks.create_task(_ended(living.stack), name="retired authenticators")
                        others |= made is not living
                        living = made
                    if others:
                        authenticate, authorities = self._authenticating(living, policy.authorities, authorities)

    def _authenticating(
        self, living: _Living, wanted: ClientAuthorities, before: ClientAuthorities
    ) -> tuple[Authenticate, ClientAuthorities]:
        """What authenticates with the authorities `wanted`, else with those `before`; and which of them it was."""
        try:
            return authenticator(living.authentication, self._clock, wanted), wanted
        except ValueError as error:
            # Its source has looked at the file, block by block; what is wrong with it as a whole is found here.
            _log.error("client CAs cannot be used; the ones before stay in force", reason=str(error))
            return authenticator(living.authentication, self._clock, before), before

    async def _remade(self, files: AuthFiles, living: _Living, everything: AsyncExitStack) -> _Living:
        """What is to live after the files were replaced: as much of what lives now as still fits."""
        try:
            description = self._describe(files)
            if _lasting(description) != _lasting(living.description):
                return await self._made(description, everything, living.jwt)
        except SettingsError as error:
            # The source of the files has looked at them, so only what changed on this machine since can fail.
            _log.error("authentication files cannot be used; the ones before stay in force", reason=str(error))
            return living
        kinds = living.authentication.token_authenticators
        return replace(living, description=description, authentication=_authentication(description, kinds))

    async def _made(
        self, description: Description, everything: AsyncExitStack, before: JwtAuthenticators | None = None
    ) -> _Living:
        async with AsyncExitStack() as making:
            # Keys that were fetched before are good until they are fetched anew.
            verifying = JwtAuthenticators(
                description.jwt,
                clock=self._clock,
                predecessor=before,
                proxies=self._proxies,
                metrics=self._metrics.jwt,
            )
            surroundings, metrics = Surroundings(proxies=self._proxies), self._metrics.webhooks
            jwt = await making.enter_async_context(verifying)
            kinds: list[TokenAuthenticator] = [jwt.authenticate]
            if description.reviews is not None:
                reviewed = token_reviews(
                    description.reviews, metrics, clock=self._clock, key=self._key, surroundings=surroundings
                )
                kinds.append(await making.enter_async_context(reviewed))
            asking = authorizers(description.chain, metrics, surroundings=surroundings)
            around = await making.enter_async_context(asking)
            stack = making.pop_all()
        everything.push_async_callback(stack.aclose)
        return _Living(description, jwt, _authentication(description, tuple(kinds)), around, stack)


def _lasting(description: Description) -> tuple[object, ...]:
    """What has connections, keys and answers worth keeping."""
    return (description.jwt, description.reviews, description.chain)


def _authentication(description: Description, kinds: tuple[TokenAuthenticator, ...]) -> Authentication:
    return Authentication(
        tokens=description.tokens,
        token_authenticators=kinds,
        request_header=description.request_header,
        anonymous=description.anonymous,
    )


async def _ended(stack: AsyncExitStack) -> None:
    await asyncio.sleep(_GRACE_SECONDS)
    await stack.aclose()
