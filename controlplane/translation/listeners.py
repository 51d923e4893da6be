"""The front door: one listener with TLS and one connection manager.

In: where to listen, the Lua sources, whether client certificates are asked for. Out: the LDS resource. Law: nothing in
it changes with what is registered, so no registration ever drains a connection; certificates, routes and authorization
come by SDS, SRDS and ECDS.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.accesslog.v3 import (
    AccessLogFilter,
    AndFilter,
    ComparisonFilter,
    ComparisonFilterOp,
    ResponseFlagFilter,
    StatusCodeFilter,
)
from envoy_data_plane.envoy.config.core.v3 import (
    Address,
    DataSource,
    HeaderValue,
    HeaderValueOption,
    Http1ProtocolOptions,
    RuntimeUInt32,
    SocketAddress,
    SubstitutionFormatString,
    TransportSocket,
)
from envoy_data_plane.envoy.config.listener.v3 import (
    Filter,
    FilterChain,
    Listener,
    ListenerConnectionBalanceConfig,
    ListenerConnectionBalanceConfigExactBalance,
)
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpConnectionManagerForwardClientCertDetails,
    HttpConnectionManagerPathWithEscapedSlashesAction,
    HttpConnectionManagerServerHeaderTransformation,
    HttpConnectionManagerUpgradeConfig,
    LocalReplyConfig,
    ResponseMapper,
    ScopedRds,
    ScopedRoutes,
    ScopedRoutesScopeKeyBuilder,
    ScopedRoutesScopeKeyBuilderFragmentBuilder,
    ScopedRoutesScopeKeyBuilderFragmentBuilderHeaderValueExtractor,
)
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import (
    CertificateValidationContext,
    CertificateValidationContextTrustChainVerification,
    CommonTlsContext,
    CommonTlsContextCombinedCertificateValidationContext,
    DownstreamTlsContext,
    SdsSecretConfig,
    TlsParameters,
    TlsParametersTlsProtocol,
)
from envoy_data_plane.google.protobuf import Struct

from controlplane.model.resource import LISTENER, SECRET, EnvoyResource, ResourceName
from controlplane.translation import names
from controlplane.translation.access_logs import access_log, access_log_options
from controlplane.translation.filters import Scripts, ads, any_of, early_header_mutation, http_filters
from controlplane.translation.protocols import HEADERS_KIB, common_options, http2_options
from controlplane.translation.request_headers import RequestHeaders
from controlplane.translation.tracing import Traces, clients_contexts_removed, tracing
from controlplane.translation.verdicts import VerdictTerms

_FETCH_TIMEOUT: Final = timedelta(seconds=5)
# Envoy by itself would wait as long as the client does.
_HANDSHAKE_TIMEOUT: Final = timedelta(seconds=10)
# Envoy's own with SHA-2, in its order, and the last two: clients whose key is on P-521 or Ed25519 show a certificate
# only where these are offered, and would be anonymous.
_SIGNATURES: Final = (
    "ecdsa_secp256r1_sha256",
    "rsa_pss_rsae_sha256",
    "rsa_pkcs1_sha256",
    "ecdsa_secp384r1_sha384",
    "rsa_pss_rsae_sha384",
    "rsa_pkcs1_sha384",
    "rsa_pss_rsae_sha512",
    "rsa_pkcs1_sha512",
    "ecdsa_secp521r1_sha512",
    "ed25519",
)

PATH_REFUSED: Final = "the request's path or headers have more than one reading, or cannot be read"
"""What a client is told when Envoy refuses its path."""
UPGRADES: Final = ("websocket", "SPDY/3.1")
"""The protocols that a client may change to."""

# reason and message of a Status, per HTTP code (apimachinery metav1.StatusReason); None: Envoy's own words.
_STATUS: Final = (
    (400, "BadRequest", PATH_REFUSED),
    (404, "NotFound", None),
    (408, "Timeout", None),
    (413, "RequestEntityTooLarge", "the request is too large"),
    (431, "RequestEntityTooLarge", "the request's headers are too large"),
    (503, "ServiceUnavailable", None),
    (504, "Timeout", "the backend did not answer within the allotted timeout"),
)
_RETRYABLE: Final = (503, 504)
_RETRY_AFTER_SECONDS: Final = 1
_AUTHORIZATION_DOWN: Final = "authorization is unavailable; nothing is allowed until it is back"


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """What the listener depends on, all of it fixed for the life of a control plane."""

    address: str
    port: int
    scripts: Scripts
    asks_for_client_certificates: bool
    verdicts: VerdictTerms | None = None
    """None: no verdict is kept, every request is asked about."""
    request_headers: RequestHeaders | None = None
    """None: no front proxy may say who asks."""
    audited: bool = False
    """Whether Envoy tells the control plane of every request."""
    traces: Traces | None = None
    """None: no request is traced, and what clients say of their traces is passed on."""


def listener_resource(door: FrontDoor) -> EnvoyResource:
    """The front door's listener."""
    tls = TransportSocket(name="envoy.transport_sockets.tls", typed_config=any_of(_tls(door)))
    manager = Filter(
        name="envoy.filters.network.http_connection_manager", typed_config=any_of(_connection_manager(door))
    )
    listener = Listener(
        name=names.LISTENER,
        address=Address(socket_address=SocketAddress(address=door.address, port_value=door.port)),
        filter_chains=[
            FilterChain(filters=[manager], transport_socket=tls, transport_socket_connect_timeout=_HANDSHAKE_TIMEOUT)
        ],
        per_connection_buffer_limit_bytes=1 << 20,
        # Clients of an API server keep a connection for hours and send everything on it; left to the kernel, one worker
        # may get most of the few there are while another idles.
        connection_balance_config=ListenerConnectionBalanceConfig(
            exact_balance=ListenerConnectionBalanceConfigExactBalance()
        ),
    )
    secrets = [names.SERVING_SECRET, *([names.CLIENT_CA_SECRET] if door.asks_for_client_certificates else [])]
    references = frozenset(ResourceName(SECRET, name) for name in secrets)
    return EnvoyResource(ResourceName(LISTENER, names.LISTENER), bytes(listener), references)


