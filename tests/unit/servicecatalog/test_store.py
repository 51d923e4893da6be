"""The versioned store: revisions, snapshots in the past, and the window of changes."""

import pytest
from servicecatalog.schemas import JsonObject, JsonValue
from servicecatalog.store import Store


def a_store(*, history: int = 100) -> tuple[Store, list[int]]:
    """A store that starts at revision 10, and the list its `on_write` appends to."""
    writes: list[int] = []
    store = Store(initial_revision=10, history=history, on_write=lambda: writes.append(1))
    return store, writes


def an_object(name: str, **spec: JsonValue) -> JsonObject:
    """An object without a namespace."""
    return {"metadata": {"name": name}, "spec": spec}


def test_each_write_raises_the_revision_by_one_and_is_announced() -> None:
    """Puts and removals count from the initial revision, and every one calls on_write."""
    store, writes = a_store()
    first = store.put("things", ("", "a"), an_object("a"))
    store.put("others", ("", "b"), an_object("b"))
    last = store.remove("things", ("", "a"))

    assert first["metadata"]["resourceVersion"] == "11"
    assert last is not None
    assert last["metadata"]["resourceVersion"] == "13"
    assert store.revision == 13
    assert len(writes) == 3


def test_what_is_put_is_copied() -> None:
    """Changing an object after it was put does not change the stored one."""
    store, _ = a_store()
    mine = an_object("a", size=1)
    store.put("things", ("", "a"), mine)
    mine["spec"]["size"] = 2

    stored = store.get("things", ("", "a"))
    assert stored is not None
    assert stored["spec"] == {"size": 1}


def test_removing_what_is_absent_writes_nothing() -> None:
    """A removal without an object returns None and leaves the revision alone."""
    store, writes = a_store()

    assert store.remove("things", ("", "a")) is None
    assert store.revision == 10
    assert writes == []


def test_a_snapshot_is_sorted_by_namespace_and_name() -> None:
    """The order of a snapshot does not depend on the order of the writes."""
    store, _ = a_store()
    for key in (("b", "a"), ("a", "z"), ("a", "b")):
        store.put("things", key, {"metadata": {"namespace": key[0], "name": key[1]}})

    assert [key for key, _ in store.snapshot("things")] == [("a", "b"), ("a", "z"), ("b", "a")]


def test_a_past_snapshot_undoes_creation_change_and_removal() -> None:
    """The snapshot at a revision shows the collection exactly as it was then."""
    store, _ = a_store()
    store.put("things", ("", "kept"), an_object("kept", size=1))
    store.put("things", ("", "gone"), an_object("gone"))
    past = store.revision
    before = store.snapshot("things")
    store.put("things", ("", "kept"), an_object("kept", size=2))
    store.remove("things", ("", "gone"))
    store.put("things", ("", "new"), an_object("new"))

    assert store.snapshot_at("things", past) == before


def test_changes_after_a_revision_come_oldest_first() -> None:
    """Only later changes of the same resource are returned, in the order they happened."""
    store, _ = a_store()
    store.put("things", ("", "a"), an_object("a"))
    store.put("others", ("", "x"), an_object("x"))
    store.put("things", ("", "a"), an_object("a", size=2))
    store.remove("things", ("", "a"))

    changes = store.changes_after("things", 11)
    assert changes is not None
    assert [(change.revision, change.removed) for change in changes] == [(13, False), (14, True)]


@pytest.mark.parametrize(("revision", "held"), [(9, False), (11, False), (12, True), (14, True), (99, True)])
def test_the_window_holds_a_bounded_number_of_changes(revision: int, *, held: bool) -> None:
    """With room for two changes, revisions before the last evicted one are no longer held."""
    store, _ = a_store(history=2)
    for size in range(4):
        store.put("things", ("", "a"), an_object("a", size=size))

    assert (store.changes_after("things", revision) is not None) is held
    assert (store.snapshot_at("things", revision) is not None) is held


def test_a_busy_resource_does_not_expire_the_changes_of_another() -> None:
    """Each resource has a window of its own."""
    store, _ = a_store(history=1)
    store.put("quiet", ("", "a"), an_object("a"))
    for size in range(5):
        store.put("busy", ("", "b"), an_object("b", size=size))

    changes = store.changes_after("quiet", 10)
    assert changes is not None
    assert len(changes) == 1
