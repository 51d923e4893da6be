"""Lists and watches: pages of one moment, and changes without a gap."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from config_api import RBAC, Answer, Api, reference, role
from trials import trials

from controlplane.api.v1 import config_pb2

TYPE = {"api_version": RBAC, "kind": "ClusterRole"}
ROLES = {"api_version": RBAC, "kind": "Role"}
ADDED, MODIFIED, DELETED, BOOKMARK = (
    config_pb2.WatchResponse.CHANGE_ADDED,
    config_pb2.WatchResponse.CHANGE_MODIFIED,
    config_pb2.WatchResponse.CHANGE_DELETED,
    config_pb2.WatchResponse.CHANGE_BOOKMARK,
)
WATCHERS = 100
CHANGES = trials(1000)


async def _batch(api: Api, *bodies: dict[str, Any]) -> Answer:
    texts = [json.dumps(body) for body in bodies]
    return await api.call("BatchApply", json=texts, options={"field_manager": "test"}, force=True)


async def _pages(api: Api, **fields: object) -> list[list[str]]:
    pages, token = [], ""
    while True:
        page = await api.call("List", page_token=token, **fields)
        pages.append([one.reference.name for one in page.objects])
        token = page.next_page_token
        if not token:
            return pages


async def _told(watch: grpc.aio.UnaryStreamCall, number: int) -> list[tuple[int, str]]:
    """The next messages that are no bookmarks, by change and name."""
    found: list[tuple[int, str]] = []
    async with asyncio.timeout(20):
        while len(found) < number:
            message = await watch.read()
            if message.change != BOOKMARK:
                found.append((message.change, message.object.reference.name))
    return found


async def test_pages_show_one_moment(api: Api) -> None:
    """What is written between two pages is on none of them, what is deleted is still there."""
    await _batch(api, *(role(f"r{number}") for number in range(5)))
    first = await api.call("List", type=TYPE, page_size=2)
    await api.call("Delete", reference=reference("ClusterRole", "r3"))
    await api.apply(role("r2x"))
    second = await api.call("List", type=TYPE, page_size=2, page_token=first.next_page_token)
    third = await api.call("List", type=TYPE, page_size=2, page_token=second.next_page_token)

    names = [[one.reference.name for one in page.objects] for page in (first, second, third)]
    assert [["r0", "r1"], ["r2", "r3"], ["r4"]] == names
    assert ["2", "2", "2"] == [page.resource_version for page in (first, second, third)]
    assert "" == third.next_page_token


async def test_selectors_choose(api: Api) -> None:
    """By label and by name, in one namespace or in all, over pages."""
    await _batch(
        api,
        *(
            role(f"r{number}", kind="Role", namespace="abc"[number % 3], labels={"n": str(number)})
            for number in range(9)
        ),
    )

    assert [["r0", "r3", "r6"]] == await _pages(api, type=ROLES, namespace="a")
    assert [["r0", "r3"], ["r6", "r1"], ["r4"]] == await _pages(
        api, type=ROLES, page_size=2, label_selector="n in (0,1,3,4,6)"
    )
    assert [["r4"]] == await _pages(api, type=ROLES, field_selector="metadata.name=r4")
    assert [[]] == await _pages(api, type=ROLES, label_selector="n=none")


async def test_a_page_token_is_of_its_list(api: Api) -> None:
    """With another selector it is refused."""
    await _batch(api, *(role(f"r{number}") for number in range(3)))
    page = await api.call("List", type=TYPE, page_size=1)
    refused = await api.refused("List", type=TYPE, label_selector="a", page_token=page.next_page_token)

    assert "continue key is not valid: it is of a list of other objects" == refused.message


async def test_a_watch_begins_with_what_there_is(api: Api) -> None:
    """Objects, a bookmark, then changes as they happen."""
    await _batch(api, role("a"), role("b"))
    watch = api.watch(type=TYPE)
    began = [await watch.read() for _ in range(3)]
    await api.apply(role("a", "list"))
    await api.call("Delete", reference=reference("ClusterRole", "b"))
    told = await _told(watch, 2)
    watch.cancel()

    assert [(ADDED, "a"), (ADDED, "b"), (BOOKMARK, "")] == [(one.change, one.object.reference.name) for one in began]
    assert ["", "", "2"] == [one.resource_version for one in began]
    assert [(MODIFIED, "a"), (DELETED, "b")] == told


async def test_an_object_comes_and_goes_with_its_labels(api: Api) -> None:
    """For a watch with a selector it is added when it is selected, and deleted when it is not any more."""
    await api.apply(role("a"))
    watch = api.watch(type=TYPE, label_selector="x=y", resource_version="1")
    for labels in ({}, {"x": "y"}, {"x": "y", "z": "1"}, {"x": "z"}):
        await api.apply(role("a", labels=labels), force=True)
    told = await _told(watch, 3)
    watch.cancel()

    assert [(ADDED, "a"), (MODIFIED, "a"), (DELETED, "a")] == told


async def test_a_watch_cut_in_the_middle_of_a_transaction_misses_nothing(api: Api) -> None:
    """It goes on from its last message; what it had of the transaction is told again."""
    await _batch(api, *(role(f"r{number}") for number in range(3)))
    watch = api.watch(type=TYPE, resource_version="1")
    first = await watch.read()
    watch.cancel()
    again = api.watch(type=TYPE, resource_version=first.resource_version)
    told = [await again.read() for _ in range(3)]
    again.cancel()

    assert [(ADDED, f"r{number}") for number in range(3)] == [(one.change, one.object.reference.name) for one in told]
    assert ["1", "1", "2"] == [one.resource_version for one in told]


async def test_a_watch_of_nothing_hears_how_far_it_is(api: Api) -> None:
    """Bookmarks come while others' objects change, so that it need not begin far back."""
    watch = api.watch(type=ROLES, resource_version="1")
    done = await _batch(api, *(role(f"r{number}") for number in range(3)))
    async with asyncio.timeout(20):
        message = await watch.read()
    watch.cancel()

    assert (BOOKMARK, str(done.revision)) == (message.change, message.resource_version)