def _tls(door: FrontDoor) -> DownstreamTlsContext:
    common = CommonTlsContext(
        tls_params=TlsParameters(
            tls_minimum_protocol_version=TlsParametersTlsProtocol.TLSv1_2, signature_algorithms=list(_SIGNATURES)
        ),
        alpn_protocols=["h2", "http/1.1"],
        tls_certificate_sds_secret_configs=[_secret(names.SERVING_SECRET)],
    )
    if door.asks_for_client_certificates:
        common.combined_validation_context = CommonTlsContextCombinedCertificateValidationContext(
            # kube-apiserver answers an unverifiable certificate with 401, not with a broken handshake. arrival.lua
            # tells authorization which certificates were verified.
            default_validation_context=CertificateValidationContext(
                trust_chain_verification=CertificateValidationContextTrustChainVerification.ACCEPT_UNTRUSTED
            ),
            validation_context_sds_secret_config=_secret(names.CLIENT_CA_SECRET),
        )
    return DownstreamTlsContext(
        common_tls_context=common,
        require_client_certificate=False,
        # A resumed session counts as unverified (Envoy verifies on full handshakes only), and client-go resumes none.
        disable_stateless_session_resumption=True,
        disable_stateful_session_resumption=True,
    )


def _connection_manager(door: FrontDoor) -> HttpConnectionManager:
    return HttpConnectionManager(
        stat_prefix="front_door",
        scoped_routes=scoped_routes(),
        http_filters=http_filters(
            door.scripts, keeps_verdicts=door.verdicts is not None, request_headers=door.request_headers
        ),
        early_header_mutation_extensions=[
            early_header_mutation(identity_too=door.request_headers is None),
            *([clients_contexts_removed()] if door.traces is not None else []),
        ],
        # Routing, authorization and backend must see one and the same path: it is normalised once, before all of them,
        # and an escaped slash, which they could read differently, is refused.
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action=HttpConnectionManagerPathWithEscapedSlashesAction.REJECT_REQUEST,
        use_remote_address=True,
        forward_client_cert_details=HttpConnectionManagerForwardClientCertDetails.SANITIZE,
        server_header_transformation=HttpConnectionManagerServerHeaderTransformation.PASS_THROUGH,
        upgrade_configs=[HttpConnectionManagerUpgradeConfig(upgrade_type=protocol) for protocol in UPGRADES],
        common_http_protocol_options=common_options(),
        max_request_headers_kb=HEADERS_KIB,
        # Load balancers ask for /healthz in HTTP/1.0, and without a Host.
        http_protocol_options=Http1ProtocolOptions(accept_http_10=True, default_host_for_http_10="localhost"),
        http2_protocol_options=http2_options(),
        # Watches and followed logs may be silent for hours; routes that should not be have limits of their own.
        stream_idle_timeout=timedelta(0),
        request_headers_timeout=timedelta(seconds=10),
        local_reply_config=local_replies(),
        access_log=[access_log()] if door.audited else [],
        access_log_options=access_log_options() if door.audited else None,
        # What traces are told apart by. Nothing else reads one, and kube-aggregator passes on the client's or none.
        generate_request_id=door.traces is not None,
        tracing=tracing(door.traces) if door.traces is not None else None,
    )


