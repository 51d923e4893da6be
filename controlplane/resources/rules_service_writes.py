"""What a write makes of a Service before it is judged.

In: a Service as it was sent (and the stored one). Out: the same with its defaults, and with what only the server
decides. Law: nothing is allocated: what upstream would allocate stays as it was sent, or as it was stored.
"""

from __future__ import annotations

from typing import Final

from controlplane.resources.rules_service_ips import keep_cluster_ips, spread_cluster_ip
from controlplane.resources.values import JsonObject, at, same

_AFFINITY_TIMEOUT: Final = 10_800
_INSIDE: Final = ("ClusterIP", "LoadBalancer", "NodePort")


def default(obj: JsonObject) -> None:
    """Fills in type, session affinity, traffic policies and what ports leave out."""
    spec = obj["spec"]
    spec.setdefault("sessionAffinity", "None")
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    if (
        spec["sessionAffinity"] == "ClientIP"
        and at(spec, "sessionAffinityConfig", "clientIP", "timeoutSeconds") is None
    ):
        spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": _AFFINITY_TIMEOUT}}
    kind = spec.setdefault("type", "ClusterIP")
    for port in spec.get("ports", ()):
        port.setdefault("protocol", "TCP")
        if port["targetPort"] in (0, ""):
            port["targetPort"] = port["port"]
    if from_outside(spec):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind in _INSIDE:
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        for ingress in obj["status"]["loadBalancer"].get("ingress", ()):
            if ingress.get("ip"):
                ingress.setdefault("ipMode", "VIP")


def prepare_create(obj: JsonObject) -> None:
    """Wipes the status, and lets clusterIP and clusterIPs say the same."""
    obj["status"] = {"loadBalancer": {}}
    spread_cluster_ip(obj["spec"], None)
    _drop_inside_policy(obj["spec"])


def prepare_update(obj: JsonObject, old: JsonObject) -> None:
    """Keeps the status and what was allocated, and drops what the type no longer has when it was not changed."""
    spec, before = obj["spec"], old["spec"]
    obj["status"] = old["status"]
    keep_cluster_ips(spec, before)
    spread_cluster_ip(spec, before)
    _keep_node_ports(spec, before)
    _drop_inside_policy(spec)
    kind, was = spec.get("type"), before.get("type")
    if was in ("NodePort", "LoadBalancer") and kind not in ("NodePort", "LoadBalancer"):
        known = {port.get("nodePort") for port in before.get("ports", ())}
        if all(port.get("nodePort") in known for port in spec.get("ports", ()) if port.get("nodePort")):
            for port in spec.get("ports", ()):
                port.pop("nodePort", None)
    if was == "LoadBalancer" and kind != "LoadBalancer":
        _drop_unchanged(spec, before, "allocateLoadBalancerNodePorts")
        _drop_unchanged(spec, before, "loadBalancerClass")
    if needs_health_check(before) and not needs_health_check(spec):
        _drop_unchanged(spec, before, "healthCheckNodePort")
    if from_outside(before) and not from_outside(spec):
        _drop_unchanged(spec, before, "externalTrafficPolicy")
    if kind != "LoadBalancer":
        obj["status"] = {**obj["status"], "loadBalancer": {}}


def from_outside(spec: JsonObject) -> bool:
    """True for a Service that is reached from outside the cluster."""
    kind = spec.get("type")
    return kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def needs_health_check(spec: JsonObject) -> bool:
    """True for a Service whose nodes say whether they serve it."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _drop_inside_policy(spec: JsonObject) -> None:
    """A Service that is only a name has no traffic inside the cluster to have a policy for."""
    if spec.get("type") == "ExternalName" and spec.get("internalTrafficPolicy") in ("Cluster", "Local"):
        del spec["internalTrafficPolicy"]


def _keep_node_ports(spec: JsonObject, before: JsonObject) -> None:
    """A port that leaves its node port out keeps the one that the port of its name had."""
    if not {spec.get("type"), before.get("type")} <= {"NodePort", "LoadBalancer"}:
        return
    given = {port.get("nodePort") for port in spec.get("ports", ())}
    named = {port.get("name", ""): port.get("nodePort") for port in before.get("ports", ())}
    for port in spec.get("ports", ()):
        known = named.get(port.get("name", ""))
        if not port.get("nodePort") and known and known not in given:
            port["nodePort"] = known
    if needs_health_check(spec) and needs_health_check(before) and "healthCheckNodePort" in before:
        spec.setdefault("healthCheckNodePort", before["healthCheckNodePort"])


def _drop_unchanged(spec: JsonObject, before: JsonObject, name: str) -> None:
    if same(spec.get(name), before.get(name)):
        spec.pop(name, None)
