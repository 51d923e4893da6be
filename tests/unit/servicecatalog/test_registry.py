"""Creating, changing and deleting objects."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

import pytest
from servicecatalog.registry import Registry
from servicecatalog.resources import Resource, find_resource
from servicecatalog.schemas import JsonObject, JsonValue
from servicecatalog.selectors import parse_selector
from servicecatalog.status import StatusError
from servicecatalog.store import Store
from servicecatalog.writeoptions import DeleteOptions, FieldValidation, WriteOptions

OPTIONS = WriteOptions(dry_run=False, manager="tester", field_validation=FieldValidation.STRICT, force=False)
DRY_RUN = WriteOptions(dry_run=True, manager="tester", field_validation=FieldValidation.STRICT, force=False)
DELETE = DeleteOptions(dry_run=False, uid="", resource_version="")


class Fixture:
    """A registry with a fixed clock, numbered UIDs and suffixes, and the store behind it."""

    def __init__(self, suffixes: Iterator[str]) -> None:
        """Take the suffixes of generated names from an iterator."""
        uids = count(1)
        self.store = Store(initial_revision=10, history=100, on_write=lambda: None)
        self.registry = Registry(
            self.store,
            now=lambda: datetime(2030, 1, 1, tzinfo=UTC),
            new_uid=lambda: f"uid-{next(uids)}",
            new_suffix=lambda: next(suffixes),
        )

    def create(self, obj: JsonObject, options: WriteOptions = OPTIONS) -> JsonObject:
        """Create a broker."""
        return self.registry.create(BROKERS, obj, options)

    def update(self, obj: JsonObject, *, subresource: str = "", conditional: bool = True) -> JsonObject:
        """Update a broker."""
        return self.registry.update(BROKERS, obj, OPTIONS, subresource=subresource, conditional=conditional)


def _resource(plural: str) -> Resource:
    found = find_resource(plural)
    assert found is not None
    return found


BROKERS = _resource("clusterservicebrokers")
BINDINGS = _resource("servicebindings")


@pytest.fixture
def registry() -> Fixture:
    """An empty registry."""
    return Fixture(f"{number:05}" for number in count())


def a_broker(url: str = "https://b", **metadata: JsonValue) -> JsonObject:
    """A valid broker named demo."""
    return {"metadata": {"name": "demo", **metadata}, "spec": {"url": url}}


def test_a_created_object_gets_what_belongs_to_the_server(registry: Fixture) -> None:
    """UID, time, generation, version, defaults and managed fields are set; a client's status and UID are not kept."""
    created = registry.create({**a_broker(uid="mine", generation=9), "status": {"conditions": []}})

    metadata = created["metadata"]
    assert (metadata["uid"], metadata["generation"], metadata["resourceVersion"]) == ("uid-1", 1, "11")
    assert metadata["creationTimestamp"] == "2030-01-01T00:00:00Z"
    assert metadata["managedFields"][0]["manager"] == "tester"
    assert created["spec"] == {"url": "https://b", "relistBehavior": "Duration"}
    assert "status" not in created
    assert created["kind"] == "ClusterServiceBroker"


def test_a_taken_name_is_a_conflict(registry: Fixture) -> None:
    """Creating twice is 409 AlreadyExists in kube-apiserver's words."""
    registry.create(a_broker())
    with pytest.raises(StatusError) as caught:
        registry.create(a_broker())

    assert (caught.value.code, caught.value.reason) == (409, "AlreadyExists")
    assert caught.value.message == 'clusterservicebrokers.servicecatalog.k8s.io "demo" already exists'


def test_a_generated_name_avoids_taken_ones(registry: Fixture) -> None:
    """A prefix gets a suffix, and another one when the name is taken."""
    registry.create(a_broker(name="demo-00000"))
    created = registry.create(a_broker(name="", generateName="demo-"))

    assert created["metadata"]["name"] == "demo-00001"
    assert created["metadata"]["generateName"] == "demo-"


def test_generated_names_run_out() -> None:
    """When every suffix tried is taken the answer is 409."""
    fixture = Fixture("same" for _ in count())
    fixture.create(a_broker(name="", generateName="demo-"))
    with pytest.raises(StatusError) as caught:
        fixture.create(a_broker(name="", generateName="demo-"))

    assert caught.value.reason == "AlreadyExists"


