"""Services and EndpointSlices: where backends are.

Law: only what routing needs is kept; addresses are texts that `ipaddress` accepts, unless the slice says FQDN.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True, order=True)
class ServiceName:
    """The namespace and name of a Service."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class ServiceType(Enum):
    """The types of a Service (core/v1 ServiceSpec.type)."""

    CLUSTER_IP = "ClusterIP"
    NODE_PORT = "NodePort"
    LOAD_BALANCER = "LoadBalancer"
    EXTERNAL_NAME = "ExternalName"


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a Service; `name` is "" for an unnamed one."""

    name: str
    port: int


@dataclass(frozen=True, slots=True)
class Service:
    """One Service. A headless one has cluster_ip "None"; "" means none was written in the manifest."""

    name: ServiceName
    type: ServiceType = ServiceType.CLUSTER_IP
    cluster_ip: str = ""
    external_name: str = ""
    ports: tuple[ServicePort, ...] = ()


@dataclass(frozen=True, slots=True)
class SlicePort:
    """One port of an EndpointSlice; a port of None means "all ports" and cannot be routed to."""

    name: str
    port: int | None


@dataclass(frozen=True, slots=True)
class SliceEndpoint:
    """One endpoint; `ready` None counts as ready, as discovery.k8s.io/v1 says. Only the first address is used."""

    addresses: tuple[str, ...]
    ready: bool | None = None


@dataclass(frozen=True, slots=True)
class EndpointSlice:
    """One EndpointSlice of a Service (its label kubernetes.io/service-name)."""

    namespace: str
    name: str
    service: ServiceName
    address_type: str
    endpoints: tuple[SliceEndpoint, ...] = ()
    ports: tuple[SlicePort, ...] = ()
