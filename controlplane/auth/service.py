"""The ext_authz face: Envoy asks for every request, and is answered with an identity or a refusal.

In: serialised CheckRequests (envoy.service.auth.v3) and the latest ruling. Out: serialised
CheckResponses. Law: an answer allows only when a `Decision` with a user says so; anything unforeseen is answered 500.

An allowing answer changes no header by itself: it carries the dynamic metadata {"identity": [name, value, ...]}, which
Envoy's Lua filter writes as one header line each, because ext_authz cannot repeat a header; and, where the decision
reaches beyond the request, {"verdict": {...}}, which lets Envoy answer the next such request by itself. Where there is
an audit log, every answer carries {"audit": "..."}, which Envoy's access log brings to it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

import grpc
import structlog
from envoy.service.auth.v3 import external_auth_pb2
from google.protobuf.message import DecodeError

from controlplane.aio import Watchable
from controlplane.auth import status
from controlplane.auth.attempts import Attempt
from controlplane.auth.audited import audit_text
from controlplane.auth.authenticate import Clock
from controlplane.auth.decide import decide
from controlplane.auth.evidence import Evidence, Failed, Recognised
from controlplane.auth.identity_headers import identity_headers
from controlplane.auth.metrics import AuthorizationMetrics
from controlplane.auth.ruling import Ruling
from controlplane.model.identity import Decision, UserInfo, Validity

Answer: TypeAlias = Callable[[bytes, Iterable[tuple[str, str | bytes]]], Coroutine[Any, Any, bytes]]
"""Makes a serialised CheckResponse of a serialised CheckRequest and the metadata of its call."""

SERVICE: Final = "envoy.service.auth.v3.Authorization"
METHOD: Final = "Check"
TLS_METADATA: Final = "isthmus.tls"
VERIFIED_FIELD: Final = "client_certificate_verified"
CHAIN_FIELD: Final = "client_certificate_chain"
REQUEST_HEADER_METADATA: Final = "isthmus.request_headers"
LINES_FIELD: Final = "lines"
IDENTITY_FIELD: Final = "identity"
VERDICT_FIELD: Final = "verdict"
AUDIT_FIELD: Final = "audit"

_KEPT: Final = 4096
_RETRY_AFTER: Final = 1
_EVIDENCE_HEADERS: Final = frozenset({"authorization", "connection", "sec-websocket-protocol", "upgrade"})
_IMPERSONATION: Final = "impersonate-"
_AUDIT_ID: Final = "audit-id"
# google.rpc.Code by HTTP status code; Envoy only looks at whether it is zero.
_RPC_CODES: Final = {400: 3, 401: 16, 403: 7, 500: 13, 503: 14}


@dataclass(frozen=True, slots=True)
class Keeping:
    """On what terms Envoy may keep verdicts: for at most `seconds`, while it is told of the policies of `epoch`.

    An epoch (letters and digits) is one life of a control plane: generations of different lives cannot be compared.
    """

    epoch: str
    seconds: float

    def verdict(self, validity: Validity, generation: int, now: float) -> Verdict | None:
        """What Envoy may keep of a decision made `now` (Unix seconds) under the policy of that generation."""
        left = min(self.seconds, validity.until - now)
        # Whole seconds, so that answers are alike, and those made before can be given again.
        seconds = float(int(left)) if left > 0 else 0.0
        if not seconds:
            return None
        return Verdict(validity.scope, validity.grounds, seconds, self.epoch, generation)


@dataclass(frozen=True, slots=True)
class Verdict:
    """An allowing decision as Envoy may keep it: `seconds` from when it asked, until `generation` is revoked."""

    scope: str
    grounds: tuple[str, ...]
    seconds: float
    epoch: str
    generation: int


def handlers(answer: Answer) -> list[grpc.GenericRpcHandler]:
    """The handlers of the Authorization service, for a grpc.aio server."""

    def metadata(context: grpc.aio.ServicerContext[bytes, bytes]) -> Iterator[tuple[str, str | bytes]]:
        # Only whoever looks at it pays for it.
        yield from context.invocation_metadata() or ()

    async def check(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return await answer(request, metadata(context))

    # Requests are parsed in `answer`, so that one that cannot be is refused and counted like any other.
    return [grpc.method_handlers_generic_handler(SERVICE, {METHOD: grpc.unary_unary_rpc_method_handler(check)})]


class Checks:
    """Answers to Check calls by the latest ruling; what they are made into is kept between calls.

    `clock` gives Unix seconds (certificates), `timer` the seconds of a steady clock (metrics). Everything is refused
    with 503 until there is a ruling. Without `keeping` every request must be asked about. With `audited` every answer
    says what the audit log is to say of it.
    """

    def __init__(
        self,
        rulings: Watchable[Ruling | None],
        *,
        clock: Clock,
        timer: Clock,
        metrics: AuthorizationMetrics,
        keeping: Keeping | None = None,
        audited: bool = False,
    ) -> None:
        self._rulings = rulings
        self._clock = clock
        self._timer = timer
        self._metrics = metrics
        self._keeping = keeping
        self._audited = audited
        self._log = structlog.get_logger("auth")
        self._allowed: Callable[[UserInfo, Verdict | None, str], bytes] = lru_cache(maxsize=_KEPT)(allowed_response)
        self._unquoted: Callable[[str], str] = lru_cache(maxsize=_KEPT)(unquote)

    async def answer(self, request: bytes) -> bytes:
        """The serialised CheckResponse to a serialised CheckRequest; never raises for any request."""
        started = self._timer()
        try:
            decision, generation = await self._decide(request)
            if decision.user is not None:
                verdict = self._verdict(decision.validity, generation)
                # Whom a client becomes is for the client to say, at any length, and would drive out all others.
                made = allowed_response if decision.account.impersonated is not None else self._allowed
                response = made(decision.user, verdict, self._audit_text(decision))
                self._metrics.allowed(self._timer() - started)
                return response
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the request must be refused
            # Neither the text of the exception nor its frames' values may be shown: they may hold a token.
            kind, place = type(error).__qualname__, _place(error)
            self._log.error("authorization failed", audit_id=_audit_id(request), error=kind, at=place)
            decision = status.internal_error("the request could not be authorized")
        self._metrics.refused(decision.status, self._timer() - started)
        return denied_response(decision, self._audit_text(decision))

    def _audit_text(self, decision: Decision) -> str:
        return audit_text(decision) if self._audited else ""

    async def _decide(self, request: bytes) -> tuple[Decision, int]:
        """The decision, and the generation of the policy it was made under from its first question to its last."""
        ruling = self._rulings.value
        if ruling is None:
            return status.unavailable("the front door is starting, try again", _RETRY_AFTER), 0
        attributes = external_auth_pb2.CheckRequest.FromString(request).attributes
        http = attributes.request.http
        if not http.HasField("header_map"):
            return status.internal_error("ext_authz is not configured with encode_raw_headers"), 0
        headers: list[tuple[str, str]] = []
        for header in http.header_map.headers:
            name = header.key.lower()
            if name in _EVIDENCE_HEADERS or name.startswith(_IMPERSONATION):
                headers.append((name, _text(header)))
            # Envoy replaces what is not UTF-8 in the path attribute, but routes and forwards the path as it came.
            elif name == ":path" and _text(header) != http.path:
                return status.bad_request("the request path is not UTF-8"), 0
        told = attributes.metadata_context.filter_metadata
        chain = _told(told, TLS_METADATA, CHAIN_FIELD)
        certificate, verified = attributes.source.certificate, _verified(told)
        evidence = Evidence(
            # Of one that nobody has verified it matters only that it is there: anybody can show anything of any size.
            certificate=self._unquoted(certificate) if verified else certificate[:1],
            certificate_verified=verified,
            headers=tuple(headers),
            target=http.path,
            certificate_chain=unquote(chain.string_value) if verified and chain is not None else "",
            asserted=_asserted(_told(told, REQUEST_HEADER_METADATA, LINES_FIELD)),
        )

        async def authenticate(evidence: Evidence) -> Recognised | Failed:
            began = self._timer()
            outcome = await ruling.authenticate(evidence)
            self._metrics.authenticated(outcome, self._timer() - began)
            if isinstance(outcome, Failed):
                self._log.debug("request not authenticated", audit_id=_audit_id(request), reason=outcome.reason)
            return outcome

        attempt = Attempt(ruling.authorizer, self._timer)
        decision = await decide(http.method, http.path, evidence, authenticate, attempt)
        if decision.account.opinion is not None:
            # Its last question was about the request itself; those before it, about whom the client becomes.
            self._metrics.authorized(attempt.result, attempt.seconds)
        return decision, ruling.policy.generation

    def _verdict(self, validity: Validity | None, generation: int) -> Verdict | None:
        """What Envoy may keep of a decision made just now."""
        if validity is None or self._keeping is None:
            return None
        return self._keeping.verdict(validity, generation, self._clock())


def allowed_response(user: UserInfo, verdict: Verdict | None = None, audit: str = "") -> bytes:
    """The CheckResponse that lets `user` through and tells the Lua filters which identity headers to write.

    `verdict` is what they may keep of it, `audit` what the audit log is to say.
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
    if audit:
        response.dynamic_metadata.fields[AUDIT_FIELD].string_value = audit
    return bytes(response.SerializeToString())


