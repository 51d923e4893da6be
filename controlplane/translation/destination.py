"""Where Envoy sends what is routed to a cluster, read from the very resources that it is given.

In: a serialised Cluster, and its ClusterLoadAssignment when it has one of its own. Out: addresses, and what the
connection is like. Law: no secret is in it, only which are used.
"""

from __future__ import annotations

from collections.abc import Iterable

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import address_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2

from controlplane.model.explanation import Destination
from controlplane.translation import names


def destination(cluster: bytes, assignment: bytes | None) -> Destination:
    """What the two resources say; `assignment` is None where the cluster holds its endpoints itself."""
    read = cluster_pb2.Cluster.FromString(cluster)
    places = read.load_assignment
    if assignment is not None:
        places = endpoint_pb2.ClusterLoadAssignment.FromString(assignment)
    endpoints = tuple(
        _place(endpoint.endpoint.address) for locality in places.endpoints for endpoint in locality.lb_endpoints
    )
    dns = read.type == cluster_pb2.Cluster.STRICT_DNS
    seconds = read.connect_timeout.ToTimedelta().total_seconds()
    tls = tls_pb2.UpstreamTlsContext()
    if not read.HasField("transport_socket") or not read.transport_socket.typed_config.Unpack(tls):
        return Destination(endpoints, dns, connect_timeout_seconds=seconds)
    common = tls.common_tls_context
    sans = (*_sans(common.validation_context), *_sans(common.combined_validation_context.default_validation_context))
    return Destination(
        endpoints,
        dns,
        tls=True,
        server_name=tls.sni or next(iter(sans), ""),
        trust=_trust(common),
        client_certificate=bool(common.tls_certificate_sds_secret_configs or common.tls_certificates),
        connect_timeout_seconds=seconds,
    )


def _trust(common: tls_pb2.CommonTlsContext) -> str:
    if common.HasField("combined_validation_context"):
        secret: str = common.combined_validation_context.validation_context_sds_secret_config.name
        return "system roots" if secret == names.SYSTEM_ROOTS_SECRET else secret
    return "caBundle" if common.validation_context.HasField("trusted_ca") else "insecure"


def _sans(context: tls_pb2.CertificateValidationContext) -> Iterable[str]:
    return (each.matcher.exact for each in context.match_typed_subject_alt_names)


def _place(address: address_pb2.Address) -> str:
    if address.HasField("pipe"):
        return f"unix:{address.pipe.path}"
    host, port = address.socket_address.address, address.socket_address.port_value
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
