"""Backends as Envoy clusters and load assignments.

In: a `Backend`. Out: the CDS resource and, where it has IP addresses, the EDS resource. Law: one cluster per backend,
shared by the group-versions it serves; a change of endpoints alone leaves the cluster's bytes as they were.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from envoy.config.cluster.v3 import circuit_breaker_pb2, cluster_pb2
from envoy.config.core.v3 import address_pb2, config_source_pb2, extension_pb2, protocol_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from envoy.extensions.network.dns_resolver.cares.v3 import cares_dns_resolver_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2, tls_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from envoy.type.matcher.v3 import string_pb2
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message

from controlplane.model.resource import CLUSTER, ENDPOINTS, SECRET, EnvoyResource, ResourceName
from controlplane.model.topology import Backend, Endpoint
from controlplane.translation import names

# Envoy's default of 1,024 connections and requests a cluster would cut off watches, each of which holds one for hours.
NO_LIMIT: Final = 1 << 30

# How many frames, resets among them, may wait to be sent to a backend before Envoy ends the connection, and with it the
# requests of everybody. Clients that give up what they asked for reach Envoy's own limit, 1,000 resets, in one turn of
# its event loop, however fast the backend reads: each of their connections may give up 250 requests. There must be a
# limit all the same: what a backend does not read stays in memory, about half a KB a frame.
_FRAMES: Final = 200_000

# A Service's DNS name that does not answer must not keep the cluster, and with it the acknowledgement of every other
# cluster in the push, warming for longer than a person waits.
_DNS_QUERY_SECONDS: Final = 1
_DNS_QUERY_TRIES: Final = 2

_IDLE_SECONDS: Final = 90
# What a backend may answer with; Envoy's own limits are 100 lines and 60 KiB, and Go's client takes a megabyte.
_HEADERS_COUNT: Final = 2000
_HEADERS_KIB: Final = 256

HTTP_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
"""Under what name a cluster has its protocol options."""


def backend_resources(backend: Backend, *, present_certificate: bool) -> tuple[EnvoyResource, ...]:
    """The cluster of a backend, and its load assignment when the endpoints are IP addresses.

    `present_certificate` says whether there is a front-proxy certificate to show.
    """
    return _resources(names.backend_cluster(backend.key), backend, present_certificate=present_certificate)


def core_resources(backend: Backend, *, present_certificate: bool) -> tuple[EnvoyResource, ...]:
    """The cluster of the core API server, and its load assignment when it is reached by IP addresses."""
    return _resources(names.CORE_CLUSTER, backend, present_certificate=present_certificate)


def backend_names(name: str) -> tuple[ResourceName, ResourceName]:
    """What to remove when the backend of the cluster called `name` is gone."""
    return ResourceName(CLUSTER, name), ResourceName(ENDPOINTS, name)


def front_proxy_cluster() -> EnvoyResource:
    """A cluster for nothing but having Envoy fetch the front-proxy certificate, before any backend's cluster.

    Envoy makes a cluster's TLS context when it has all certificates for it. If the certificate came after the clusters,
    a caBundle that Envoy refuses would have it reject the certificate, which all share, instead of the one cluster.
    """
    cluster = cluster_pb2.Cluster(name=names.FRONT_PROXY_CLUSTER, connect_timeout=duration_pb2.Duration(seconds=1))
    cluster.load_assignment.cluster_name = cluster.name
    tls = tls_pb2.UpstreamTlsContext()
    tls.common_tls_context.tls_certificate_sds_secret_configs.append(_secret(names.FRONT_PROXY_SECRET))
    cluster.transport_socket.name = "envoy.transport_sockets.tls"
    cluster.transport_socket.typed_config.Pack(tls, deterministic=True)
    secret = ResourceName(SECRET, names.FRONT_PROXY_SECRET)
    return EnvoyResource(ResourceName(CLUSTER, cluster.name), serialised(cluster), frozenset((secret,)))


def serialised(message: Message) -> bytes:
    """The bytes of a message, equal for equal messages: maps are written in the order of their keys."""
    return message.SerializeToString(deterministic=True)


def _resources(name: str, backend: Backend, *, present_certificate: bool) -> tuple[EnvoyResource, ...]:
    cluster = cluster_pb2.Cluster()
    cluster.CopyFrom(_common())
    cluster.name = name
    references = frozenset[ResourceName]()
    if backend.encrypted:
        references = _trust(cluster, backend, present_certificate=present_certificate)
    else:
        cluster.typed_extension_protocol_options[HTTP_OPTIONS].Pack(_plain_options(http2=backend.http2))
    key = ResourceName(CLUSTER, name)
    if backend.dns:
        cluster.type = cluster_pb2.Cluster.STRICT_DNS
        cluster.respect_dns_ttl = True
        cluster.dns_lookup_family = cluster_pb2.Cluster.ALL
        cluster.dns_failure_refresh_rate.base_interval.FromMilliseconds(500)
        cluster.dns_failure_refresh_rate.max_interval.FromSeconds(5)
        cluster.typed_dns_resolver_config.CopyFrom(_resolver())
        cluster.load_assignment.CopyFrom(_assignment(name, backend.endpoints))
        return (EnvoyResource(key, serialised(cluster), references),)
    cluster.type = cluster_pb2.Cluster.EDS
    cluster.eds_cluster_config.eds_config.CopyFrom(_ads())
    endpoints = ResourceName(ENDPOINTS, name)
    return (
        EnvoyResource(key, serialised(cluster), references, frozenset((endpoints,))),
        EnvoyResource(endpoints, serialised(_assignment(name, backend.endpoints))),
    )


def _trust(cluster: cluster_pb2.Cluster, backend: Backend, *, present_certificate: bool) -> frozenset[ResourceName]:
    """Writes how the backend's certificate is verified and which one it is shown; returns what that takes."""
    numeric = _is_ip(backend.server_name)
    # SNI carries names only (RFC 6066 section 3); a certificate for an address is checked for the address.
    tls = tls_pb2.UpstreamTlsContext(sni="" if numeric else backend.server_name)
    common = tls.common_tls_context
    common.tls_params.tls_minimum_protocol_version = common_pb2.TlsParameters.TLSv1_2
    references = set[ResourceName]()
    if present_certificate:
        references.add(ResourceName(SECRET, names.FRONT_PROXY_SECRET))
        references.add(ResourceName(CLUSTER, names.FRONT_PROXY_CLUSTER))
        common.tls_certificate_sds_secret_configs.append(_secret(names.FRONT_PROXY_SECRET))
    if backend.verified:
        san = common_pb2.SubjectAltNameMatcher(matcher=string_pb2.StringMatcher(exact=backend.server_name))
        san.san_type = san.IP_ADDRESS if numeric else san.DNS
        if backend.ca_bundle:
            common.validation_context.trusted_ca.inline_bytes = backend.ca_bundle
            common.validation_context.match_typed_subject_alt_names.append(san)
        else:
            references.add(ResourceName(SECRET, names.SYSTEM_ROOTS_SECRET))
            combined = common.combined_validation_context
            combined.default_validation_context.match_typed_subject_alt_names.append(san)
            combined.validation_context_sds_secret_config.CopyFrom(_secret(names.SYSTEM_ROOTS_SECRET))
    cluster.transport_socket.name = "envoy.transport_sockets.tls"
    cluster.transport_socket.typed_config.Pack(tls, deterministic=True)
    return frozenset(references)


