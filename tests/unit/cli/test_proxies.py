"""The table of `isthmus proxies`."""

from __future__ import annotations

from controlplane.admin.proxies import response
from controlplane.cli.proxies import table
from controlplane.model.proxy import Proxy, ProxyState, ProxyType, RejectedResource
from controlplane.model.resource import CLUSTER, ENDPOINTS, LISTENER, ROUTE, SCOPED_ROUTE

SYNCED, STALE, REJECTED = ProxyState.SYNCED, ProxyState.STALE, ProxyState.REJECTED


def a_type(type_url: str, state: ProxyState, *rejected: RejectedResource, behind: int = 0) -> ProxyType:
    """One subscribed type."""
    return ProxyType(type_url, state, True, 0, behind, "1", 1.0, "1", 1.0, "", rejected)


def a_proxy(node_id: str, *types: ProxyType, cluster: str = "edge", version: str = "1.40.0") -> Proxy:
    """One stream."""
    return Proxy(node_id, cluster, version, "unix:", "delta", 1.0, 7, 7, SYNCED, types)


def test_the_table_has_a_state_for_every_type_and_the_reasons_below() -> None:
    """A line a stream in the order of the response; what is not subscribed to is a dash, and a reason is one line."""
    bad = RejectedResource("kube-system/metrics", "0123", "unknown field:\n  connect_timeout")
    proxies = [
        a_proxy("envoy-1", a_type(CLUSTER, SYNCED), a_type(ENDPOINTS, STALE), a_type(SCOPED_ROUTE, STALE, behind=3)),
        a_proxy("envoy-2", a_type(CLUSTER, REJECTED, bad, behind=1), a_type(LISTENER, SYNCED), cluster="", version=""),
        a_proxy("envoy-2", a_type(CLUSTER, REJECTED, bad, behind=1), a_type(ROUTE, SYNCED)),
    ]

    assert table(response(proxies, epoch=0.0)).splitlines() == [
        "NODE      CLUSTER   VERSION   CDS        EDS     LDS      SRDS               SDS   ECDS",
        "envoy-1   edge      1.40.0    SYNCED     STALE   -        STALE (3 behind)   -     -",
        "envoy-2   -         -         REJECTED   -       SYNCED   -                  -     -",
        "envoy-2   edge      1.40.0    REJECTED   -       -        -                  -     -",
        "envoy-2: Cluster kube-system/metrics (version 0123) was rejected: unknown field: connect_timeout",
    ]


def test_nobody_connected_is_said() -> None:
    """An empty table would leave it open whether something is broken."""
    assert table(response((), epoch=0.0)) == "no proxies connected"
