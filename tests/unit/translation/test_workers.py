"""What Envoy is told of authorization workers."""

from __future__ import annotations

from datetime import timedelta

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import extension_pb2
from envoy.extensions.common.matching.v3 import extension_matcher_pb2
from envoy.extensions.filters.http.composite.v3 import composite_pb2
from envoy.extensions.filters.http.ext_authz.v3 import ext_authz_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2

from controlplane.auth.service import SERVICE
from controlplane.faces.unary.connection import CONCURRENT_STREAMS
from controlplane.settings.address import Address
from controlplane.translation import names
from controlplane.translation.authorization import authorization_filter
from controlplane.translation.own_clusters import own_cluster

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
WORKERS = [Address.parse(f"unix:/run/a.sock.{number}") for number in (1, 2)]


def cluster_of(addresses: list[Address], health_of: str = "") -> cluster_pb2.Cluster:
    """The cluster of authorization."""
    resource = own_cluster(names.AUTHORIZATION_CLUSTER, addresses, None, http2=True, health_of=health_of)
    return cluster_pb2.Cluster.FromString(resource.body)


def ext_authz(*, retries: bool) -> ext_authz_pb2.ExtAuthz:
    """The filter that asks."""
    resource = authorization_filter(keeps_verdicts=False, patience=timedelta(seconds=5), retries=retries)
    matched = extension_matcher_pb2.ExtensionWithMatcher()
    assert extension_pb2.TypedExtensionConfig.FromString(resource.body).typed_config.Unpack(matched)
    asked = composite_pb2.ExecuteFilterAction()
    assert matched.xds_matcher.on_no_match.action.typed_config.Unpack(asked)
    config = ext_authz_pb2.ExtAuthz()
    assert asked.typed_config.typed_config.Unpack(config)
    return config


def test_every_worker_is_an_endpoint() -> None:
    """In one cluster, each by its own address."""
    endpoints = cluster_of(WORKERS).load_assignment.endpoints[0].lb_endpoints

    assert [each.endpoint.address.pipe.path for each in endpoints] == ["/run/a.sock.1", "/run/a.sock.2"]


def test_a_worker_named_by_dns_is_resolved() -> None:
    """One name among addresses makes it a cluster that resolves."""
    addresses = [Address.parse("127.0.0.1:1"), Address.parse("isthmus:2")]

    assert cluster_of(addresses).type == cluster_pb2.Cluster.STRICT_DNS
    assert cluster_of(addresses[:1]).type == cluster_pb2.Cluster.STATIC


def test_who_does_not_serve_is_not_asked() -> None:
    """Health is asked for by the name of the service, and while one worker is healthy, the others are not asked."""
    cluster = cluster_of(WORKERS, names.AUTHORIZATION_SERVICE)

    (check,) = cluster.health_checks
    assert check.grpc_health_check.service_name == SERVICE
    assert list(check.tls_options.alpn_protocols) == ["h2"]
    assert (check.no_traffic_interval.seconds, check.healthy_threshold.value) == (1, 1)
    assert cluster.common_lb_config.healthy_panic_threshold.value == 1
    assert cluster.common_lb_config.HasField("update_merge_window")
    assert cluster.common_lb_config.update_merge_window.ToMilliseconds() == 0


def test_the_least_busy_of_all_is_asked() -> None:
    """Of two workers the one that hangs gets one request in 16; by Envoy's default it would be one in four."""
    cluster = cluster_of(WORKERS, names.AUTHORIZATION_SERVICE)

    assert cluster.lb_policy == cluster_pb2.Cluster.LEAST_REQUEST
    assert cluster.least_request_lb_config.choice_count.value == 4


def test_no_client_ends_a_connection_that_all_share() -> None:
    """Envoy begins no call that a worker would refuse, and sends any number of resets."""
    options = http_protocol_options_pb2.HttpProtocolOptions()
    assert cluster_of(WORKERS).typed_extension_protocol_options[HTTP_OPTIONS].Unpack(options)
    http2 = options.explicit_http_config.http2_protocol_options

    assert CONCURRENT_STREAMS == http2.max_concurrent_streams.value
    assert min(http2.max_outbound_control_frames.value, http2.max_outbound_frames.value) > 10**9


def test_the_control_plane_alone_is_asked_whatever_its_health() -> None:
    """With one address there is nobody to pass it over for."""
    assert not cluster_of(WORKERS[:1]).health_checks
    assert not ext_authz(retries=False).grpc_service.HasField("retry_policy")


def test_a_question_that_fails_is_asked_of_another() -> None:
    """When the connection cannot be made or breaks, and when the answer is UNAVAILABLE; never of the same first."""
    policy = ext_authz(retries=True).grpc_service.retry_policy

    assert set(policy.retry_on.split(",")) == {"connect-failure", "refused-stream", "reset", "unavailable"}
    assert policy.num_retries.value == 3
    assert [each.name for each in policy.retry_host_predicate] == ["envoy.retry_host_predicates.previous_hosts"]
