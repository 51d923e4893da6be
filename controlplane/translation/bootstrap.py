"""Envoy's bootstrap: the way to us, and nothing else.

In: the address of the xDS face, the node's name. Out: a bootstrap as a JSON-able mapping. Law: everything that could
ever change comes over xDS.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.bootstrap.v3 import (
    Admin,
    Bootstrap,
    BootstrapDeferredStatOptions,
    BootstrapDynamicResources,
    BootstrapStaticResources,
)
from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType
from envoy_data_plane.envoy.config.core.v3 import Address as EnvoyAddress
from envoy_data_plane.envoy.config.core.v3 import (
    AggregatedConfigSource,
    ApiConfigSource,
    ApiConfigSourceApiType,
    ApiVersion,
    BackoffStrategy,
    ConfigSource,
    GrpcService,
    GrpcServiceEnvoyGrpc,
    Http2ProtocolOptions,
    KeepaliveSettings,
    Node,
    Pipe,
    RetryPolicy,
    SocketAddress,
    TransportSocket,
)
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints
from envoy_data_plane.envoy.config.metrics.v3 import StatsConfig, StatsMatcher
from envoy_data_plane.envoy.config.overload.v3 import OverloadManager, ResourceMonitor
from envoy_data_plane.envoy.extensions.resource_monitors.downstream_connections.v3 import DownstreamConnectionsConfig
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import (
    HttpProtocolOptions,
    HttpProtocolOptionsExplicitHttpConfig,
)
from envoy_data_plane.envoy.type.matcher.v3 import ListStringMatcher, RegexMatcher, StringMatcher

from controlplane.settings.address import Address
from controlplane.translation import names
from controlplane.translation.filters import any_of
from controlplane.translation.own_tls import OwnTls, transport_socket

# Without a limit a flood of connections ends in a killed process. A connection costs Envoy tens of kilobytes, so this
# many fit in a few gigabytes; clients multiplex their requests over one or two.
_MAX_CONNECTIONS: Final = 50_000

# Envoy's own back-off grows to 30 s, for which it would stand idle after a control plane that took 5 s to start. Waits
# are random up to these limits, so a thousand Envoys do not return in one moment.
_RETRY_INTERVAL: Final = timedelta(milliseconds=200)
_LONGEST_RETRY_INTERVAL: Final = timedelta(seconds=2)

# What no cluster here does: be cut off by a limit, have subsets or zones, keep assignments that are out of date, staple
# OCSP. It is half of what Envoy makes for a cluster before its first request, and half a second and 30 MB for 10,000.
_NEVER_COUNTED: Final = "|".join(
    (
        r"circuit_breakers\..*",
        r"lb_(subsets|zone)_.*",
        "lb_(local_cluster_not_ok|recalculate_zone_structures)",
        "assignment_.*",
        r"ssl\.ocsp_.*",
    )
)


def bootstrap(
    xds: Address, *, node_id: str, node_cluster: str, admin: Address | None, tls: OwnTls | None = None
) -> dict[str, object]:
    """The bootstrap of an Envoy that gets everything from the xDS face at `xds`.

    `admin` None: no admin interface. `tls` None: the face speaks without encryption.
    """
    ads = ConfigSource(ads=AggregatedConfigSource(), resource_api_version=ApiVersion.V3)
    message = Bootstrap(
        node=Node(id=node_id, cluster=node_cluster),
        admin=Admin(address=_address(admin)) if admin else None,
        dynamic_resources=BootstrapDynamicResources(
            ads_config=ApiConfigSource(
                api_type=ApiConfigSourceApiType.DELTA_GRPC,
                transport_api_version=ApiVersion.V3,
                set_node_on_first_message_only=True,
                grpc_services=[GrpcService(envoy_grpc=_xds_stream())],
            ),
            cds_config=ads,
            lds_config=ads,
        ),
        # A cluster's statistics are made with its first request: those of 10,000 are 200 MB and two seconds of start.
        deferred_stat_options=BootstrapDeferredStatOptions(enable_deferred_creation_stats=True),
        stats_config=StatsConfig(stats_matcher=_uncounted()),
        # Without it, Envoy goes through the statistics of every cluster each five seconds: with 10,000, a tenth of a
        # second in which no push is taken. Whoever reads them over the admin interface gets them fresh.
        stats_flush_on_admin=True,
        overload_manager=_connection_limit(),
        static_resources=BootstrapStaticResources(clusters=[_xds_cluster(xds, tls)]),
    )
    document: dict[str, object] = message.to_dict()
    return document


def _xds_stream() -> GrpcServiceEnvoyGrpc:
    backoff = BackoffStrategy(base_interval=_RETRY_INTERVAL, max_interval=_LONGEST_RETRY_INTERVAL)
    return GrpcServiceEnvoyGrpc(cluster_name=names.XDS_CLUSTER, retry_policy=RetryPolicy(retry_back_off=backoff))


def _uncounted() -> StatsMatcher:
    of_clusters = StringMatcher(safe_regex=RegexMatcher(regex=rf"cluster\..*\.({_NEVER_COUNTED})"))
    return StatsMatcher(exclusion_list=ListStringMatcher(patterns=[of_clusters]))


def _connection_limit() -> OverloadManager:
    config = DownstreamConnectionsConfig(max_active_downstream_connections=_MAX_CONNECTIONS)
    monitor = ResourceMonitor(
        name="envoy.resource_monitors.global_downstream_max_connections", typed_config=any_of(config)
    )
    return OverloadManager(resource_monitors=[monitor])


def _xds_cluster(xds: Address, tls: OwnTls | None) -> Cluster:
    endpoint = LbEndpoint(endpoint=Endpoint(address=_address(xds)))
    http2 = Http2ProtocolOptions(
        # A control plane that is gone without a FIN is noticed after 30 s + 5 s.
        connection_keepalive=KeepaliveSettings(interval=timedelta(seconds=30), timeout=timedelta(seconds=5))
    )
    options = HttpProtocolOptions(
        explicit_http_config=HttpProtocolOptionsExplicitHttpConfig(http2_protocol_options=http2)
    )
    return Cluster(
        name=names.XDS_CLUSTER,
        type=ClusterDiscoveryType.STATIC if xds.numeric else ClusterDiscoveryType.STRICT_DNS,
        connect_timeout=timedelta(seconds=1),
        # Both libraries mean the same bytes; one place says what is in them.
        transport_socket=TransportSocket.parse(transport_socket(tls).SerializeToString()) if tls else None,
        load_assignment=ClusterLoadAssignment(
            cluster_name=names.XDS_CLUSTER, endpoints=[LocalityLbEndpoints(lb_endpoints=[endpoint])]
        ),
        typed_extension_protocol_options={"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": any_of(options)},
    )


def _address(address: Address) -> EnvoyAddress:
    if address.path:
        return EnvoyAddress(pipe=Pipe(path=address.path))
    return EnvoyAddress(socket_address=SocketAddress(address=address.host, port_value=address.port))
