"""Joining many servers' groups: the rules of kube-aggregator's discovery, row by row."""

from collections.abc import Callable, Iterable
from types import MappingProxyType

import pytest

from controlplane.discovery.decode import stale, without_resources
from controlplane.discovery.documents import (
    BackendDocument,
    CoreDocument,
    Documents,
    GroupDiscovery,
    GroupList,
    VersionDiscovery,
)
from controlplane.discovery.merge import Merged, merge, untried
from controlplane.model.topology import Api

AnApi = Callable[..., Api]


def _documents(*apis: Api) -> Documents:
    """Documents in which every backend has answered for its APIs, each in words of its own."""
    answers: dict[object, dict[object, VersionDiscovery]] = {}
    for api in apis:
        version = api.service.group_version.version
        body = f"from {api.service.service.name}".encode() if api.service.service else b""
        answers.setdefault(api.backend, {})[api.service.group_version] = VersionDiscovery(version, body)
    return Documents({key: BackendDocument(MappingProxyType(found)) for key, found in answers.items()})


def _core(*groups: str) -> CoreDocument:
    """A core that lists the groups, each written "name: version version"."""
    found = []
    for group in groups:
        name, _, versions = group.partition(":")
        found.append(GroupDiscovery(name, tuple(VersionDiscovery(item, b"from the core") for item in versions.split())))
    return CoreDocument(reached=True, api=GroupList(), apis=GroupList(tuple(found)))


def _merge(apis: Iterable[Api], core: CoreDocument | None = None, documents: Documents | None = None) -> Merged:
    listed = {api.service.group_version: api for api in apis}
    fetched = _documents(*listed.values()) if documents is None else documents
    return merge(listed, fetched, core or CoreDocument())


def _aggregated(merged: Merged) -> list[str]:
    return [f"{group.name}/{item.version}" for group in merged.aggregated for item in group.versions]


def _legacy(merged: Merged) -> list[str]:
    return [f"{name}/{version}" for name, versions in merged.legacy for version in versions]


def _bodies(merged: Merged, group: str) -> dict[str, bytes]:
    found = next(item for item in merged.aggregated if item.name == group)
    return {item.version: item.body for item in found.versions}


def test_groups_sort_by_their_highest_priority_in_both_orders(an_api: AnApi) -> None:
    """The highest groupPriorityMinimum of a group's versions is the group's."""
    merged = _merge(
        [an_api("v1.low.io", 10), an_api("v1.mixed.io", 5), an_api("v2.mixed.io", 300), an_api("v1.mid.io", 20)]
    )

    expected = ["mixed.io/v2", "mixed.io/v1", "mid.io/v1", "low.io/v1"]
    assert (expected, expected) == (_legacy(merged), _aggregated(merged))


def test_a_tie_of_groups_goes_by_group_in_one_order_and_by_apiservice_in_the_other(an_api: AnApi) -> None:
    """/apis compares APIService names ("v1.zoo" before "v1beta1.aaa"), aggregated discovery compares group names."""
    merged = _merge([an_api("v1beta1.aaa"), an_api("v1.zoo")])

    assert _legacy(merged) == ["zoo/v1", "aaa/v1beta1"]
    assert _aggregated(merged) == ["aaa/v1beta1", "zoo/v1"]


@pytest.mark.parametrize(
    ("priorities", "expected"),
    [
        ({"v1alpha2": 3, "v1": 2, "v1alpha1": 1}, ["v1alpha2", "v1", "v1alpha1"]),
        (
            dict.fromkeys(("v1alpha1", "v1", "v2", "v1beta1", "v1alpha2"), 9),
            ["v2", "v1", "v1beta1", "v1alpha2", "v1alpha1"],
        ),
    ],
)
def test_versions_sort_by_priority_then_by_kubernetes_order(
    an_api: AnApi, priorities: dict[str, int], expected: list[str]
) -> None:
    """VersionPriority first; a tie goes to the more stable, then the newer."""
    merged = _merge([an_api(f"{version}.a.io", version_priority=rank) for version, rank in priorities.items()])

    assert [f"a.io/{version}" for version in expected] == _legacy(merged) == _aggregated(merged)


def test_an_unavailable_api_is_listed(an_api: AnApi) -> None:
    """Availability has no part in what is listed."""
    merged = _merge([an_api("v1.a.io", available=False)])

    assert ["a.io/v1"] == _legacy(merged) == _aggregated(merged)


def test_an_api_that_was_never_asked_is_stale(an_api: AnApi) -> None:
    """What is not known yet is listed without resources, and said to be incomplete."""
    merged = _merge([an_api("v1.a.io")], documents=Documents())

    assert {"v1": stale("v1").body} == _bodies(merged, "a.io")