def _plain_options(*, http2: bool) -> http_protocol_options_pb2.HttpProtocolOptions:
    """Without TLS there is no ALPN to ask: what is spoken is what was said."""
    options = http_protocol_options_pb2.HttpProtocolOptions()
    if http2:
        _write_http2(options.explicit_http_config.http2_protocol_options)
    else:
        options.explicit_http_config.http_protocol_options.SetInParent()
    _write_limits(options.common_http_protocol_options)
    return options


def _write_limits(common: protocol_pb2.HttpProtocolOptions) -> None:
    common.idle_timeout.FromSeconds(_IDLE_SECONDS)
    common.max_headers_count.value = _HEADERS_COUNT
    common.max_response_headers_kb.value = _HEADERS_KIB


def _write_http2(http2: protocol_pb2.Http2ProtocolOptions) -> None:
    http2.max_outbound_control_frames.value = http2.max_outbound_frames.value = _FRAMES
    # A dead HTTP/2 connection is noticed after 30 s + 15 s, as in client-go (ReadIdleTimeout and PingTimeout).
    http2.connection_keepalive.interval.FromSeconds(30)
    http2.connection_keepalive.timeout.FromSeconds(15)


@lru_cache(maxsize=1)
def _common() -> cluster_pb2.Cluster:
    """What all backends' clusters begin as; to be copied, for there is one."""
    options = http_protocol_options_pb2.HttpProtocolOptions()
    # HTTP/2 where ALPN agrees on it, HTTP/1.1 otherwise, as Go's client does.
    _write_http2(options.auto_config.http2_protocol_options)
    options.auto_config.http_protocol_options.SetInParent()
    _write_limits(options.common_http_protocol_options)
    cluster = cluster_pb2.Cluster(
        connect_timeout=duration_pb2.Duration(seconds=5),
        lb_policy=cluster_pb2.Cluster.LEAST_REQUEST,
        circuit_breakers=no_limits(),
    )
    cluster.typed_extension_protocol_options[HTTP_OPTIONS].Pack(options, deterministic=True)
    return cluster