def denied_response(decision: Decision, audit: str = "") -> bytes:
    """The CheckResponse that sends the client a refusal's status code, headers and body; `audit` as above."""
    response = external_auth_pb2.CheckResponse()
    response.status.code = _RPC_CODES[decision.status]
    denied = response.denied_response
    denied.status.code = decision.status
    denied.body = decision.body.decode()
    for name, value in decision.headers:
        header = denied.headers.add().header
        header.key, header.value = name, value
    if audit:
        response.dynamic_metadata.fields[AUDIT_FIELD].string_value = audit
    return bytes(response.SerializeToString())


def _text(header: Any) -> str:  # noqa: ANN401 - a protobuf class without types
    return header.raw_value.decode(errors="surrogateescape") if header.raw_value else str(header.value)


def _audit_id(request: bytes) -> str:
    """The Audit-ID of a serialised CheckRequest, for the log; "" when it cannot be read."""
    try:
        headers = external_auth_pb2.CheckRequest.FromString(request).attributes.request.http.header_map.headers
    except DecodeError:
        return ""
    return next((_text(header) for header in headers if header.key.lower() == _AUDIT_ID), "")


def _verified(filter_metadata: Any) -> bool:  # noqa: ANN401 - a protobuf class without types
    verified = _told(filter_metadata, TLS_METADATA, VERIFIED_FIELD)
    return verified is not None and verified.bool_value is True


def _told(filter_metadata: Any, namespace: str, field: str) -> Any | None:  # noqa: ANN401 - protobuf classes without types
    # Asking a protobuf map for a missing key would make one.
    if namespace not in filter_metadata or field not in filter_metadata[namespace].fields:
        return None
    return filter_metadata[namespace].fields[field]


def _asserted(lines: Any | None) -> tuple[tuple[str, str], ...]:  # noqa: ANN401 - a protobuf class without types
    """The lines as request_headers.lua wrote them: name, value, name, value, with what is not ASCII escaped."""
    if lines is None:
        return ()
    texts = [each.string_value for each in lines.list_value.values]
    return tuple(
        (name, unquote(value, errors="surrogateescape")) for name, value in zip(texts[::2], texts[1::2], strict=True)
    )


def _place(error: BaseException) -> str:
    """The file and line that raised `error`."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
