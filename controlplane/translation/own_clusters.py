"""The control plane's own faces as Envoy clusters.

In: a face's addresses, and how its connections are encrypted. Out: the CDS resource. Law: the addresses are in the
cluster itself; Envoy reaches who decides for it even while nothing else is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import address_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from google.protobuf import duration_pb2

from controlplane.model.resource import CLUSTER, EnvoyResource, ResourceName
from controlplane.settings.address import Address
from controlplane.translation.clusters import HTTP_OPTIONS, NO_LIMIT, no_limits, serialised
from controlplane.translation.own_tls import OwnTls, transport_socket

# Calls of one connection to a face of our own.
_CALLS: Final = 1000

# How often workers are asked how they are; a dead one is found sooner, by the first request that does not reach it.
_HEALTH_SECONDS: Final = 1
_UNHEALTHY_MILLISECONDS: Final = 250
# The dead are found at once. The busy must not be taken for them: what they are spared, the others get as well.
_HEALTH_TIMEOUT_SECONDS: Final = 4
_CHOICES: Final = 4


def own_cluster(
    name: str, addresses: Sequence[Address], tls: OwnTls | None, *, http2: bool, health_of: str = ""
) -> EnvoyResource:
    """The cluster of one of the control plane's own faces: gRPC (`http2`) or HTTP/1.1; `tls` None: unencrypted.

    With `health_of`, Envoy asks every address whether the gRPC service of that name serves, and passes over the others.
    """
    cluster = cluster_pb2.Cluster(name=name, connect_timeout=duration_pb2.Duration(seconds=1))
    numeric = all(address.numeric for address in addresses)
    cluster.type = cluster_pb2.Cluster.STATIC if numeric else cluster_pb2.Cluster.STRICT_DNS
    cluster.load_assignment.cluster_name = name
    locality = cluster.load_assignment.endpoints.add()
    for address in addresses:
        locality.lb_endpoints.add().endpoint.address.CopyFrom(_own_address(address))
    if health_of:
        _check_health(cluster, health_of)
    if tls is not None:
        cluster.transport_socket.CopyFrom(transport_socket(tls))
    cluster.circuit_breakers.CopyFrom(no_limits())
    options = http_protocol_options_pb2.HttpProtocolOptions()
    if http2:
        own = options.explicit_http_config.http2_protocol_options
        # A worker takes no more, and cannot say so before the first calls on a connection are under way.
        own.max_concurrent_streams.value = _CALLS
        # Envoy would end a connection that it has 1,000 resets to send on, and with it the calls of everybody, for the
        # clients that give up theirs.
        own.max_outbound_control_frames.value = own.max_outbound_frames.value = NO_LIMIT
    else:
        options.explicit_http_config.http_protocol_options.SetInParent()
    cluster.typed_extension_protocol_options[HTTP_OPTIONS].Pack(options)
    return EnvoyResource(ResourceName(CLUSTER, name), serialised(cluster))


def _check_health(cluster: cluster_pb2.Cluster, service: str) -> None:
    # The least busy first: a worker that hangs is given little more before it is found to be unhealthy. Envoy takes the
    # best of some that it draws, and may draw one again and again: of two workers, the one that hangs gets one request
    # in 16, where it would be one in four by default. With more draws one that is dead, and so never busy, would be the
    # best whenever somebody else is sought for a request that it has failed.
    cluster.lb_policy = cluster_pb2.Cluster.LEAST_REQUEST
    cluster.least_request_lb_config.choice_count.value = _CHOICES
    # While one of them serves, the others are not asked; when none seems to, which may be haste, all are.
    cluster.common_lb_config.healthy_panic_threshold.value = 1
    # Who becomes healthy, or ill, counts at once: by default Envoy's workers may hear of it a second later.
    cluster.common_lb_config.update_merge_window.SetInParent()
    check = cluster.health_checks.add()
    check.grpc_health_check.service_name = service
    for duration in (check.interval, check.no_traffic_interval, check.no_traffic_healthy_interval):
        duration.FromSeconds(_HEALTH_SECONDS)
    # One that comes back is asked again at once, and serves from its first good answer on.
    check.unhealthy_interval.FromMilliseconds(_UNHEALTHY_MILLISECONDS)
    check.timeout.FromSeconds(_HEALTH_TIMEOUT_SECONDS)
    # gRPC demands it of TLS; connections for requests name it by themselves, those for health do not.
    check.tls_options.alpn_protocols.append("h2")
    check.unhealthy_threshold.value = 2
    check.healthy_threshold.value = 1


def _own_address(address: Address) -> address_pb2.Address:
    if address.path:
        return address_pb2.Address(pipe=address_pb2.Pipe(path=address.path))
    return address_pb2.Address(socket_address=address_pb2.SocketAddress(address=address.host, port_value=address.port))
