"""Waiting until every proxy has a write, and what a client finds out about the API by itself."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from config_api import RBAC, SERVICE, Api, reference, role, serving, wait
from config_client import Client

from controlplane.api.v1 import config_pb2
from controlplane.model.proxy import ProxyState

Rollout = config_pb2.Rollout


async def test_an_answer_waits_for_every_proxy(api: Api) -> None:
    """It comes when the last has acknowledged, and counts them."""
    api.proxies.connected = dict.fromkeys(("a", "b"), ProxyState.SYNCED)
    answering = asyncio.create_task(api.apply(role("x"), wait=wait(20)))
    async with asyncio.timeout(20):
        await api.proxies.waited_for.wait()
    api.proxies.acknowledge("a")
    done, _ = await asyncio.wait({answering}, timeout=0.1)
    api.proxies.acknowledge("b")
    answer = await answering

    assert not done
    assert Rollout(state=Rollout.STATE_ACKNOWLEDGED, acknowledged=2) == answer.rollout


async def test_a_wait_has_an_end(api: Api) -> None:
    """The answer says that the write is kept and who has not got it yet."""
    api.proxies.connected = {"a": ProxyState.SYNCED, "b": ProxyState.REJECTED, "c": ProxyState.STALE}
    answering = asyncio.create_task(api.apply(role("x"), wait=wait(0.5)))
    async with asyncio.timeout(20):
        await api.proxies.waited_for.wait()
    api.proxies.acknowledge("a")
    answer = await answering
    expected = Rollout(state=Rollout.STATE_TIMED_OUT, acknowledged=1, behind=["b", "c"], rejecting=["b"])

    assert expected == answer.rollout
    assert answer.revision == await api.store.revision()


async def test_a_write_that_is_not_published_is_at_no_proxy(api: Api) -> None:
    """While the pipeline has not come to it, all are behind."""
    api.proxies.connected = {"a": ProxyState.SYNCED}
    api.reached.publish(0)
    answer = await api.apply(role("x"), wait=wait(0), dry_run=False)

    assert Rollout(state=Rollout.STATE_TIMED_OUT, behind=["a"]) == answer.rollout


async def test_without_proxies_there_is_nothing_to_wait_for(api: Api) -> None:
    """That is said, at once."""
    deleted = await api.call("Apply", json=json.dumps(role("x")), options={"field_manager": "t", "wait": wait(20)})
    batch = await api.call("BatchApply", json=[json.dumps(role("x"))], options={"field_manager": "t", "wait": wait(20)})

    assert Rollout(state=Rollout.STATE_NO_PROXIES) == deleted.rollout == batch.rollout


async def test_nobody_waits_unasked(api: Api) -> None:
    """Without a wait, and for a dry run, there is no word about proxies."""
    api.proxies.connected = {"a": ProxyState.SYNCED}
    plain = await api.apply(role("x"))
    dry = await api.apply(role("y"), wait=wait(20), dry_run=True)

    assert not plain.HasField("rollout")
    assert not dry.HasField("rollout")


async def test_the_api_describes_itself(api: Api) -> None:
    """A client without its protos finds the services, calls them, and hears that they serve."""

    def use() -> tuple[list[str], str, list[str]]:
        with Client(f"unix:{api.socket}") as client:
            made = client.apply(role("a"))
            listed = client.list(RBAC, "ClusterRole")
            watched = next(client.watch(type={"api_version": RBAC, "kind": "ClusterRole"}))
            assert "a" == watched.object.reference.name
            return client.services, made.written.object.resource_version, [one.reference.name for one in listed]

    services, version, names = await asyncio.to_thread(use)
    health = api.channel.unary_unary("/grpc.health.v1.Health/Check")
    answer = await health(b"\x0a" + bytes([len(SERVICE)]) + SERVICE.encode())

    ours = [f"controlplane.api.v1.{name}Service" for name in ("Config", "Explain", "Status")]
    assert [*ours, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"] == services
    assert ("2", ["a"]) == (version, names)
    assert b"\x08\x01" == answer


async def test_everything_is_there_after_a_new_start(tmp_path: Path) -> None:
    """What was acknowledged is found by the next process, under the same versions."""
    async with serving(tmp_path) as first:
        made = await first.apply(role("a"))
    async with serving(tmp_path) as second:
        found = await second.call("Get", reference=reference("ClusterRole", "a"))

    assert made.written.object.json == found.json
