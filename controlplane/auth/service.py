"""The ext_authz face: Envoy asks for every request, and is answered with an identity or a refusal.

In: serialised CheckRequests (envoy.service.auth.v3) and the watched policy and authentication. Out: serialised
CheckResponses. Law: an answer allows only when a `Decision` with a user says so; anything unforeseen is answered 500.

An allowing answer changes no header by itself: it carries the dynamic metadata {"identity": [name, value, ...]}, which
Envoy's Lua filter writes as one header line each, because ext_authz cannot repeat a header; and, where the decision
reaches beyond the request, {"verdict": {...}}, which lets Envoy answer the next such request by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

import grpc
import structlog
from envoy.service.auth.v3 import external_auth_pb2
from prometheus_client import CollectorRegistry

from controlplane.aio import Watchable
from controlplane.auth import status
from controlplane.auth.authenticate import Authentication, Clock, authenticator
from controlplane.auth.authorize import Authorizer, PrivilegedGroups, Rbac, union
from controlplane.auth.decide import IMPERSONATION, decide
from controlplane.auth.evidence import Evidence, Failed, Recognised
from controlplane.auth.identity_headers import identity_headers
from controlplane.auth.metrics import AuthorizationMetrics
from controlplane.model.identity import Decision, UserInfo, Validity
from controlplane.model.policy import Policy

SERVICE: Final = "envoy.service.auth.v3.Authorization"
TLS_METADATA: Final = "isthmus.tls"
VERIFIED_FIELD: Final = "client_certificate_verified"
IDENTITY_FIELD: Final = "identity"
VERDICT_FIELD: Final = "verdict"

_KEPT: Final = 4096
_RETRY_AFTER: Final = 1
_EVIDENCE_HEADERS: Final = frozenset({"authorization", "connection", "sec-websocket-protocol", "upgrade"})
# google.rpc.Code by HTTP status code; Envoy only looks at whether it is zero.
_RPC_CODES: Final = {400: 3, 401: 16, 403: 7, 500: 13, 503: 14}


@dataclass(frozen=True, slots=True)
class Keeping:
    """On what terms Envoy may keep verdicts: for at most `seconds`, while it is told of the policies of `epoch`.

    An epoch (letters and digits) is one life of a control plane: generations of different lives cannot be compared.
    """

    epoch: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """An allowing decision as Envoy may keep it: `seconds` from when it asked, until `generation` is revoked."""

    scope: str
    grounds: tuple[str, ...]
    seconds: float
    epoch: str
    generation: int


def handlers(
    policy: Watchable[Policy],
    authentication: Watchable[Authentication | None],
    *,
    clock: Clock,
    timer: Clock,
    registry: CollectorRegistry,
    keeping: Keeping | None = None,
) -> list[grpc.GenericRpcHandler]:
    """The handlers of the Authorization service, for a grpc.aio server.

    `clock` gives Unix seconds (certificates), `timer` the seconds of a steady clock (metrics, made in `registry`).
    Everything is refused with 503 until there is an authentication and a policy of generation 1 or later. Without
    `keeping` every request must be asked about.
    """
    metrics = AuthorizationMetrics(registry)
    checks = Checks(policy, authentication, clock=clock, timer=timer, metrics=metrics, keeping=keeping)

    async def check(request: bytes, _: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return checks.answer(request)

    # Requests are parsed in `answer`, so that one that cannot be is refused and counted like any other.
    return [grpc.method_handlers_generic_handler(SERVICE, {"Check": grpc.unary_unary_rpc_method_handler(check)})]


class Checks:
    """Answers to Check calls by the latest policy and authentication; what they are made into is kept between calls."""

    def __init__(
        self,
        policy: Watchable[Policy],
        authentication: Watchable[Authentication | None],
        *,
        clock: Clock,
        timer: Clock,
        metrics: AuthorizationMetrics,
        keeping: Keeping | None = None,
    ) -> None:
        self._policy = policy
        self._authentication = authentication
        self._clock = clock
        self._timer = timer
        self._metrics = metrics
        self._keeping = keeping
        self._log = structlog.get_logger("auth")
        self._allowed: Callable[[UserInfo, Verdict | None], bytes] = lru_cache(maxsize=_KEPT)(allowed_response)
        self._unquoted: Callable[[str], str] = lru_cache(maxsize=_KEPT)(unquote)
        self._rbac = Rbac(policy.value)
        self._authorizer = union(PrivilegedGroups(), self._rbac)
        self._ruling_policy = policy.value
        self._ruling_authentication: Authentication | None = None
        self._authenticate = authenticator(Authentication(), clock)

    def answer(self, request: bytes) -> bytes:
        """The serialised CheckResponse to a serialised CheckRequest; never raises for any request."""
        started = self._timer()
        try:
            decision = self._decide(request)
            if decision.user is not None:
                response = self._allowed(decision.user, self._verdict(decision.validity))
                self._metrics.allowed(self._timer() - started)
                return response
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the request must be refused
            # Neither the text of the exception nor its frames' values may be shown: they may hold a token.
            self._log.error("authorization failed", error=type(error).__qualname__, at=_place(error))
            decision = status.internal_error("the request could not be authorized")
        self._metrics.refused(decision.status, self._timer() - started)
        return denied_response(decision)

    def _decide(self, request: bytes) -> Decision:
        authorizer = self._ruling()
        if authorizer is None:
            return status.unavailable("the front door is starting, try again", _RETRY_AFTER)
        attributes = external_auth_pb2.CheckRequest.FromString(request).attributes
        http = attributes.request.http
        if not http.HasField("header_map"):
            return status.internal_error("ext_authz is not configured with encode_raw_headers")
        headers: list[tuple[str, str]] = []
        for header in http.header_map.headers:
            name = header.key.lower()
            if name in _EVIDENCE_HEADERS or name.startswith(IMPERSONATION):
                headers.append((name, _text(header)))
            # Envoy replaces what is not UTF-8 in the path attribute, but routes and forwards the path as it came.
            elif name == ":path" and _text(header) != http.path:
                return status.bad_request("the request path is not UTF-8")
        evidence = Evidence(
            certificate=self._unquoted(attributes.source.certificate),
            certificate_verified=_verified(attributes.metadata_context.filter_metadata),
            headers=tuple(headers),
        )
        return decide(http.method, http.path, evidence, self._recognised, authorizer)

    def _ruling(self) -> Authorizer | None:
        """The authorizer of the latest policy; None while there is none or no authentication."""
        policy, authentication = self._policy.value, self._authentication.value
        if policy is not self._ruling_policy:
            self._rbac = self._rbac.following(policy)
            self._authorizer = union(PrivilegedGroups(), self._rbac)
            self._ruling_policy = policy
        if authentication is not None and authentication is not self._ruling_authentication:
            self._authenticate = authenticator(authentication, self._clock)
            self._ruling_authentication = authentication
        return None if authentication is None or not policy.generation else self._authorizer

    def _verdict(self, validity: Validity | None) -> Verdict | None:
        """What Envoy may keep of a decision made under the ruling policy just now."""
        if validity is None or self._keeping is None:
            return None
        seconds = min(self._keeping.seconds, validity.until - self._clock())
        if seconds <= 0:
            return None
        generation = self._ruling_policy.generation
        return Verdict(validity.scope, validity.grounds, seconds, self._keeping.epoch, generation)

    def _recognised(self, evidence: Evidence) -> Recognised | Failed:
        outcome = self._authenticate(evidence)
        if isinstance(outcome, Failed):
            self._log.debug("request not authenticated", reason=outcome.reason)
        return outcome


def allowed_response(user: UserInfo, verdict: Verdict | None = None) -> bytes:
    """The CheckResponse that lets `user` through and tells the Lua filters which identity headers to write.

    `verdict` is what they may keep of it.
    """
    response = external_auth_pb2.CheckResponse()
    response.status.code = 0
    response.ok_response.SetInParent()
    lines = response.dynamic_metadata.fields[IDENTITY_FIELD].list_value
    for name, value in identity_headers(user):
        lines.values.add(string_value=name)
        lines.values.add(string_value=value)
    if verdict is not None:
        kept = response.dynamic_metadata.fields[VERDICT_FIELD].struct_value.fields
        kept["scope"].string_value = verdict.scope
        kept["seconds"].number_value = verdict.seconds
        kept["epoch"].string_value = verdict.epoch
        kept["generation"].number_value = verdict.generation
        grounds = kept["grounds"].list_value
        for ground in verdict.grounds:
            grounds.values.add(string_value=ground)
    return bytes(response.SerializeToString())


def denied_response(decision: Decision) -> bytes:
    """The CheckResponse that sends the client a refusal's status code, headers and body."""
    response = external_auth_pb2.CheckResponse()
    response.status.code = _RPC_CODES[decision.status]
    denied = response.denied_response
    denied.status.code = decision.status
    denied.body = decision.body.decode()
    for name, value in decision.headers:
        header = denied.headers.add().header
        header.key, header.value = name, value
    return bytes(response.SerializeToString())


def _text(header: Any) -> str:  # noqa: ANN401 - a protobuf class without types
    return header.raw_value.decode(errors="surrogateescape") if header.raw_value else str(header.value)


def _verified(filter_metadata: Any) -> bool:  # noqa: ANN401 - a protobuf class without types
    # Asking a protobuf map for a missing key would make one.
    if TLS_METADATA not in filter_metadata or VERIFIED_FIELD not in filter_metadata[TLS_METADATA].fields:
        return False
    return filter_metadata[TLS_METADATA].fields[VERIFIED_FIELD].bool_value is True


def _place(error: BaseException) -> str:
    """The file and line that raised `error`."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
