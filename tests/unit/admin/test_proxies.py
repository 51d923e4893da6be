"""Status of proxies, as the StatusService says it."""

from __future__ import annotations

import json

from controlplane.admin.proxies import as_json, response
from controlplane.model.proxy import Proxy, ProxyState, ProxyType, RejectedResource
from controlplane.model.resource import CLUSTER, LISTENER

PROXY = Proxy(
    "envoy-1",
    "edge",
    "1.40.0",
    "unix:",
    "delta",
    1.0,
    7,
    6,
    ProxyState.REJECTED,
    (
        ProxyType(
            CLUSTER, ProxyState.REJECTED, True, 2, 3, "5", 2.0, "4", 1.5, "bad", (RejectedResource("a", "v", "bad"),), 2
        ),
        ProxyType(LISTENER, ProxyState.STALE, True, 0, 1, "6", 2.25, "", None, "", ()),
    ),
    "inner",
)


def test_everything_known_of_a_proxy_is_told() -> None:
    """Times are times of the day, and what has not happened yet has none."""
    (told,) = json.loads(as_json(response([PROXY], epoch=1_700_000_000.0)))["proxies"]
    first, second = told.pop("types")

    assert told == {
        "nodeId": "envoy-1",
        "nodeCluster": "edge",
        "version": "1.40.0",
        "peer": "unix:",
        "protocol": "delta",
        "connectedAt": "2023-11-14T22:13:21Z",
        "offeredGeneration": "7",
        "ackedGeneration": "6",
        "state": "REJECTED",
        "group": "inner",
    }
    assert first == {
        "typeUrl": CLUSTER,
        "state": "REJECTED",
        "wildcard": True,
        "names": 2,
        "behind": 3,
        "sentNonce": "5",
        "sentAt": "2023-11-14T22:13:22Z",
        "ackedNonce": "4",
        "ackedAt": "2023-11-14T22:13:21.500Z",
        "error": "bad",
        "rejected": [{"name": "a", "version": "v", "reason": "bad"}],
        "withheld": 2,
    }
    assert (second["sentAt"], second["ackedNonce"], "ackedAt" in second) == ("2023-11-14T22:13:22.250Z", "", False)
