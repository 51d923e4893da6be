"""The rules for the cluster IPs of Services.

In: the spec of a Service in its normal form (and the stored one's). Out: what is carried over, and every rule it
breaks. Law: rules and sentences of kube-apiserver's v1, as far as they do not need an allocator.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from controlplane.resources import addresses
from controlplane.resources.cause import Cause, duplicate, invalid, required, unsupported
from controlplane.resources.values import JsonObject, same

_FAMILIES: Final = ("IPv4", "IPv6")
_POLICIES: Final = ("PreferDualStack", "RequireDualStack", "SingleStack")
_IPS: Final = "spec.clusterIPs"
_FIXED: Final = "may not change once set"
_MOST: Final = 2


def headless(spec: JsonObject) -> bool:
    """True for a Service that says it has no cluster IP."""
    return bool(spec.get("clusterIPs") == ["None"])


def spread_cluster_ip(spec: JsonObject, before: JsonObject | None) -> None:
    """Lets clusterIP and clusterIPs say the same, after whichever of them was changed."""
    ip, ips = spec.get("clusterIP", ""), spec.get("clusterIPs", [])
    if before is None:
        if ip and not ips:
            spec["clusterIPs"] = [ip]
        return
    unchanged = ip == before.get("clusterIP", ""), same(ips, before.get("clusterIPs", []))
    if unchanged == (False, True):
        spec.pop("clusterIPs", None)
        if ip:
            spec["clusterIPs"] = [ip]
    elif unchanged == (True, False) and not ips:
        spec.pop("clusterIP", None)


def keep_cluster_ips(spec: JsonObject, before: JsonObject) -> None:
    """Carries the cluster IPs over where the new spec leaves them out, and drops them where the type has none."""
    named, was_named = (one.get("type") == "ExternalName" for one in (spec, before))
    if was_named:
        return
    if named:
        for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if same(spec.get(name), before.get(name)):
                spec.pop(name, None)
                if name == "clusterIPs":
                    spec.pop("clusterIP", None)
        return
    for name in ("clusterIP", "clusterIPs", "ipFamilyPolicy", "ipFamilies"):
        if name in before:
            spec.setdefault(name, before[name])


def check_cluster_ips(spec: JsonObject, before: JsonObject | None = None) -> Iterator[Cause]:
    """Every rule that cluster IPs, families and their policy break."""
    if spec.get("type") == "ExternalName":
        return
    ip, ips, families = spec.get("clusterIP", ""), spec.get("clusterIPs", []), spec.get("ipFamilies", [])
    if ip and not ips:
        yield required(_IPS)
    elif ip and ips[0] != ip:
        yield invalid(_IPS, ips, "first value must match `clusterIP`")
    elif ips and not ip:
        yield invalid(_IPS, ips, "must be empty when `clusterIP` is not specified")
    for index, family in enumerate(families):
        if family not in _FAMILIES:
            yield unsupported(f"spec.ipFamilies[{index}]", family, _FAMILIES)
        if family in families[:index]:
            yield duplicate(f"spec.ipFamilies[{index}]", family)
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in _POLICIES:
        yield unsupported("spec.ipFamilyPolicy", policy, _POLICIES)
    known = [] if before is None else before.get("clusterIPs", [])
    wrong = tuple(_malformed(ips, known))
    yield from wrong
    if len(ips) > _MOST:
        yield invalid(_IPS, ips, "may only hold up to 2 values")
    if not wrong:
        yield from _families(ips, families)


def check_cluster_ips_update(spec: JsonObject, before: JsonObject) -> Iterator[Cause]:
    """Every rule that a change of cluster IPs or families breaks."""
    if "ExternalName" in (spec.get("type"), before.get("type")) or (headless(spec) and headless(before)):
        return
    old, new = before.get("clusterIPs", []), spec.get("clusterIPs", [])
    if old and not new:
        yield invalid(f"{_IPS}[0]", None, "primary clusterIP can not be unset")
    for index, (left, right) in enumerate(zip(old, new, strict=False)):
        # A second address may come and go, with the policy.
        if left != right and (index == 0 or len(old) == len(new)):
            yield invalid(f"{_IPS}[{index}]", new, _FIXED)
    single = spec.get("ipFamilyPolicy") == "SingleStack"
    if len(old) > len(new) == 1 and not single:
        detail = "must be set to 'SingleStack' when releasing the secondary clusterIP"
        yield invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), detail)
    if headless(spec) != headless(before):
        return
    families, were = spec.get("ipFamilies", []), before.get("ipFamilies", [])
    if families and were and families[0] != were[0]:
        yield invalid("spec.ipFamilies[0]", families, _FIXED)
    if len(were) > len(families) == 1 and not single:
        detail = "must be set to 'SingleStack' when releasing the secondary ipFamily"
        yield invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), detail)


def _malformed(ips: list[str], known: list[str]) -> Iterator[Cause]:
    for index, ip in enumerate(ips):
        if index == 0 and ip == "None":
            if len(ips) > 1:
                yield invalid(_IPS, ips, "'None' must be the first and only value")
            continue
        if ip not in known:
            yield from addresses.legacy(f"{_IPS}[{index}]", ip)


def _families(ips: list[str], families: list[str]) -> Iterator[Cause]:
    if ips == ["None"]:
        return
    parsed = [addresses.parse(ip) for ip in ips]
    versions = [f"IPv{address.version}" for address in parsed if address is not None]
    if len(ips) > 1 and len(set(versions)) != len(ips):
        yield invalid(_IPS, ips, "may specify no more than one IP for each IP family")
    for index, (version, family) in enumerate(zip(versions, families, strict=False)):
        if version != family and family in _FAMILIES:
            yield invalid(
                f"{_IPS}[{index}]", ips[index], f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            )