async def _follow(api: Api, number: int, cut_after: int) -> list[str]:
    """The versions that a watcher is told, cut now and then."""
    seen: list[str] = []
    version = "1"
    while len(seen) < number:
        watch = api.watch(type=TYPE, resource_version=version)
        for _ in range(cut_after):
            message = await watch.read()
            version = message.resource_version
            if message.change != BOOKMARK:
                seen.append(message.object.resource_version)
            if len(seen) == number:
                break
        watch.cancel()
    return seen


async def test_a_hundred_watchers_are_told_every_change(api: Api) -> None:
    """Each in order, none lost and none twice, though every third is cut again and again."""
    cuts = [CHANGES + 1 if number % 3 else 97 for number in range(WATCHERS)]
    following = [asyncio.create_task(_follow(api, CHANGES, cut)) for cut in cuts]
    for first in range(0, CHANGES, 20):
        await asyncio.gather(*(api.apply(role(f"r{number % 7}-{number}")) for number in range(first, first + 20)))
    async with asyncio.timeout(120):
        told: Sequence[list[str]] = await asyncio.gather(*following)

    expected = [str(revision) for revision in range(2, CHANGES + 2)]
    assert all(expected == one for one in told)


async def test_a_list_and_a_watch_from_it_come_to_the_same(api: Api) -> None:
    """A list, and the changes of a watch from it, make the objects of a later list."""
    await _batch(api, *(role(f"r{number}") for number in range(20)))
    listed = await api.call("List", type=TYPE)
    held = {one.reference.name: one.json for one in listed.objects}
    watch = api.watch(type=TYPE, resource_version=listed.resource_version)
    for number in range(0, 20, 3):
        await api.call("Delete", reference=reference("ClusterRole", f"r{number}"))
        await api.apply(role(f"r{number + 1}", "list"))
        await api.apply(role(f"new{number}"))
    later = await api.call("List", type=TYPE)
    version = 0
    async with asyncio.timeout(20):
        while version < int(later.resource_version):
            message = await watch.read()
            version = int(message.resource_version)
            if message.change == DELETED:
                del held[message.object.reference.name]
            elif message.change != BOOKMARK:
                held[message.object.reference.name] = message.object.json
    watch.cancel()

    assert {one.reference.name: one.json for one in later.objects} == held


@pytest.mark.parametrize("number", [500, 501])
async def test_a_page_has_at_most_five_hundred(number: int, api: Api) -> None:
    """Whatever the caller wants."""
    for first in range(0, number, 100):
        await _batch(api, *(role(f"r{index:04}") for index in range(first, min(first + 100, number))))

    assert [500, number - 500][: 1 + (number > 500)] == [
        len(page) for page in await _pages(api, type=TYPE, page_size=1000)
    ]
