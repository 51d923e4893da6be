"""The rules for EndpointSlices.

In: an EndpointSlice in its normal form. Out: what it defaults to, and every rule it breaks. Law: rules and sentences of
kube-apiserver's discovery.k8s.io/v1, except that loopback addresses are allowed: on one machine they are the natural
thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from controlplane.resources import addresses, formats, metadata
from controlplane.resources.cause import Cause, duplicate, invalid, required, too_many, unsupported
from controlplane.resources.values import JsonObject, same

_ADDRESS_TYPES: Final = ("FQDN", "IPv4", "IPv6")
_PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
_MOST_ENDPOINTS: Final = 1_000
_MOST_ADDRESSES: Final = 100
_MOST_PORTS: Final = 20_000
_MOST_HINTS: Final = 8


def default(obj: JsonObject) -> None:
    """Fills in the names and protocols of ports."""
    for port in obj["ports"] or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


def prepare(obj: JsonObject, old: JsonObject | None) -> None:
    """Drops the topology that v1 can no longer write, but from endpoints that are as before; begins the generations."""
    if old is None:
        obj["metadata"]["generation"] = 1
    elif same(old["endpoints"], obj["endpoints"]):
        return
    for endpoint in obj["endpoints"] or ():
        endpoint.pop("deprecatedTopology", None)


def check(obj: JsonObject, old: JsonObject | None = None) -> Iterator[Cause]:
    """Every rule that an EndpointSlice breaks."""
    yield from metadata.core_object_meta(obj["metadata"], metadata.subdomain_name, namespaced=True)
    kind = obj["addressType"]
    if not kind:
        yield required("addressType")
    elif kind not in _ADDRESS_TYPES:
        yield unsupported("addressType", kind, _ADDRESS_TYPES)
    yield from _ports(obj["ports"] or ())
    if old is None or not same(old["endpoints"], obj["endpoints"]):
        yield from _endpoints(obj["endpoints"] or (), kind)


def check_update(obj: JsonObject, old: JsonObject) -> Iterator[Cause]:
    """Every rule that a change of an EndpointSlice breaks."""
    yield from metadata.object_meta_update(obj["metadata"], old["metadata"])
    yield from check(obj, old)
    yield from metadata.immutable("addressType", obj["addressType"], old["addressType"])


def _ports(ports: Iterable[JsonObject]) -> Iterator[Cause]:
    ports = tuple(ports)
    if len(ports) > _MOST_PORTS:
        yield too_many("ports", len(ports), _MOST_PORTS)
        return
    seen: set[str] = set()
    for index, port in enumerate(ports):
        path, name = f"ports[{index}]", port["name"]
        if name:
            yield from (invalid(f"{path}.name", name, defect) for defect in formats.dns1123_label(name))
        if name in seen:
            yield duplicate(f"{path}.name", name)
        seen.add(name)
        if port["protocol"] not in _PROTOCOLS:
            yield unsupported(f"{path}.protocol", port["protocol"], _PROTOCOLS)
        protocol = port.get("appProtocol")
        if protocol is not None:
            defects = formats.qualified_name(protocol)
            yield from (invalid(f"{path}.appProtocol", protocol, defect) for defect in defects)


def _endpoints(endpoints: Iterable[JsonObject], kind: str) -> Iterator[Cause]:
    endpoints = tuple(endpoints)
    if len(endpoints) > _MOST_ENDPOINTS:
        yield too_many("endpoints", len(endpoints), _MOST_ENDPOINTS)
        return
    for index, endpoint in enumerate(endpoints):
        path = f"endpoints[{index}]"
        given = endpoint["addresses"] or ()
        if not given:
            yield required(f"{path}.addresses", "must contain at least 1 address")
        elif len(given) > _MOST_ADDRESSES:
            yield too_many(f"{path}.addresses", len(given), _MOST_ADDRESSES)
        for position, address in enumerate(given):
            yield from _address(f"{path}.addresses", position, address, kind)
        node = endpoint.get("nodeName")
        if node is not None:
            yield from (invalid(f"{path}.nodeName", node, defect) for defect in formats.dns1123_subdomain(node))
        yield from metadata.labels(endpoint.get("deprecatedTopology", {}), f"{path}.deprecatedTopology")
        host = endpoint.get("hostname")
        if host is not None:
            yield from (invalid(f"{path}.hostname", host, defect) for defect in formats.dns1123_label(host))
        yield from _hints(endpoint.get("hints") or {}, f"{path}.hints")


def _address(path: str, position: int, address: str, kind: str) -> Iterator[Cause]:
    place = f"{path}[{position}]"
    match kind:
        case "FQDN":
            yield from addresses.domain(place, address)
            return
        case "IPv4":
            wrong, sort = tuple(addresses.legacy(place, address)), 4
        case "IPv6":
            wrong, sort = tuple(addresses.strict(place, address)), 6
        case _:
            return
    yield from wrong
    parsed = addresses.parse(address)
    if wrong or parsed is None:
        return
    if parsed.version != sort:
        yield invalid(path, address, f"must be an {kind} address")
    yield from addresses.endpoint(place, address, loopback=True)


def _hints(hints: JsonObject, path: str) -> Iterator[Cause]:
    zones, nodes = hints.get("forZones", ()), hints.get("forNodes", ())
    if len(zones) > _MOST_HINTS:
        yield too_many(f"{path}.forZones", len(zones), _MOST_HINTS)
        return
    yield from _unique(zones, f"{path}.forZones")
    for index, zone in enumerate(zones):
        defects = formats.label_value(zone["name"])
        yield from (invalid(f"{path}.forZones[{index}].name", zone["name"], defect) for defect in defects)
    if len(nodes) > _MOST_HINTS:
        yield too_many(f"{path}.forNodes", len(nodes), _MOST_HINTS)
        return
    yield from _unique(nodes, f"{path}.forNodes")
    for index, node in enumerate(nodes):
        defects = formats.dns1123_subdomain(node["name"])
        yield from (invalid(f"{path}.forNodes[{index}].name", node["name"], defect) for defect in defects)


def _unique(entries: Iterable[JsonObject], path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        if entry["name"] in seen:
            yield duplicate(f"{path}[{index}].name", entry["name"])
        seen.add(entry["name"])
