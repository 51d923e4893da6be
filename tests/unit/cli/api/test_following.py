"""What a watch tells, whatever the server tells twice or has forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.api.v1 import config_pb2
from controlplane.cli.api.following import Event, between, followed
from controlplane.configapi.client import ApiError

ADDED, MODIFIED, DELETED, BOOKMARK = (
    config_pb2.WatchResponse.CHANGE_ADDED,
    config_pb2.WatchResponse.CHANGE_MODIFIED,
    config_pb2.WatchResponse.CHANGE_DELETED,
    config_pb2.WatchResponse.CHANGE_BOOKMARK,
)
FORGOTTEN = ApiError("OUT_OF_RANGE", "Expired", "too old")
GONE = ApiError("PERMISSION_DENIED", "Forbidden", "forbidden")


def an_object(name: str, version: int = 1, uid: str = "u") -> config_pb2.Object:
    """An object at a version."""
    return config_pb2.Object(
        reference=config_pb2.Reference(name=name), uid=uid, resource_version=str(version), json=f'{{"v": {version}}}'
    )


def told(change: config_pb2.WatchResponse.Change, *given: object, version: str = "") -> config_pb2.WatchResponse:
    """A message of the server."""
    item = an_object(*given) if given else None
    return config_pb2.WatchResponse(change=change, object=item, resource_version=version)


class Server:
    """Gives lists one after another, and after each of them what watches say, until an error ends each."""

    def __init__(
        self, *rounds: tuple[Sequence[config_pb2.Object], Sequence[config_pb2.WatchResponse | ApiError]]
    ) -> None:
        self._rounds = list(rounds)
        self._said: Iterator[config_pb2.WatchResponse | ApiError] = iter(())
        self.begun: list[str] = []

    def pages(self, _: config_pb2.ListRequest) -> Iterator[config_pb2.ListResponse]:
        """A page an object."""
        objects, said = self._rounds.pop(0)
        self._said = iter(said)
        version = str(40 - len(self._rounds))
        for item in objects:
            yield config_pb2.ListResponse(objects=[item], resource_version=version)
        yield config_pb2.ListResponse(resource_version=version)

    def watch(self, request: config_pb2.WatchRequest) -> Iterator[config_pb2.WatchResponse]:
        """The messages up to the next error."""
        self.begun.append(f"{request.label_selector} {request.resource_version}")
        for said in self._said:
            if isinstance(said, ApiError):
                raise said
            yield said


def follow(server: Server, times: int) -> list[list[tuple[str, str, str]]]:
    """What is told, so many times, before the server refuses: change, name and version."""
    events = followed(server, config_pb2.ListRequest(label_selector="a=b"))
    found = [
        [(event.change, event.item.reference.name, event.item.resource_version) for event in next(events)]
        for _ in range(times)
    ]
    with pytest.raises(ApiError, match="forbidden"):
        next(events)
    return found


def test_first_what_there_is_then_what_happens() -> None:
    """The watch begins where the list ends, with its selectors; bookmarks are not told."""
    changes = [told(ADDED, "c", 3), told(BOOKMARK, version="4"), told(MODIFIED, "a", 5), told(DELETED, "b", 2)]
    server = Server(([an_object("a"), an_object("b", 2)], [*changes, GONE]))

    assert [
        [("ADDED", "a", "1"), ("ADDED", "b", "2")],
        [("ADDED", "c", "3")],
        [("MODIFIED", "a", "5")],
        [("DELETED", "b", "2")],
    ] == follow(server, 4)
    assert ["a=b 40"] == server.begun


def test_a_transaction_that_is_told_again_is_told_once() -> None:
    """What was told of it before the cut is known; the rest is new."""
    before = [told(ADDED, "c", 3), told(MODIFIED, "a", 3), told(DELETED, "b", 2)]
    again = [*before, told(ADDED, "d", 3)]
    server = Server(([an_object("a"), an_object("b", 2)], [*before, *again, GONE]))

    assert [("ADDED", "c", "3"), ("MODIFIED", "a", "3"), ("DELETED", "b", "2"), ("ADDED", "d", "3")] == [
        event for events in follow(server, 5)[1:] for event in events
    ]


def test_a_status_that_changes_alone_is_told() -> None:
    """It is of the moment of the answer, and no version counts it."""
    changed = config_pb2.WatchResponse(change=MODIFIED, object=an_object("a"))
    changed.object.json = '{"v": 1, "status": {}}'

    assert [("MODIFIED", "a", "1")] == follow(Server(([an_object("a")], [changed, GONE])), 2)[1]


def test_what_was_forgotten_is_found_out() -> None:
    """When the server has forgotten where the watch was, what differs from then is told."""
    first = [an_object("same"), an_object("gone"), an_object("new-uid"), an_object("changed")]
    later = [an_object("same"), an_object("new-uid", 8, "v"), an_object("changed", 9), an_object("more", 7)]
    server = Server((first, [FORGOTTEN]), (later, [told(MODIFIED, "more", 10), GONE]))

    assert [
        [
            ("DELETED", "gone", "1"),
            ("DELETED", "new-uid", "1"),
            ("ADDED", "new-uid", "8"),
            ("MODIFIED", "changed", "9"),
            ("ADDED", "more", "7"),
        ],
        [("MODIFIED", "more", "10")],
    ] == follow(server, 3)[1:]
    assert ["a=b 39", "a=b 40"] == server.begun


_objects = st.dictionaries(
    st.tuples(st.just(""), st.sampled_from("abcd")),
    st.builds(an_object, st.just("x"), st.integers(1, 3), st.sampled_from("uv")),
)


@given(_objects, _objects)
def test_the_difference_leads_from_one_to_the_other(
    before: dict[tuple[str, str], config_pb2.Object], after: dict[tuple[str, str], config_pb2.Object]
) -> None:
    """Whoever does what is told has the later objects, and is told of no change to what is the same."""
    for objects in (before, after):
        for (_, name), item in objects.items():
            item.reference.name = name
    held = {name: item for (_, name), item in before.items()}
    for event in between(before, after):
        name = event.item.reference.name
        assert (event.change == "ADDED") == (name not in held)
        if event.change == "DELETED":
            del held[name]
        else:
            assert held.get(name) != event.item
            held[name] = event.item

    assert {name: item for (_, name), item in after.items()} == held
    assert () == between(after, after)


def test_an_event_says_what_and_of_what() -> None:
    """Nothing more is needed to print it."""
    assert Event("ADDED", an_object("a")) == Event("ADDED", an_object("a"))
