"""The demo API server over real TLS: how watches behave."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from catalog_server import BROKER, BROKERS, TABLE, Client, Pki, Running, running


async def test_a_watch_sends_its_headers_before_any_event(client: Client) -> None:
    """An idle watch is open at once, and the first event follows the first write."""
    async with client.watch(f"{BROKERS}?watch=true") as events:
        await client.call("POST", BROKERS, BROKER)
        event = await events.next()

    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "demo")


async def test_a_watch_tells_each_change_once(client: Client) -> None:
    """From a list's version on, creation, change and removal arrive in order."""
    listed = await client.call("GET", BROKERS)
    version = listed.json["metadata"]["resourceVersion"]
    async with client.watch(f"{BROKERS}?watch=1&resourceVersion={version}") as events:
        await client.call("POST", BROKERS, BROKER)
        change = {"spec": {"url": "https://c"}}
        await client.call("PATCH", f"{BROKERS}/demo", change, content_type="application/merge-patch+json")
        await client.call("DELETE", f"{BROKERS}/demo")
        told = [await events.next() for _ in range(3)]

    assert [event["type"] for event in told] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in told]
    assert versions == sorted(set(versions))


async def test_a_watch_comes_as_tables(client: Client) -> None:
    """Each event holds a Table of one row; only the first has column definitions."""
    await client.call("POST", BROKERS, BROKER)
    await client.call("POST", BROKERS, {**BROKER, "metadata": {"name": "second"}})
    async with client.watch(f"{BROKERS}?watch=true", Accept=TABLE) as events:
        told = [await events.next() for _ in range(2)]

    assert [event["object"]["kind"] for event in told] == ["Table", "Table"]
    assert [event["object"]["rows"][0]["cells"][0] for event in told] == ["demo", "second"]
    assert [bool(event["object"]["columnDefinitions"]) for event in told] == [True, False]


async def test_a_watch_list_ends_its_state_with_a_bookmark(client: Client) -> None:
    """The state comes first, then the annotated bookmark, then live events."""
    await client.call("POST", BROKERS, BROKER)
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    async with client.watch(f"{BROKERS}?{query}") as events:
        state, end = await events.next(), await events.next()
        await client.call("DELETE", f"{BROKERS}/demo")
        live = await events.next()

    assert [one["type"] for one in (state, end, live)] == ["ADDED", "BOOKMARK", "DELETED"]
    assert end["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_an_idle_watch_gets_bookmarks(pki: Pki) -> None:
    """A client that asks for bookmarks gets one per interval, with a version to go on from."""
    async with running(pki, replace(pki.options, bookmark_interval=0.01)) as api:
        listed = await api.client.call("GET", BROKERS)
        async with api.client.watch(f"{BROKERS}?watch=1&allowWatchBookmarks=true") as events:
            told = [await events.next() for _ in range(2)]

    version = listed.json["metadata"]["resourceVersion"]
    assert [event["type"] for event in told] == ["BOOKMARK", "BOOKMARK"]
    assert [event["object"]["metadata"]["resourceVersion"] for event in told] == [version, version]


async def test_a_version_too_old_ends_the_watch_with_an_error(client: Client) -> None:
    """A watch from before the window gets 410 as an ERROR event, and ends."""
    async with client.watch(f"{BROKERS}?watch=1&resourceVersion=1") as events:
        event = await events.next()

        assert await events.ends()
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


async def test_a_watch_ends_when_its_time_is_over(client: Client) -> None:
    """The parameter timeoutSeconds bounds a watch."""
    async with client.watch(f"{BROKERS}?watch=1&timeoutSeconds=1") as events:
        assert await events.ends()


async def test_stopping_the_server_ends_its_watches(api: Running) -> None:
    """A stopping server closes open watches cleanly, within two seconds."""
    async with api.client.watch(f"{BROKERS}?watch=1") as events, asyncio.timeout(2):
        await api.server.stop()

        assert await events.ends()


async def test_a_watch_is_audited_at_its_start_and_end(pki: Pki) -> None:
    """The log shows an open watch before it ends."""
    async with running(pki, replace(pki.options, watch_timeout=0.3)) as api:
        async with api.client.watch(f"{BROKERS}?watch=1") as events:
            started = [event["stage"] for event in api.audited]
            await events.ends()
        await api.client.call("GET", "/version")

    assert started == ["ResponseStarted"]
    watched = [event for event in api.audited if event["verb"] == "watch"]
    assert [event["stage"] for event in watched] == ["ResponseStarted", "ResponseComplete"]
