"""Lists: pages, consistency, and versions."""

import pytest
from servicecatalog.listing import Page, list_body, list_page
from servicecatalog.listoptions import parse_list_options
from servicecatalog.resources import Resource, find_resource
from servicecatalog.status import StatusError
from servicecatalog.store import Store


def instances() -> Resource:
    """The ServiceInstance resource."""
    found = find_resource("serviceinstances")
    assert found is not None
    return found


def put(store: Store, namespace: str, name: str, **labels: str) -> None:
    """Store an instance."""
    metadata = {"namespace": namespace, "name": name, "labels": labels}
    store.put("serviceinstances", (namespace, name), {"metadata": metadata})


@pytest.fixture
def store() -> Store:
    """Three instances in two namespaces, at revisions 11 to 13, with room for four changes."""
    store = Store(initial_revision=10, history=4, on_write=lambda: None)
    put(store, "a", "one", app="x")
    put(store, "a", "two", app="y")
    put(store, "b", "one", app="x")
    return store


def listed(store: Store, namespace: str = "", **query: str) -> Page:
    """One page."""
    return list_page(store, instances(), namespace, parse_list_options(query, watch=False))


def names(page: Page) -> list[str]:
    """The objects of a page as namespace/name."""
    return [f"{obj['metadata']['namespace']}/{obj['metadata']['name']}" for obj in page.objects]


def test_a_list_holds_a_namespace_or_all_of_them(store: Store) -> None:
    """Objects are sorted, and the version is the store's."""
    assert names(listed(store)) == ["a/one", "a/two", "b/one"]
    assert names(listed(store, "a")) == ["a/one", "a/two"]
    assert listed(store).metadata == {"resourceVersion": "13"}


def test_a_list_is_selected(store: Store) -> None:
    """Label and field selectors both restrict a list."""
    page = listed(store, labelSelector="app=x", fieldSelector="metadata.namespace=b")

    assert names(page) == ["b/one"]


def test_pages_show_one_moment(store: Store) -> None:
    """What is written between two pages is on neither."""
    first = listed(store, limit="1")
    put(store, "a", "new")
    store.remove("serviceinstances", ("b", "one"))
    second = listed(store, limit="2", **{"continue": first.metadata["continue"]})

    assert names(first) == ["a/one"]
    assert first.metadata["remainingItemCount"] == 2
    assert names(second) == ["a/two", "b/one"]
    assert second.metadata == {"resourceVersion": "13"}


def test_a_selected_page_does_not_count_the_rest(store: Store) -> None:
    """With a selector the number of remaining items is not given, as in kube-apiserver."""
    page = listed(store, limit="1", labelSelector="app=x")

    assert "continue" in page.metadata
    assert "remainingItemCount" not in page.metadata


def test_a_page_that_is_too_old_is_gone(store: Store) -> None:
    """A token from before the window is 410."""
    token = listed(store, limit="1").metadata["continue"]
    for number in range(5):
        put(store, "a", f"new-{number}")
    with pytest.raises(StatusError, match="too old to display a consistent list") as caught:
        listed(store, **{"continue": token})

    assert (caught.value.code, caught.value.reason) == (410, "Expired")


@pytest.mark.parametrize("token", ["%", "abc", "e30", "eyJydiI6ICJ4IiwgImFmdGVyIjogWyJhIiwgImIiXX0"])
def test_a_broken_token_is_a_bad_request(store: Store, token: str) -> None:
    """A token this server did not write is 400."""
    with pytest.raises(StatusError, match="continue key is not valid") as caught:
        listed(store, **{"continue": token})

    assert caught.value.code == 400


def test_an_exact_version_shows_the_past(store: Store) -> None:
    """With resourceVersionMatch=Exact the list is that of the version."""
    page = listed(store, resourceVersion="12", resourceVersionMatch="Exact")

    assert names(page) == ["a/one", "a/two"]
    assert page.metadata == {"resourceVersion": "12"}


def test_not_older_than_shows_the_present(store: Store) -> None:
    """Any other use of a version the store has reached is answered with the newest state."""
    assert names(listed(store, resourceVersion="12", resourceVersionMatch="NotOlderThan")) == [
        "a/one",
        "a/two",
        "b/one",
    ]
    assert names(listed(store, resourceVersion="0", limit="5")) == ["a/one", "a/two", "b/one"]


def test_a_version_not_yet_reached_is_a_timeout(store: Store) -> None:
    """The client is told to come back, with the cause client-go looks for."""
    with pytest.raises(StatusError) as caught:
        listed(store, resourceVersion="99")

    assert caught.value.code == 504
    assert caught.value.details is not None
    assert caught.value.details["causes"][0]["reason"] == "ResourceVersionTooLarge"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"resourceVersionMatch": "Exact"}, 422),
        ({"resourceVersionMatch": "Exact", "resourceVersion": "0"}, 422),
        ({"resourceVersionMatch": "Newer", "resourceVersion": "1"}, 422),
        ({"resourceVersionMatch": "Exact", "continue": "x"}, 422),
        ({"sendInitialEvents": "true"}, 422),
        ({"continue": "x", "resourceVersion": "5"}, 400),
        ({"limit": "x"}, 400),
        ({"resourceVersion": "x"}, 400),
    ],
)
def test_options_that_do_not_go_together_are_refused(query: dict[str, str], code: int) -> None:
    """Forbidden combinations are 422, unreadable values 400."""
    with pytest.raises(StatusError) as caught:
        parse_list_options(query, watch=False)

    assert caught.value.code == code


def test_the_body_is_a_list_of_the_kind(store: Store) -> None:
    """Kind, version, metadata and items make the list."""
    body = list_body(instances(), listed(store, "b"))

    assert (body["kind"], body["apiVersion"]) == ("ServiceInstanceList", "servicecatalog.k8s.io/v1beta1")
    assert len(body["items"]) == 1