def no_limits() -> circuit_breaker_pb2.CircuitBreakers:
    """Circuit breakers that never open."""
    breakers = circuit_breaker_pb2.CircuitBreakers()
    threshold = breakers.thresholds.add()
    for limit in (
        threshold.max_connections,
        threshold.max_pending_requests,
        threshold.max_requests,
        threshold.max_retries,
    ):
        limit.value = NO_LIMIT
    return breakers


def _resolver() -> extension_pb2.TypedExtensionConfig:
    cares = cares_dns_resolver_pb2.CaresDnsResolverConfig()
    cares.query_timeout_seconds.value = _DNS_QUERY_SECONDS
    cares.query_tries.value = _DNS_QUERY_TRIES
    packed = any_pb2.Any()
    packed.Pack(cares)
    return extension_pb2.TypedExtensionConfig(name="envoy.network.dns_resolver.cares", typed_config=packed)


def _assignment(name: str, endpoints: Iterable[Endpoint]) -> endpoint_pb2.ClusterLoadAssignment:
    assignment = endpoint_pb2.ClusterLoadAssignment(cluster_name=name)
    locality = assignment.endpoints.add()
    for endpoint in endpoints:
        if endpoint.unix:
            address = address_pb2.Address(pipe=address_pb2.Pipe(path=endpoint.address))
        else:
            socket = address_pb2.SocketAddress(address=endpoint.address, port_value=endpoint.port)
            address = address_pb2.Address(socket_address=socket)
        locality.lb_endpoints.append(
            endpoint_components_pb2.LbEndpoint(endpoint=endpoint_components_pb2.Endpoint(address=address))
        )
    return assignment


def _secret(name: str) -> secret_pb2.SdsSecretConfig:
    return secret_pb2.SdsSecretConfig(name=name, sds_config=_ads())


def _ads() -> config_source_pb2.ConfigSource:
    return config_source_pb2.ConfigSource(
        ads=config_source_pb2.AggregatedConfigSource(),
        resource_api_version=config_source_pb2.ApiVersion.V3,
        # What is awaited is on its way on the same stream; after 5 s the rest goes on without it.
        initial_fetch_timeout=duration_pb2.Duration(seconds=5),
    )


def _is_ip(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