def test_an_api_without_a_backend_is_stale(an_api: AnApi) -> None:
    """A Service that cannot be resolved is a backend that cannot be asked."""
    api = an_api("v1.a.io")
    merged = _merge([Api(api.service, api.condition, None)])

    assert {"v1": stale("v1").body} == _bodies(merged, "a.io")


def test_only_its_own_backend_speaks_for_an_api(an_api: AnApi) -> None:
    """What a backend says of a group-version registered with another is not taken."""
    mine, other = an_api("v1.a.io", service="mine"), an_api("v1.b.io", service="other")
    documents = _documents(mine, other)
    theirs = documents.backends[other.backend]
    claims = {**theirs.versions, mine.service.group_version: VersionDiscovery("v1", b"usurped")}
    documents = Documents({**documents.backends, other.backend: BackendDocument(claims)})

    assert _bodies(_merge([mine, other], documents=documents), "a.io") == {"v1": b"from mine"}


def test_a_registration_shadows_its_version_and_leaves_the_others_to_the_core(an_api: AnApi) -> None:
    """The whole group-version goes to the backend; the group's other versions are the core's."""
    merged = _merge([an_api("v2.a.io", version_priority=200)], _core("a.io: v2 v1"))

    assert _bodies(merged, "a.io") == {"v2": b"from web", "v1": b"from the core"}


def test_a_shadowed_version_that_cannot_be_reached_does_not_fall_back_to_the_core(an_api: AnApi) -> None:
    """Requests go to the backend, so what the core serves of that group-version is out of reach."""
    merged = _merge([an_api("v1.a.io")], _core("a.io: v1"), Documents())

    assert {"v1": stale("v1").body} == _bodies(merged, "a.io")


def test_a_local_api_is_described_by_the_core_and_placed_by_its_registration(an_api: AnApi) -> None:
    """A Local APIService gives the priority, the core the resources."""
    merged = _merge([an_api("v1.b.io", 5000, service="")], _core("a.io: v1", "b.io: v1"))

    assert _aggregated(merged) == ["b.io/v1", "a.io/v1"]
    assert _bodies(merged, "b.io") == {"v1": b"from the core"}


def test_a_local_api_that_the_core_does_not_know_is_in_the_legacy_list_only(an_api: AnApi) -> None:
    """/apis lists every APIService; aggregated discovery lists what somebody described."""
    merged = _merge([an_api("v1.a.io", service="")])

    assert (_legacy(merged), _aggregated(merged)) == (["a.io/v1"], [])


@pytest.mark.parametrize(("priority", "position"), [(20000, 1), (17800, 1), (17799, 2), (1000, 3), (999, 4), (1, 4)])
def test_a_registration_takes_its_place_among_the_cores_groups(an_api: AnApi, priority: int, position: int) -> None:
    """The core's groups keep their order; their priorities are those kube-apiserver gives them."""
    core = _core("apiregistration.k8s.io: v1", "apps: v1", "batch: v1", "crd.io: v1")
    merged = _merge([an_api("v1.aaa.io", priority)], core)

    names = ["apiregistration.k8s.io", "apps", "batch", "crd.io"]
    names.insert(position, "aaa.io")
    assert names == [group.name for group in merged.aggregated] == [name for name, _ in merged.legacy]


def test_a_group_of_both_stands_at_the_better_of_its_places(an_api: AnApi) -> None:
    """A registration with a low priority does not push the core's versions of the group down."""
    merged = _merge([an_api("v9.apps", 1, 1)], _core("apps: v1", "batch: v1"))

    assert _aggregated(merged) == ["apps/v1", "apps/v9", "batch/v1"]


def test_nothing_is_invented_for_registration_itself() -> None:
    """apiregistration.k8s.io is listed by who serves it."""
    assert Merged((), (), ()) == _merge([])


def test_the_legacy_core_group_stands_apart(an_api: AnApi) -> None:
    """/api has the legacy group, /apis has all others."""
    core = CoreDocument(api=GroupList((GroupDiscovery("", (without_resources("v1"),)),)))

    assert Merged((), (), (without_resources("v1"),)) == _merge([], core)
    assert Merged((), (), (VersionDiscovery("v1", b"from web"),)) == _merge([an_api("v1.")], core)


def test_untried_ends_with_the_first_answer_of_each_backend(an_api: AnApi) -> None:
    """A backend that was asked for one group-version only is still to be asked for the other."""
    first, second, local = an_api("v1.a.io"), an_api("v2.a.io"), an_api("v1.b.io", service="")
    apis = {api.service.group_version: api for api in (first, second, local)}

    assert [untried(apis, documents) for documents in (Documents(), _documents(first), _documents(first, second))] == [
        True,
        True,
        False,
    ]
