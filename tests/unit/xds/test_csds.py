"""What CSDS answers."""

from __future__ import annotations

import pytest
from envoy.service.status.v3.csds_pb2 import ERROR, STALE, SYNCED, ClientStatusRequest
from google.protobuf import json_format

from controlplane.model.proxy import Proxy, ProxyState, ProxyType, RejectedResource
from controlplane.model.resource import CLUSTER, LISTENER, SECRET
from controlplane.xds.csds import response


def a_type(type_url: str, state: ProxyState, *rejected: RejectedResource, acked_at: float | None = 3.5) -> ProxyType:
    """One subscribed type."""
    return ProxyType(type_url, state, True, 0, 0, "1", 2.0, "1" if acked_at else "", acked_at, "", rejected)


def a_proxy(node_id: str, *types: ProxyType) -> Proxy:
    """One stream."""
    return Proxy(node_id, "edge", "1.40.0", "unix:", "delta", 1.0, 7, 7, ProxyState.SYNCED, types)


def asked(*node_matchers: object) -> ClientStatusRequest:
    """A request, from its JSON."""
    return json_format.ParseDict({"node_matchers": node_matchers}, ClientStatusRequest())


def test_every_type_has_an_entry_and_every_rejected_resource_another() -> None:
    """The state is a word of CSDS; version and reason are those of the rejection; contents are not there."""
    proxy = a_proxy(
        "envoy-1",
        a_type(CLUSTER, ProxyState.SYNCED),
        a_type(SECRET, ProxyState.REJECTED, RejectedResource("front-proxy", "v2", "no key"), acked_at=None),
        a_type(LISTENER, ProxyState.STALE),
    )

    (config,) = response(asked(), [proxy], epoch=1000.0).config
    entries = config.generic_xds_configs

    assert (config.node.id, config.node.cluster, config.node.user_agent_version) == ("envoy-1", "edge", "1.40.0")
    assert [(entry.type_url, entry.name, entry.version_info, entry.config_status) for entry in entries] == [
        (CLUSTER, "", "", SYNCED),
        (SECRET, "", "", ERROR),
        (SECRET, "front-proxy", "v2", ERROR),
        (LISTENER, "", "", STALE),
    ]
    assert (entries[2].error_state.details, entries[2].error_state.version_info) == ("no key", "v2")
    assert [entry.last_updated.ToMilliseconds() for entry in entries] == [1_003_500, 0, 0, 1_003_500]
    assert not any(entry.HasField("xds_config") for entry in entries)


@pytest.mark.parametrize(
    ("matchers", "found"),
    [
        ([], ["edge-1", "edge-2", "inner-1"]),
        ([{"node_id": {"exact": "edge-2"}}], ["edge-2"]),
        ([{"node_id": {"exact": "edge"}}], []),
        ([{"node_id": {"exact": "EDGE-2", "ignore_case": True}}], ["edge-2"]),
        ([{"node_id": {"prefix": "edge-"}}], ["edge-1", "edge-2"]),
        ([{"node_id": {"suffix": "-1"}}], ["edge-1", "inner-1"]),
        ([{"node_id": {"contains": "ner"}}], ["inner-1"]),
        ([{"node_id": {"exact": "edge-1"}}, {"node_id": {"exact": "inner-1"}}], ["edge-1", "inner-1"]),
        ([{}], ["edge-1", "edge-2", "inner-1"]),
    ],
)
def test_node_matchers_choose_by_node_id(matchers: list[object], found: list[str]) -> None:
    """One of several that fits is enough, and one that says nothing fits everybody."""
    proxies = [a_proxy("edge-1"), a_proxy("edge-2"), a_proxy("inner-1")]

    assert found == [config.node.id for config in response(asked(*matchers), proxies, epoch=0.0).config]


@pytest.mark.parametrize(
    "matcher", [{"node_id": {"safe_regex": {"regex": ".*"}}}, {"node_metadatas": [{"path": [{"key": "zone"}]}]}]
)
def test_matchers_that_are_not_served_are_refused(matcher: object) -> None:
    """An answer that ignored them would name the wrong proxies."""
    with pytest.raises(ValueError, match=r"node_matchers\[1\]: only node_id is compared"):
        response(asked({}, matcher), [a_proxy("edge-1")], epoch=0.0)
