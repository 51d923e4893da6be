"""The demo API server over real TLS: what its objects, lists and documents are."""

from __future__ import annotations

from catalog_server import BROKER, BROKERS, DISCOVERY_V2, INSTANCE, INSTANCES, ROOT, TABLE, Client


async def test_an_object_lives_from_creation_to_deletion(client: Client) -> None:
    """Create, get, list, update, patch and delete work on one object."""
    created = await client.call("POST", INSTANCES, INSTANCE)
    moved = {**created.json, "spec": {**INSTANCE["spec"], "parameters": {"size": 1}}}
    updated = await client.call("PUT", f"{INSTANCES}/one", moved)
    merge = {"metadata": {"labels": {"a": "b"}}}
    merged = await client.call("PATCH", f"{INSTANCES}/one", merge, content_type="application/merge-patch+json")
    operations = [{"op": "remove", "path": "/metadata/labels/a"}]
    patched = await client.call("PATCH", f"{INSTANCES}/one", operations, content_type="application/json-patch+json")
    everywhere = await client.call("GET", f"{ROOT}/serviceinstances")
    deleted = await client.call("DELETE", f"{INSTANCES}/one")
    gone = await client.call("GET", f"{INSTANCES}/one")

    assert [one.code for one in (created, updated, merged, patched)] == [201, 200, 200, 200]
    assert created.json["metadata"]["namespace"] == "default"
    assert (updated.json["metadata"]["generation"], merged.json["metadata"]["labels"]) == (2, {"a": "b"})
    assert everywhere.json["kind"] == "ServiceInstanceList"
    assert everywhere.json["items"] == [patched.json]
    assert (deleted.json["status"], deleted.json["details"]["name"]) == ("Success", "one")
    assert (gone.code, gone.json["reason"]) == (404, "NotFound")


async def test_apply_creates_from_yaml_and_reports_conflicts(client: Client) -> None:
    """Server-side apply reads YAML, creates with 201, and answers another manager's value with 409."""
    mine = b"apiVersion: servicecatalog.k8s.io/v1beta1\nkind: ClusterServiceBroker\nspec: {url: https://a}\n"
    theirs = mine.replace(b"https://a", b"https://b")
    media = "application/apply-patch+yaml"
    created = await client.call("PATCH", f"{BROKERS}/demo?fieldManager=me", mine, content_type=media)
    again = await client.call("PATCH", f"{BROKERS}/demo?fieldManager=me", mine, content_type=media)
    refused = await client.call("PATCH", f"{BROKERS}/demo?fieldManager=you", theirs, content_type=media)
    forced = await client.call("PATCH", f"{BROKERS}/demo?fieldManager=you&force=true", theirs, content_type=media)

    assert (created.code, again.code) == (201, 200)
    assert again.json == created.json
    assert refused.code == 409
    assert [cause["field"] for cause in refused.json["details"]["causes"]] == [".spec.url"]
    assert forced.json["spec"]["url"] == "https://b"


async def test_a_list_comes_as_a_table_or_as_metadata(client: Client) -> None:
    """The Accept header decides the form of lists and objects."""
    await client.call("POST", BROKERS, BROKER)
    listed = await client.call("GET", BROKERS, Accept=TABLE)
    one = await client.call("GET", f"{BROKERS}/demo?includeObject=None", Accept=TABLE)
    partial = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    metadata = await client.call("GET", BROKERS, Accept=partial)

    assert listed.json["kind"] == "Table"
    assert listed.json["rows"][0]["cells"][:3] == ["demo", "https://b", "Pending"]
    assert listed.json["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert "object" not in one.json["rows"][0]
    assert metadata.json["kind"] == "PartialObjectMetadataList"
    assert "spec" not in metadata.json["items"][0]


async def test_a_collection_is_deleted_by_selector(client: Client) -> None:
    """What a deletecollection removes is listed in its answer."""
    await client.call("POST", BROKERS, BROKER)
    await client.call("POST", BROKERS, {"metadata": {"name": "kept"}, "spec": {"url": "u"}})
    removed = await client.call("DELETE", f"{BROKERS}?labelSelector=app%3Dx")
    left = await client.call("GET", BROKERS)

    assert [one["metadata"]["name"] for one in removed.json["items"]] == ["demo"]
    assert [one["metadata"]["name"] for one in left.json["items"]] == ["kept"]


async def test_discovery_is_served_in_both_forms(client: Client) -> None:
    """The aggregated document carries an ETag that is honoured; the legacy documents are there too."""
    aggregated = await client.call("GET", "/apis", Accept=f"{DISCOVERY_V2},application/json")
    tag = aggregated.header("ETag")
    unchanged = await client.call("GET", "/apis", Accept=DISCOVERY_V2, If_None_Match=tag)
    groups = await client.call("GET", "/apis")
    group = await client.call("GET", "/apis/servicecatalog.k8s.io")
    resources = await client.call("GET", ROOT)

    assert aggregated.header("Content-Type") == DISCOVERY_V2
    assert aggregated.json["kind"] == "APIGroupDiscoveryList"
    assert (unchanged.code, unchanged.text) == (304, "")
    assert [one.json["kind"] for one in (groups, group, resources)] == ["APIGroupList", "APIGroup", "APIResourceList"]


async def test_openapi_is_addressed_by_its_hash(client: Client) -> None:
    """The address of the index is immutable, a stale one is redirected, and none is checked each time."""
    index = await client.call("GET", "/openapi/v3")
    address = index.json["paths"]["apis/servicecatalog.k8s.io/v1beta1"]["serverRelativeURL"]
    document = await client.call("GET", address)
    stale = await client.call("GET", "/openapi/v3/apis/servicecatalog.k8s.io/v1beta1?hash=OLD")
    plain = await client.call("GET", "/openapi/v3/apis/servicecatalog.k8s.io/v1beta1")

    assert document.json["openapi"] == "3.0.0"
    assert "immutable" in document.header("Cache-Control")
    assert (stale.code, stale.header("Location")) == (301, address)
    assert plain.text == document.text
    assert "immutable" not in plain.header("Cache-Control")