def test_an_invalid_object_lists_its_causes(registry: Fixture) -> None:
    """A missing field is 422 with a cause that names it, and nothing is stored."""
    with pytest.raises(StatusError) as caught:
        registry.create({"metadata": {"name": "demo"}, "spec": {}})

    assert caught.value.code == 422
    assert caught.value.message == (
        'ClusterServiceBroker.servicecatalog.k8s.io "demo" is invalid: spec.url: Required value'
    )
    assert caught.value.details is not None
    assert caught.value.details["causes"] == [
        {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.url"}
    ]
    assert registry.store.revision == 10


def test_a_dry_run_answers_but_keeps_nothing(registry: Fixture) -> None:
    """The object comes back as it would be, and the store is as it was."""
    created = registry.create(a_broker(), DRY_RUN)

    assert created["metadata"]["uid"] == "uid-1"
    assert registry.store.revision == 10


def test_a_changed_spec_raises_the_generation(registry: Fixture) -> None:
    """Generation counts changes of the wanted state; labels do not change it."""
    created = registry.create(a_broker())
    labelled = registry.update({**created, "metadata": {**created["metadata"], "labels": {"a": "b"}}})
    moved = registry.update({**labelled, "spec": {"url": "https://c"}})

    assert [obj["metadata"]["generation"] for obj in (created, labelled, moved)] == [1, 1, 2]


def test_an_update_that_changes_nothing_is_not_a_write(registry: Fixture) -> None:
    """Putting back what was read leaves the resourceVersion alone."""
    created = registry.create(a_broker())

    assert registry.update(created) == created
    assert registry.store.revision == 11


def test_a_stale_version_is_a_conflict(registry: Fixture) -> None:
    """An update made from an old version is 409 in kube-apiserver's words."""
    created = registry.create(a_broker())
    registry.update({**created, "spec": {"url": "https://c"}})
    with pytest.raises(StatusError) as caught:
        registry.update({**created, "spec": {"url": "https://d"}})

    assert (caught.value.code, caught.value.reason) == (409, "Conflict")
    assert caught.value.message == (
        'Operation cannot be fulfilled on clusterservicebrokers.servicecatalog.k8s.io "demo": the object has been '
        "modified; please apply your changes to the latest version and try again"
    )


def test_an_update_needs_a_version(registry: Fixture) -> None:
    """A PUT without resourceVersion is 422; a patch needs none."""
    registry.create(a_broker())
    with pytest.raises(StatusError, match="must be specified for an update"):
        registry.update(a_broker("https://c"))

    assert registry.update(a_broker("https://c"), conditional=False)["spec"] == {"url": "https://c"}


def test_another_uid_is_a_conflict(registry: Fixture) -> None:
    """An update meant for an earlier object of the same name is 409."""
    registry.create(a_broker())
    with pytest.raises(StatusError, match="Precondition failed: UID") as caught:
        registry.update(a_broker(uid="older"), conditional=False)

    assert caught.value.code == 409


def test_status_changes_only_through_its_subresource(registry: Fixture) -> None:
    """The main door drops a new status, the status door drops everything else."""
    created = registry.create(a_broker())
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    main = registry.update({**created, "status": status})
    through = registry.update({**created, "spec": {"url": "https://x"}, "status": status}, subresource="status")

    assert "status" not in main
    assert through["status"] == status
    assert through["spec"] == created["spec"]
    assert through["metadata"]["generation"] == 1


def test_the_main_door_keeps_the_status(registry: Fixture) -> None:
    """An update without a status does not remove it."""
    created = registry.create(a_broker())
    status = {"observedGeneration": 1}
    updated = registry.update({**created, "status": status}, subresource="status")
    moved = registry.update({**a_broker("https://c"), "metadata": updated["metadata"]})

    assert moved["status"] == status


def test_a_deleted_object_is_gone(registry: Fixture) -> None:
    """Without finalizers a deletion is at once."""
    registry.create(a_broker())
    deleted = registry.registry.delete(BROKERS, ("", "demo"), DELETE)

    assert deleted.gone
    with pytest.raises(StatusError) as caught:
        registry.registry.get(BROKERS, ("", "demo"))
    assert caught.value.message == 'clusterservicebrokers.servicecatalog.k8s.io "demo" not found'


def test_finalizers_hold_a_deleted_object(registry: Fixture) -> None:
    """It is marked, may not get new finalizers, and goes with its last one."""
    registry.create(a_broker(finalizers=["example.com/hold"]))
    deleted = registry.registry.delete(BROKERS, ("", "demo"), DELETE)
    metadata = deleted.object["metadata"]

    assert not deleted.gone
    assert (metadata["deletionTimestamp"], metadata["generation"]) == ("2030-01-01T00:00:00Z", 2)
    assert registry.registry.delete(BROKERS, ("", "demo"), DELETE).object == deleted.object
    with pytest.raises(StatusError, match="no new finalizers can be added"):
        registry.update(a_broker(finalizers=["example.com/hold", "example.com/more"]), conditional=False)
    registry.update(a_broker(finalizers=[]), conditional=False)
    assert registry.store.get(BROKERS.plural, ("", "demo")) is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (DeleteOptions(dry_run=False, uid="other", resource_version=""), "the UID in the precondition"),
        (DeleteOptions(dry_run=False, uid="", resource_version="1"), "the ResourceVersion in the precondition"),
    ],
)
def test_a_deletion_checks_its_preconditions(registry: Fixture, options: DeleteOptions, words: str) -> None:
    """A deletion meant for another object or version is 409."""
    registry.create(a_broker())
    with pytest.raises(StatusError, match=words) as caught:
        registry.registry.delete(BROKERS, ("", "demo"), options)

    assert caught.value.code == 409
    assert registry.store.get(BROKERS.plural, ("", "demo")) is not None


