"""What CSDS answers."""

from __future__ import annotations

import pytest
from envoy.service.status.v3.csds_pb2 import ERROR, NOT_SENT, STALE, SYNCED, ClientStatusRequest
from google.protobuf import json_format

from controlplane.model.proxy import Proxy, ProxyResource, ProxyState, ProxyType, ResourceState
from controlplane.model.resource import CLUSTER, LISTENER, SECRET
from controlplane.xds.csds import MAX_BYTES, response


def a_type(type_url: str, *resources: ProxyResource, state: ProxyState = ProxyState.SYNCED) -> ProxyType:
    """One subscribed type; those of its resources that are out of step come first."""
    behind = sum(resource.held != resource.wanted for resource in resources)
    return ProxyType(
        *(type_url, state, True, 0, behind, "1", 2.0, "1", 3.5, "", ()),
        total=len(resources),
        resources=lambda: resources,
    )


def a_proxy(node_id: str, *types: ProxyType) -> Proxy:
    """One stream."""
    return Proxy(node_id, "edge", "1.40.0", "unix:", "delta", 1.0, 7, 7, ProxyState.SYNCED, types)


def synced(number: int, prefix: str = "c") -> list[ProxyResource]:
    """So many resources in step, with names and versions as long as they are in earnest."""
    return [
        ProxyResource(f"{prefix}-{index:050d}", "0" * 32, "0" * 32, ResourceState.SYNCED) for index in range(number)
    ]


def stale(number: int) -> list[ProxyResource]:
    """So many resources that the proxy holds otherwise than it shall."""
    return [ProxyResource(f"stale-{index:050d}", "0" * 32, "1" * 32, ResourceState.STALE) for index in range(number)]


def asked(*node_matchers: object) -> ClientStatusRequest:
    """A request, from its JSON."""
    return json_format.ParseDict({"node_matchers": node_matchers}, ClientStatusRequest())


def told(*proxies: Proxy) -> list[list[tuple[str, str]]]:
    """The types and names of each proxy's entries."""
    answer = response(asked(), proxies, epoch=0.0)

    assert answer.ByteSize() <= MAX_BYTES
    return [[(entry.type_url, entry.name) for entry in config.generic_xds_configs] for config in answer.config]


def test_every_resource_has_an_entry() -> None:
    """The state is a word of CSDS, the version what the proxy holds; contents are not there."""
    proxy = a_proxy(
        "envoy-1",
        a_type(
            CLUSTER,
            ProxyResource("late", "v1", "v2", ResourceState.STALE),
            ProxyResource("waiting", "", "v1", ResourceState.NOT_SENT),
            ProxyResource("good", "v1", "v1", ResourceState.SYNCED),
        ),
        a_type(LISTENER),
    )

    (config,) = response(asked(), [proxy], epoch=1000.0).config
    entries = config.generic_xds_configs

    assert (config.node.id, config.node.cluster, config.node.user_agent_version) == ("envoy-1", "edge", "1.40.0")
    assert [(entry.type_url, entry.name, entry.version_info, entry.config_status) for entry in entries] == [
        (CLUSTER, "late", "v1", STALE),
        (CLUSTER, "waiting", "", NOT_SENT),
        (CLUSTER, "good", "v1", SYNCED),
    ]
    assert not any(entry.HasField("xds_config") or entry.HasField("error_state") for entry in entries)


@pytest.mark.parametrize(("rejected_at", "attempted"), [(3.5, 1_003_500), (None, None)])
def test_rejected_resource_says_why_and_when(rejected_at: float | None, attempted: int | None) -> None:
    """Version and reason are those of the rejection; what another proxy rejected was never attempted by this one."""
    rejected = ProxyResource("front-proxy", "v1", "v2", ResourceState.REJECTED, "no key", rejected_at)

    (config,) = response(asked(), [a_proxy("envoy-1", a_type(SECRET, rejected))], epoch=1000.0).config
    (entry,) = config.generic_xds_configs
    failure = entry.error_state

    assert (entry.version_info, entry.config_status) == ("v1", ERROR)
    assert (failure.details, failure.version_info) == ("no key", "v2")
    assert (
        failure.last_update_attempt.ToMilliseconds() if failure.HasField("last_update_attempt") else None
    ) == attempted


def test_type_with_too_many_resources_is_told_as_a_whole() -> None:
    """Its state and time, then what is out of step; the types with fewer are told in full, and in their order."""
    proxy = a_proxy(
        "envoy-1",
        a_type(CLUSTER, *stale(2), *synced(40_000), state=ProxyState.STALE),
        a_type(SECRET, *synced(1, "s")),
    )

    assert told(proxy) == [
        [(CLUSTER, ""), *((CLUSTER, resource.name) for resource in stale(2)), (SECRET, synced(1, "s")[0].name)]
    ]
    whole = response(asked(), [proxy], epoch=1000.0).config[0].generic_xds_configs[0]
    assert (whole.config_status, whole.last_updated.ToMilliseconds()) == (STALE, 1_003_500)


def test_what_is_out_of_step_is_told_as_far_as_there_is_room() -> None:
    """A whole fleet at its cold start is no message that a client takes: the first are told, and every type's state."""
    proxies = [a_proxy(f"envoy-{number}", a_type(CLUSTER, *stale(10_000))) for number in range(5)]

    entries = told(*proxies)
    lengths = [len(found) for found in entries]

    assert [found[0] for found in entries] == [(CLUSTER, "")] * 5
    assert lengths[:2] == [10_001, 10_001]
    assert 1 < lengths[2] < 10_001
    assert lengths[3:] == [1, 1]


def test_fleet_is_told_of_in_full_as_far_as_there_is_room() -> None:
    """The types with the fewest resources first, whoever's they are."""
    proxies = [a_proxy(f"envoy-{number}", a_type(CLUSTER, *synced(10_000 - number))) for number in range(10)]

    lengths = [len(found) for found in told(*proxies)]

    assert lengths == [1, 1, 1, 1, 1, 1, 1, 1, 9_992, 9_991]


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
