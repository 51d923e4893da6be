"""The rules for Services, but for those about their addresses.

In: a Service in its normal form. Out: every rule it breaks. Law: rules and sentences of
kube-apiserver's v1. Nothing is allocated here: cluster IPs and node ports are what the manifest says, and a Service
without a cluster IP is reached as a headless one is, by its EndpointSlices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from controlplane.resources import addresses, formats, metadata
from controlplane.resources.cause import Cause, duplicate, forbidden, invalid, required, unsupported
from controlplane.resources.rules_service_ips import check_cluster_ips, check_cluster_ips_update, headless
from controlplane.resources.rules_service_writes import from_outside, needs_health_check
from controlplane.resources.values import JsonObject, at, same

_AFFINITY_TIMEOUT_LIMIT: Final = 86_400
_PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
_TYPES: Final = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_DISTRIBUTIONS: Final = ("PreferClose", "PreferSameZone", "PreferSameNode")
_SOURCE_RANGES: Final = "service.beta.kubernetes.io/load-balancer-source-ranges"
_TOPOLOGY_MODE: Final = "service.kubernetes.io/topology-mode"
_TOPOLOGY_HINTS: Final = "service.kubernetes.io/topology-aware-hints"
_ONLY_LOAD_BALANCER: Final = "may only be used when `type` is 'LoadBalancer'"


def check(obj: JsonObject) -> Iterator[Cause]:
    """Every rule that a new Service breaks."""
    # Addresses are judged first and alone, as upstream's allocator does.
    if wrong := tuple(check_cluster_ips(obj["spec"])):
        yield from wrong
        return
    yield from metadata.core_object_meta(obj["metadata"], _name_rule, namespaced=True)
    yield from _spec(obj)


def check_update(obj: JsonObject, old: JsonObject) -> Iterator[Cause]:
    """Every rule that a change of a Service breaks."""
    spec, before = obj["spec"], old["spec"]
    if wrong := tuple(check_cluster_ips(spec, before)):
        yield from wrong
        return
    yield from metadata.object_meta_update(obj["metadata"], old["metadata"])
    yield from metadata.core_finalizers(obj["metadata"])
    yield from check_cluster_ips_update(spec, before)
    if spec.get("type") == before.get("type") == "LoadBalancer":
        new = spec.get("loadBalancerClass")
        if not same(new, before.get("loadBalancerClass")):
            yield invalid("spec.loadBalancerClass", new, "may not change once set")
    yield from _load_balancer_class(spec)
    kept = spec.get("healthCheckNodePort") == before.get("healthCheckNodePort")
    if needs_health_check(spec) and needs_health_check(before) and not kept:
        yield forbidden("spec.healthCheckNodePort", "field is immutable")
    yield from _spec(obj)


def check_status_update(obj: JsonObject, old: JsonObject) -> Iterator[Cause]:
    """Every rule that a change of the status breaks."""
    yield from metadata.object_meta_update(obj["metadata"], old["metadata"])
    ingress = obj["status"]["loadBalancer"].get("ingress", ())
    if ingress and obj["spec"].get("type") != "LoadBalancer":
        yield forbidden("status.loadBalancer.ingress", "may only be used when `spec.type` is 'LoadBalancer'")
        return
    for index, entry in enumerate(ingress):
        path = f"status.loadBalancer.ingress[{index}]"
        if entry.get("ip"):
            yield from addresses.legacy(f"{path}.ip", entry["ip"])
        mode = entry.get("ipMode")
        if mode is not None and not entry.get("ip"):
            yield forbidden(f"{path}.ipMode", "may not be specified when `ip` is not set")
        elif mode is not None and mode not in ("Proxy", "VIP"):
            yield unsupported(f"{path}.ipMode", mode, ("Proxy", "VIP"))
        if host := entry.get("hostname"):
            yield from (invalid(f"{path}.hostname", host, defect) for defect in formats.dns1123_subdomain(host))
            if addresses.parse(host) is not None:
                yield invalid(f"{path}.hostname", host, "must be a DNS name, not an IP address")


def _name_rule(name: str, *, prefix: bool) -> formats.Defects:
    return formats.dns1123_label(formats.prefix_of(name) if prefix else name)


def _spec(obj: JsonObject) -> Iterator[Cause]:
    spec, annotations = obj["spec"], obj["metadata"].get("annotations", {})
    kind, ports = spec.get("type"), spec.get("ports", ())
    mode, hints = annotations.get(_TOPOLOGY_MODE), annotations.get(_TOPOLOGY_HINTS)
    if mode is not None and hints is not None and mode != hints:
        detail = f"must match annotations[{_TOPOLOGY_HINTS}] when both are specified"
        yield invalid(f"metadata.annotations[{_TOPOLOGY_MODE}]", mode, detail)
    if not ports and not headless(spec) and kind != "ExternalName":
        yield required("spec.ports")
    yield from _of_type(spec)
    yield from _ports(ports, kind)
    yield from metadata.labels(spec.get("selector", {}), "spec.selector")
    yield from _affinity(spec)
    for index, address in enumerate(spec.get("externalIPs", ())):
        yield from addresses.legacy(f"spec.externalIPs[{index}]", address)
        yield from addresses.endpoint(f"spec.externalIPs[{index}]", address, loopback=False)
    if kind not in _TYPES:
        yield unsupported("spec.type", kind, _TYPES)
    yield from _source_ranges(spec, annotations)
    if spec.get("allocateLoadBalancerNodePorts") is not None and kind != "LoadBalancer":
        yield forbidden("spec.allocateLoadBalancerNodePorts", _ONLY_LOAD_BALANCER)
    yield from _load_balancer_class(spec)
    yield from _traffic(spec)


def _of_type(spec: JsonObject) -> Iterator[Cause]:
    kind = spec.get("type")
    if kind in ("LoadBalancer", "NodePort") and headless(spec):
        yield invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services")
    if kind != "ExternalName":
        return
    for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if spec.get(name):
            yield forbidden(f"spec.{name}", "may not be set for ExternalName services")
    # A name may end with a dot, which says that it is fully qualified.
    name = spec.get("externalName", "").removesuffix(".")
    if not name:
        yield required("spec.externalName")
    else:
        yield from (invalid("spec.externalName", name, defect) for defect in formats.dns1123_subdomain(name))


def _ports(ports: Iterable[JsonObject], kind: str | None) -> Iterator[Cause]:
    ports = tuple(ports)
    names: set[str] = set()
    for index, port in enumerate(ports):
        yield from _port(port, f"spec.ports[{index}]", names, named=len(ports) > 1)
    node_ports: set[tuple[str, int]] = set()
    numbers: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        path, protocol, node_port = f"spec.ports[{index}]", port.get("protocol", ""), port.get("nodePort", 0)
        if node_port and kind == "ClusterIP":
            yield forbidden(f"{path}.nodePort", "may not be used when `type` is 'ClusterIP'")
        if node_port and (protocol, node_port) in node_ports:
            yield duplicate(f"{path}.nodePort", node_port)
        node_ports.add((protocol, node_port))
        if (protocol, port["port"]) in numbers:
            shown = {"Name": "", "Protocol": protocol, "AppProtocol": None, "Port": port["port"]}
            yield duplicate(path, {**shown, "TargetPort": 0, "NodePort": 0})
        numbers.add((protocol, port["port"]))


def _port(port: JsonObject, path: str, names: set[str], *, named: bool) -> Iterator[Cause]:
    name, target, protocol = port.get("name", ""), port["targetPort"], port.get("protocol", "")
    if name:
        yield from (invalid(f"{path}.name", name, defect) for defect in formats.dns1123_label(name))
        if name in names:
            yield duplicate(f"{path}.name", name)
        names.add(name)
    elif named:
        yield required(f"{path}.name")
    yield from (invalid(f"{path}.port", port["port"], defect) for defect in formats.port_number(port["port"]))
    if protocol not in _PROTOCOLS:
        yield unsupported(f"{path}.protocol", protocol, _PROTOCOLS)
    rule = formats.port_name(target) if isinstance(target, str) else formats.port_number(target)
    yield from (invalid(f"{path}.targetPort", target, defect) for defect in rule)
    application = port.get("appProtocol")
    if application is not None:
        defects = formats.qualified_name(application)
        yield from (invalid(f"{path}.appProtocol", application, defect) for defect in defects)


def _affinity(spec: JsonObject) -> Iterator[Cause]:
    affinity = spec.get("sessionAffinity", "")
    if affinity not in ("ClientIP", "None"):
        yield unsupported("spec.sessionAffinity", affinity, ("ClientIP", "None"))
    if affinity == "ClientIP":
        timeout = at(spec, "sessionAffinityConfig", "clientIP", "timeoutSeconds")
        if not 0 < timeout <= _AFFINITY_TIMEOUT_LIMIT:
            detail = f"must be greater than 0 and less than {_AFFINITY_TIMEOUT_LIMIT}"
            yield invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", timeout, detail)


def _source_ranges(spec: JsonObject, annotations: JsonObject) -> Iterator[Cause]:
    # The capital letter is upstream's.
    path, ranges = "spec.LoadBalancerSourceRanges", spec.get("loadBalancerSourceRanges", ())
    if not ranges and _SOURCE_RANGES in annotations:
        path, text = f"metadata.annotations[{_SOURCE_RANGES}]", annotations[_SOURCE_RANGES].strip()
        if spec.get("type") != "LoadBalancer":
            yield forbidden(path, _ONLY_LOAD_BALANCER)
        for entry in text.split(",") if text else ():
            yield from addresses.network(path, entry.strip())
    elif ranges and spec.get("type") != "LoadBalancer":
        yield forbidden(path, _ONLY_LOAD_BALANCER)
    for index, entry in enumerate(ranges):
        yield from addresses.network(f"{path}[{index}]", entry.strip())


def _load_balancer_class(spec: JsonObject) -> Iterator[Cause]:
    name = spec.get("loadBalancerClass")
    if name is None:
        return
    if spec.get("type") != "LoadBalancer":
        yield forbidden("spec.loadBalancerClass", _ONLY_LOAD_BALANCER)
    else:
        yield from (invalid("spec.loadBalancerClass", name, defect) for defect in formats.qualified_name(name))


def _traffic(spec: JsonObject) -> Iterator[Cause]:
    outside, inside = spec.get("externalTrafficPolicy", ""), spec.get("internalTrafficPolicy")
    if outside and not from_outside(spec):
        yield invalid("spec.externalTrafficPolicy", outside, "may only be set for externally-accessible services")
    elif from_outside(spec) and outside not in ("Cluster", "Local"):
        yield unsupported("spec.externalTrafficPolicy", outside, ("Cluster", "Local"))
    health = spec.get("healthCheckNodePort", 0)
    if health and not needs_health_check(spec):
        detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        yield invalid("spec.healthCheckNodePort", health, detail)
    elif health:
        yield from (invalid("spec.healthCheckNodePort", health, defect) for defect in formats.port_number(health))
    if inside is not None and inside not in ("Cluster", "Local"):
        yield unsupported("spec.internalTrafficPolicy", inside, ("Cluster", "Local"))
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in _DISTRIBUTIONS:
        yield unsupported("spec.trafficDistribution", distribution, _DISTRIBUTIONS)