def test_a_dry_run_deletes_nothing(registry: Fixture) -> None:
    """The answer says gone, the object stays."""
    registry.create(a_broker())
    options = DeleteOptions(dry_run=True, uid="", resource_version="")

    assert registry.registry.delete(BROKERS, ("", "demo"), options).gone
    assert registry.store.get(BROKERS.plural, ("", "demo")) is not None


def test_a_collection_is_deleted_by_selector_and_namespace(registry: Fixture) -> None:
    """Only selected objects of the namespace go."""
    for namespace, name, app in (("a", "one", "x"), ("a", "two", "y"), ("b", "one", "x")):
        metadata = {"namespace": namespace, "name": name, "labels": {"app": app}}
        registry.registry.create(BINDINGS, {"metadata": metadata, "spec": {"instanceRef": {"name": "i"}}}, OPTIONS)
    removed = registry.registry.delete_collection(BINDINGS, "a", parse_selector("app=x", ""), DELETE)

    assert [obj["metadata"]["name"] for obj in removed] == ["one"]
    assert [key for key, _ in registry.store.snapshot(BINDINGS.plural)] == [("a", "two"), ("b", "one")]


def test_apply_creates_and_then_merges(registry: Fixture) -> None:
    """The first apply creates; applying the same again is not a write; leaving a label out removes it."""
    first, created = registry.registry.apply(BROKERS, a_broker(labels={"a": "b"}), OPTIONS, subresource="")
    same, created_again = registry.registry.apply(BROKERS, a_broker(labels={"a": "b"}), OPTIONS, subresource="")
    after, _ = registry.registry.apply(BROKERS, a_broker(), OPTIONS, subresource="")

    assert (created, created_again) == (True, False)
    assert same == first
    assert "labels" not in after["metadata"]
    assert after["spec"]["relistBehavior"] == "Duration"


def test_apply_respects_other_managers(registry: Fixture) -> None:
    """Another value for a field of someone else is 409, unless it is forced."""
    registry.create(a_broker())
    mine = WriteOptions(dry_run=False, manager="me", field_validation=FieldValidation.STRICT, force=False)
    forced = WriteOptions(dry_run=False, manager="me", field_validation=FieldValidation.STRICT, force=True)
    with pytest.raises(StatusError, match='conflict with "tester"'):
        registry.registry.apply(BROKERS, a_broker("https://c"), mine, subresource="")
    after, _ = registry.registry.apply(BROKERS, a_broker("https://c"), forced, subresource="")

    assert after["spec"]["url"] == "https://c"


def test_status_of_a_missing_object_cannot_be_applied(registry: Fixture) -> None:
    """Only the main door creates."""
    with pytest.raises(StatusError) as caught:
        registry.registry.apply(BROKERS, a_broker(), OPTIONS, subresource="status")

    assert caught.value.code == 404
