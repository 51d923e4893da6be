"""The conditions of APIServices in every answer, and in none of what is stored."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

from config_api import Answer, Api, wait

from controlplane.api.v1 import config_pb2
from controlplane.model.proxy import ProxyState, ProxyType, RejectedResource
from controlplane.model.resource import SCOPED_ROUTE
from controlplane.store.interface import Key

GROUP = "apiregistration.k8s.io/v1"
TYPE = {"api_version": GROUP, "kind": "APIService"}
REFERENCE = {"type": TYPE, "name": "v1.a.io"}
KEY = Key("apiservices.apiregistration.k8s.io", "", "v1.a.io")
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "svc", "namespace": "ns"},
    "spec": {"ports": [{"port": 443}]},
}
Response = config_pb2.WatchResponse
ALONE = {"Available": ("True", "Passed"), "Programmed": ("Unknown", "NoProxies")}
EMPTY = {**ALONE, "Available": ("False", "EndpointsNotFound")}


def registration(name: str = "v1.a.io", **more: object) -> dict[str, Any]:
    """An APIService of the Service."""
    version, _, group = name.partition(".")
    spec = {
        "group": group,
        "version": version,
        "groupPriorityMinimum": 1000,
        "versionPriority": 10,
        "insecureSkipTLSVerify": True,
        "service": {"namespace": "ns", "name": "svc"},
    }
    return {"apiVersion": GROUP, "kind": "APIService", "metadata": {"name": name}, "spec": spec, **more}


def conditions(found: config_pb2.Object) -> dict[str, tuple[str, str]]:
    """Status and reason of each condition that is shown."""
    shown = json.loads(found.json)["status"].get("conditions", ())
    return {one["type"]: (one["status"], one["reason"]) for one in shown}


async def applied(api: Api, *bodies: dict[str, Any]) -> Answer:
    """Applies objects, and returns when they are in force."""
    texts = [json.dumps(body) for body in bodies]
    done = await api.call("BatchApply", json=texts, options={"field_manager": "test"}, force=True)
    await api.in_force(done.revision)
    return done


def rejecting(api: Api, name: str) -> None:
    """Has the proxies reject the routes of an API."""
    rejected = (RejectedResource(name, "new", "bad"),)
    kind = ProxyType(SCOPED_ROUTE, ProxyState.REJECTED, True, 0, 1, "1", 1.0, "1", 1.0, "", rejected)
    api.proxies.types = (kind,)


async def test_reads_show_how_it_stands(api: Api) -> None:
    """By the Service there is, and by what proxies take, at the moment of each answer; nothing of it is stored."""
    await applied(api, registration())
    alone = await api.call("Get", reference=REFERENCE)
    await applied(api, SERVICE)
    api.proxies.connected = {"envoy": ProxyState.SYNCED}
    empty = (await api.call("List", type=TYPE)).objects[0]
    rejecting(api, "a.io/v1")
    rejected = await api.call("Get", reference=REFERENCE)
    stored = await api.store.get(KEY)

    assert ALONE == conditions(alone)
    assert {**EMPTY, "Programmed": ("True", "Programmed")} == conditions(empty)
    assert ("False", "Rejected") == conditions(rejected)["Programmed"]
    assert alone.resource_version == empty.resource_version == rejected.resource_version
    assert stored is not None
    assert b"conditions" not in stored.value


async def test_the_answer_to_a_write_shows_how_it_stands_after_the_wait(api: Api) -> None:
    """Once the write is in force it stands as it made it; a dry run shows how it stands now."""
    await applied(api, SERVICE)
    trial = await api.apply(registration(), dry_run=True)
    done = await api.apply(registration(), wait=wait(20))

    assert {} == conditions(trial.written.object)
    assert EMPTY == conditions(done.written.object)


async def test_what_a_client_says_of_the_status_is_nothing(api: Api) -> None:
    """What was read can be sent back without a change, and nobody makes an API available by saying so."""
    said = {"conditions": [{"type": "Available", "status": "True", "reason": "Me", "message": "I say so"}]}
    await applied(api, SERVICE, registration(status=said))
    read = await api.call("Get", reference=REFERENCE)
    options = {"field_manager": "other"}
    replaced = await api.call("Replace", json=read.json, options=options)
    merge = config_pb2.PatchRequest.FORM_MERGE
    patched = await api.call(
        "Patch", reference=REFERENCE, form=merge, json=json.dumps({"status": said}), options=options
    )

    assert EMPTY == conditions(read)
    assert config_pb2.Written.OUTCOME_UNCHANGED == replaced.written.outcome == patched.written.outcome
    assert EMPTY == conditions(patched.written.object)


async def test_what_is_not_in_force_stands_nowhere(api: Api) -> None:
    """An APIService that was just deleted is shown without conditions, other kinds never have any."""
    done = await applied(api, registration(), SERVICE)
    deleted = await api.call("Delete", reference=REFERENCE)
    await api.in_force(deleted.revision)
    again = await api.apply(registration(), dry_run=True)

    assert {} == conditions(again.written.object)
    assert "Programmed" not in done.written[1].object.json


async def test_a_watch_tells_how_it_stands(api: Api) -> None:
    """A change of conditions alone is MODIFIED, with the resourceVersion of before; others are not told of it."""
    done = await applied(api, registration(), registration("v1.b.io", metadata={"name": "v1.b.io"}), SERVICE)
    watch = api.watch(type=TYPE, field_selector="metadata.name=v1.a.io")
    async with asyncio.timeout(20):
        added, bookmark = await watch.read(), await watch.read()
        api.proxies.connected = {"envoy": ProxyState.SYNCED}
        api.looking.set()
        connected = await watch.read()
        rejecting(api, "a.io/v1")
        api.looking.set()
        rejected = await watch.read()
    watch.cancel()

    assert [Response.CHANGE_ADDED, Response.CHANGE_BOOKMARK] == [added.change, bookmark.change]
    assert ("Unknown", "NoProxies") == conditions(added.object)["Programmed"]
    assert [Response.CHANGE_MODIFIED] * 2 == [connected.change, rejected.change]
    assert ("True", "Programmed") == conditions(connected.object)["Programmed"]
    assert ("False", "Rejected") == conditions(rejected.object)["Programmed"]
    assert {added.object.resource_version} == {one.object.resource_version for one in (connected, rejected)}
    assert [str(done.revision)] * 2 == [connected.resource_version, rejected.resource_version]


async def test_a_watch_goes_on_through_changes_of_both_kinds(api: Api) -> None:
    """Writes and conditions are told in turn; what a watch was not told of yet is told by the write that made it."""
    watch = api.watch(type=TYPE)
    async with asyncio.timeout(20):
        await watch.read()
        created = await applied(api, registration())
        added = await watch.read()
        api.looking.set()
        standing = await watch.read()
        deleted = await api.call("Delete", reference=REFERENCE)
        gone = await watch.read()
    watch.cancel()

    assert [Response.CHANGE_ADDED, Response.CHANGE_MODIFIED, Response.CHANGE_DELETED] == [
        one.change for one in (added, standing, gone)
    ]
    assert ("True", "Passed") == conditions(standing.object)["Available"]
    assert [str(created.revision)] * 2 + [str(deleted.revision)] == [
        one.resource_version for one in (added, standing, gone)
    ]


async def test_who_watches_has_the_picture_of_the_list(api: Api) -> None:
    """Whatever is written, and however proxies come and go: nothing is told before it is ADDED, or out of order."""
    chosen = random.Random(7)  # noqa: S311 - the same every time
    pictures: list[dict[str, config_pb2.Object]] = [{} for _ in range(5)]
    watches = [api.watch(type=TYPE) for _ in pictures]

    async def follow(number: int) -> None:
        picture, last = pictures[number], 0
        while True:
            reading = asyncio.ensure_future(watches[number].read())
            await asyncio.wait({reading, wanted}, return_when=asyncio.FIRST_COMPLETED)
            if wanted.done() and _seen(picture) == wanted.result():
                reading.cancel()
                return
            message = await reading
            name, version = message.object.reference.name, int(message.resource_version or last)
            assert version >= last
            assert (message.change == Response.CHANGE_ADDED) == (bool(name) and name not in picture)
            last = version
            if message.change == Response.CHANGE_DELETED:
                del picture[name]
            elif name:
                picture[name] = message.object

    wanted: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
    following = [asyncio.create_task(follow(number)) for number in range(len(pictures))]
    there = set[str]()
    for number in range(120):
        name = f"v1.g{chosen.randrange(12)}.io"
        if number % 4 == 3 and name in there:
            await api.call("Delete", reference={"type": TYPE, "name": name})
            there.discard(name)
        else:
            there.add(name)
            await api.apply(registration(name, metadata={"name": name, "labels": {"number": str(number)}}))
        api.proxies.connected = {"envoy": ProxyState.SYNCED} if number % 10 < 7 else {}
        api.looking.set()
    await api.in_force(await api.store.revision())
    listed = await api.call("List", type=TYPE)
    wanted.set_result(_seen({one.reference.name: one for one in listed.objects}))
    api.looking.set()
    async with asyncio.timeout(20):
        await asyncio.gather(*following)
    for watch in watches:
        watch.cancel()

    assert [_seen(picture) for picture in pictures] == [wanted.result()] * len(pictures)


def _seen(picture: dict[str, config_pb2.Object]) -> dict[str, Any]:
    return {name: (one.resource_version, conditions(one)) for name, one in picture.items()}
