"""Reading discovery answers."""

from typing import Any

import orjson
import pytest

from controlplane.discovery.decode import (
    all_stale,
    read_aggregated,
    read_group_versions,
    read_openapi_index,
    read_resource_list,
    stale,
    without_resources,
)
from controlplane.discovery.documents import GroupDiscovery
from controlplane.model.apiservice import GroupVersion

_NO_KIND = {"group": "", "version": "", "kind": ""}


def _aggregated(*resources: object, **version: object) -> bytes:
    versions = [{"version": "v1", "resources": list(resources), **version}]
    items = [{"metadata": {"name": "example.com"}, "versions": versions}]
    return orjson.dumps({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items})


def _first(body: bytes) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(read_aggregated(body)[0].versions[0].body)
    return document


def test_a_complete_resource_passes_unchanged() -> None:
    """Every field that Kubernetes defines is kept."""
    kind = {"group": "example.com", "version": "v1", "kind": "Ship"}
    status = {"subresource": "status", "responseKind": kind, "acceptedTypes": [kind], "verbs": ["get"]}
    resource = {
        "resource": "ships",
        "responseKind": kind,
        "scope": "Namespaced",
        "singularResource": "ship",
        "verbs": ["get", "list"],
        "shortNames": ["sh"],
        "categories": ["all"],
        "subresources": [status],
    }

    assert {"version": "v1", "resources": [resource], "freshness": "Current"} == _first(_aggregated(resource))


def test_a_missing_response_kind_becomes_an_empty_one() -> None:
    """Old clients dereference it without looking."""
    sent = {"resource": "ships", "responseKind": None, "subresources": [{"subresource": "status"}]}

    assert _first(_aggregated(sent))["resources"][0] == {
        "resource": "ships",
        "responseKind": _NO_KIND,
        "scope": "",
        "singularResource": "",
        "verbs": [],
        "subresources": [{"subresource": "status", "responseKind": _NO_KIND, "verbs": []}],
    }


def test_null_lists_are_read_as_absent() -> None:
    """Go servers write null for an empty list."""
    assert _first(_aggregated(resources=None)) == {"version": "v1", "freshness": "Current"}


def test_what_kubernetes_does_not_define_is_dropped() -> None:
    """A server's own additions go no further."""
    assert "colour" not in _first(_aggregated({"resource": "ships", "colour": "red"}))["resources"][0]


def test_a_stale_version_stays_stale() -> None:
    """A server that aggregates others may itself be missing one."""
    assert read_aggregated(_aggregated(freshness="Stale"))[0].versions[0].stale


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'{"kind": "APIGroupList", "items": []}',
        _aggregated({"resource": 7}),
        _aggregated({"resource": "ships", "verbs": "get"}),
        _aggregated({"responseKind": {}}),
        _aggregated(version=None),
    ],
)
def test_what_clients_could_not_decode_is_refused(body: bytes) -> None:
    """One server's malformed answer must not spoil the document it would be joined into."""
    with pytest.raises(ValueError, match=r"."):
        read_aggregated(body)


def test_a_refusal_names_the_field_and_no_value() -> None:
    """Whoever reads the log finds the defect."""
    with pytest.raises(ValueError, match=r"^items\.0\.versions\.0\.resources\.0\.verbs: .*array") as caught:
        read_aggregated(_aggregated({"resource": "ships", "verbs": "secret"}))

    assert "secret" not in str(caught.value)


def test_a_legacy_list_becomes_resources_with_their_subresources() -> None:
    """Subresources stand under their resource, with its scope, as kube-aggregator converts them."""
    resources = [
        {"name": "ships/status", "namespaced": True, "kind": "Ship", "verbs": ["get"]},
        {
            "name": "ships",
            "singularName": "ship",
            "namespaced": True,
            "kind": "Ship",
            "verbs": ["list"],
            "shortNames": ["s"],
        },
        {
            "name": "ports/scale",
            "namespaced": False,
            "kind": "Scale",
            "group": "autoscaling",
            "version": "v1",
            "verbs": [],
        },
    ]
    body = orjson.dumps({"kind": "APIResourceList", "groupVersion": "example.com/v1", "resources": resources})
    ship = {"group": "", "version": "", "kind": "Ship"}
    scale = {"group": "autoscaling", "version": "v1", "kind": "Scale"}

    assert {
        "version": "v1",
        "resources": [
            {
                "resource": "ships",
                "responseKind": ship,
                "scope": "Namespaced",
                "singularResource": "ship",
                "verbs": ["list"],
                "shortNames": ["s"],
                "subresources": [{"subresource": "status", "responseKind": ship, "verbs": ["get"]}],
            },
            {
                "resource": "ports",
                "responseKind": _NO_KIND,
                "scope": "Cluster",
                "singularResource": "",
                "verbs": [],
                "subresources": [{"subresource": "scale", "responseKind": scale, "verbs": []}],
            },
        ],
        "freshness": "Current",
    } == orjson.loads(read_resource_list(body, "v1").body)


def test_a_subresource_of_another_scope_is_refused() -> None:
    """A resource is namespaced with all its subresources or with none."""
    resources = [{"name": "ships", "namespaced": True}, {"name": "ships/status", "namespaced": False}]

    with pytest.raises(ValueError, match="resource ships is Namespaced, but its subresource status is Cluster"):
        read_resource_list(orjson.dumps({"kind": "APIResourceList", "resources": resources}), "v1")


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"kind": "APIVersions", "versions": ["v1"]}, (GroupVersion("", "v1"),)),
        (
            {"kind": "APIGroupList", "groups": [{"name": "a.io", "versions": [{"version": "v2"}, {"version": "v1"}]}]},
            (GroupVersion("a.io", "v2"), GroupVersion("a.io", "v1")),
        ),
    ],
)
def test_legacy_lists_name_their_group_versions_in_order(document: object, expected: object) -> None:
    """Both legacy lists are read."""
    assert expected == read_group_versions(orjson.dumps(document))


def test_an_openapi_index_gives_a_url_for_each_path() -> None:
    """The index is read as kube-openapi writes it."""
    body = b'{"paths": {"apis/a.io/v1": {"serverRelativeURL": "/openapi/v3/apis/a.io/v1?hash=AB"}}}'

    assert read_openapi_index(body) == {"apis/a.io/v1": "/openapi/v3/apis/a.io/v1?hash=AB"}


def test_stale_and_current_without_resources_differ_in_freshness_alone() -> None:
    """Both list the version and nothing in it."""
    assert [orjson.loads(item.body) for item in (stale("v1"), without_resources("v1"))] == [
        {"version": "v1", "freshness": "Stale"},
        {"version": "v1", "freshness": "Current"},
    ]


def test_groups_made_stale_keep_their_names_and_order() -> None:
    """A core that is gone still names what it served."""
    groups = (GroupDiscovery("a.io", (without_resources("v2"), without_resources("v1"))),)

    assert (GroupDiscovery("a.io", (stale("v2"), stale("v1"))),) == all_stale(groups)