def scoped_routes() -> ScopedRoutes:
    """Routes by the group and version that early header mutation has written down."""
    # The header holds /apis/<group>/<version>/...; its elements between slashes count from 0, the first is empty.
    fragments = [
        ScopedRoutesScopeKeyBuilderFragmentBuilder(
            header_value_extractor=ScopedRoutesScopeKeyBuilderFragmentBuilderHeaderValueExtractor(
                name=names.ROUTE_HEADER, element_separator="/", index=index
            )
        )
        for index in (2, 3)
    ]
    return ScopedRoutes(
        name=names.SCOPED_ROUTES,
        scope_key_builder=ScopedRoutesScopeKeyBuilder(fragments=fragments),
        rds_config_source=ads(_FETCH_TIMEOUT),
        scoped_rds=ScopedRds(scoped_rds_config_source=ads(_FETCH_TIMEOUT)),
    )


def local_replies(*more: tuple[int, str, str]) -> LocalReplyConfig:
    """Whatever Envoy answers by itself is a Status object; what authorization answered passes as it is.

    `more` are code, reason and message besides those that every front door has.
    """
    refused = AccessLogFilter(response_flag_filter=ResponseFlagFilter(flags=["UAEX"]))
    down = AccessLogFilter(and_filter=AndFilter(filters=[refused, _code(503)]))
    verbatim = SubstitutionFormatString(
        text_format_source=DataSource(inline_string="%LOCAL_REPLY_BODY%"), content_type="application/json"
    )
    mappers = [
        _mapper(down, 503, "ServiceUnavailable", _AUTHORIZATION_DOWN),
        ResponseMapper(filter=refused, body_format_override=verbatim),
        *(_mapper(_code(code), code, reason, message) for code, reason, message in (*more, *_STATUS)),
    ]
    return LocalReplyConfig(mappers=mappers, body_format=_status("InternalError", None, retry=False))


def _mapper(condition: AccessLogFilter, code: int, reason: str, message: str | None) -> ResponseMapper:
    retry = code in _RETRYABLE
    headers = {"cache-control": "no-cache, private"}
    if retry:
        headers["retry-after"] = str(_RETRY_AFTER_SECONDS)
    return ResponseMapper(
        filter=condition,
        body_format_override=_status(reason, message, retry=retry),
        headers_to_add=[
            HeaderValueOption(header=HeaderValue(key=name, value=value)) for name, value in headers.items()
        ],
    )


def _status(reason: str, message: str | None, *, retry: bool) -> SubstitutionFormatString:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message or "%LOCAL_REPLY_BODY%",
        "reason": reason,
        "details": {"retryAfterSeconds": _RETRY_AFTER_SECONDS} if retry else {},
        "code": "%RESPONSE_CODE%",
    }
    return SubstitutionFormatString(json_format=Struct.from_dict(body), content_type="application/json")


def _code(code: int) -> AccessLogFilter:
    equal = ComparisonFilter(
        op=ComparisonFilterOp.EQ, value=RuntimeUInt32(default_value=code, runtime_key="isthmus.local_reply")
    )
    return AccessLogFilter(status_code_filter=StatusCodeFilter(comparison=equal))


def _secret(name: str) -> SdsSecretConfig:
    return SdsSecretConfig(name=name, sds_config=ads(_FETCH_TIMEOUT))
