"""Watches: what is told, in which order, and when it is too late."""

import pytest
from servicecatalog.listoptions import parse_list_options
from servicecatalog.resources import Resource, find_resource
from servicecatalog.schemas import JsonObject
from servicecatalog.status import StatusError
from servicecatalog.store import Store
from servicecatalog.watching import Progress, Watch


def instances() -> Resource:
    """The ServiceInstance resource."""
    found = find_resource("serviceinstances")
    assert found is not None
    return found


@pytest.fixture
def store() -> Store:
    """An empty store at revision 10 with room for three changes."""
    return Store(initial_revision=10, history=3, on_write=lambda: None)


def put(store: Store, name: str, namespace: str = "a", **labels: str) -> JsonObject:
    """Store an instance."""
    metadata = {"namespace": namespace, "name": name, "labels": labels}
    return store.put("serviceinstances", (namespace, name), {"metadata": metadata})


def a_watch(store: Store, namespace: str = "", **query: str) -> Watch:
    """A watch with these query parameters."""
    return Watch(store, instances(), namespace, parse_list_options(query, watch=True))


def told(outcome: Progress | StatusError) -> list[tuple[str, str, str]]:
    """Type, name and version of each event."""
    assert isinstance(outcome, Progress)
    return [
        (event.type, event.object["metadata"].get("name", ""), event.object["metadata"]["resourceVersion"])
        for event in outcome.events
    ]


@pytest.mark.parametrize("query", [{}, {"resourceVersion": "0"}])
def test_without_a_version_the_present_state_comes_first(store: Store, query: dict[str, str]) -> None:
    """Every present object is ADDED, and the watch goes on from the store's revision."""
    put(store, "one")
    put(store, "two")
    first = a_watch(store, **query).start()

    assert told(first) == [("ADDED", "one", "11"), ("ADDED", "two", "12")]
    assert isinstance(first, Progress)
    assert first.revision == 12


def test_from_a_version_only_later_changes_are_told(store: Store) -> None:
    """Creation, change and removal after the version come in order, each once."""
    put(store, "one")
    watch = a_watch(store, resourceVersion="11")
    assert told(watch.start()) == []
    put(store, "two")
    put(store, "one", app="x")
    store.remove("serviceinstances", ("a", "two"))
    later = watch.advance(11)

    assert told(later) == [("ADDED", "two", "12"), ("MODIFIED", "one", "13"), ("DELETED", "two", "14")]
    assert isinstance(later, Progress)
    assert told(watch.advance(later.revision)) == []


def test_entering_and_leaving_the_selector_is_added_and_deleted(store: Store) -> None:
    """An object that no longer matches is DELETED as it was, under the version of the change."""
    watch = a_watch(store, labelSelector="app=x")
    put(store, "one", app="y")
    put(store, "one", app="x")
    put(store, "one", app="y")
    progress = watch.advance(10)

    assert told(progress) == [("ADDED", "one", "12"), ("DELETED", "one", "13")]
    assert isinstance(progress, Progress)
    assert progress.events[1].object["metadata"]["labels"] == {"app": "x"}


def test_a_removal_of_what_was_not_shown_is_not_told(store: Store) -> None:
    """A client hears nothing of objects outside its selector or namespace."""
    put(store, "one", app="y")
    put(store, "two", namespace="b", app="x")
    store.remove("serviceinstances", ("a", "one"))

    assert told(a_watch(store, "a", labelSelector="app=x").advance(10)) == []


def test_a_version_outside_the_window_has_expired(store: Store) -> None:
    """The watch ends with 410 Expired in kube-apiserver's words."""
    for name in ("one", "two", "three", "four"):
        put(store, name)
    outcome = a_watch(store, resourceVersion="10").advance(10)

    assert isinstance(outcome, StatusError)
    assert (outcome.code, outcome.reason) == (410, "Expired")
    assert outcome.message == "too old resource version: 10 (14)"


def test_initial_events_end_with_a_bookmark(store: Store) -> None:
    """A watch list sends the state, then a bookmark that says so."""
    put(store, "one")
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    first = a_watch(store, **query).start()

    assert told(first) == [("ADDED", "one", "11"), ("BOOKMARK", "", "11")]
    assert isinstance(first, Progress)
    assert first.events[1].object["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert first.events[1].object["kind"] == "ServiceInstance"


def test_a_watch_list_of_the_future_is_a_timeout(store: Store) -> None:
    """State not older than a version the server has not reached cannot be sent."""
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "resourceVersion": "99"}
    outcome = a_watch(store, **query).start()

    assert isinstance(outcome, StatusError)
    assert outcome.code == 504


@pytest.mark.parametrize(
    "query",
    [
        {"resourceVersionMatch": "NotOlderThan"},
        {"sendInitialEvents": "true"},
        {"sendInitialEvents": "true", "resourceVersionMatch": "Exact"},
    ],
)
def test_watch_options_that_do_not_go_together_are_refused(query: dict[str, str]) -> None:
    """The combinations kube-apiserver forbids are 422."""
    with pytest.raises(StatusError) as caught:
        parse_list_options(query, watch=True)

    assert caught.value.code == 422
