"""Discovery documents agree with each other and with the resources."""

from servicecatalog.discovery import api_group_discovery_list, api_group_list, api_resource_list
from servicecatalog.resources import OBJECT_VERBS, RESOURCES


def test_the_legacy_document_lists_every_resource_and_its_status() -> None:
    """Each resource and its status subresource is listed, with scope, kind and short names."""
    listed = {entry["name"]: entry for entry in api_resource_list()["resources"]}

    assert set(listed) == {name for one in RESOURCES for name in (one.plural, f"{one.plural}/status")}
    assert listed["serviceinstances"]["namespaced"] is True
    assert listed["clusterservicebrokers"]["namespaced"] is False
    assert listed["clusterservicebrokers"]["shortNames"] == ["csb"]
    assert listed["clusterservicebrokers"]["verbs"] == list(OBJECT_VERBS)


def test_the_aggregated_document_says_the_same() -> None:
    """Names, kinds, verbs and scopes of v2 are those of the legacy document."""
    legacy = {
        (entry["name"], entry["kind"], tuple(entry["verbs"]), "Namespaced" if entry["namespaced"] else "Cluster")
        for entry in api_resource_list()["resources"]
        if "/" not in entry["name"]
    }
    version = api_group_discovery_list()["items"][0]["versions"][0]
    aggregated = {
        (entry["resource"], entry["responseKind"]["kind"], tuple(entry["verbs"]), entry["scope"])
        for entry in version["resources"]
    }

    assert aggregated == legacy
    assert version["freshness"] == "Current"


def test_the_group_prefers_its_one_version() -> None:
    """The group list names v1beta1 as available and preferred."""
    group = api_group_list()["groups"][0]

    assert group["preferredVersion"] == group["versions"][0]
    assert group["preferredVersion"]["groupVersion"] == "servicecatalog.k8s.io/v1beta1"


def test_short_names_and_singular_names_are_unique() -> None:
    """No two resources answer to one name."""
    names = [name for one in RESOURCES for name in (*one.short_names, one.singular, one.plural)]

    assert len(names) == len(set(names))
