"""The xDS faces against the real Envoy: warming, rejections, reconnects; what no model of Envoy can prove."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from xds_stack import SCOPE_HEADER, cluster, endpoints, running, scope, until

from controlplane.model.resource import CLUSTER, ENDPOINTS, ResourceName

pytestmark = pytest.mark.live


@pytest.mark.parametrize("api_type", ["DELTA_GRPC", "GRPC"])
async def test_changed_cluster_is_acknowledged_at_once(api_type: str) -> None:
    """M1, D12: a changed EDS cluster is warm within 2 seconds, where one without its endpoints takes 15."""
    async with running(api_type) as stack:
        before = await stack.get("a")
        stack.publish([cluster("a", connect_timeout="2s")])
        seconds = await stack.in_step(14)
        after = await stack.get("a")

    assert (before, seconds < 2, after) == (200, True, 200)


@pytest.mark.parametrize("poison", [{"connect_timeout": "-1s"}, {"bad_ca": True}])
async def test_poisoned_cluster_harms_only_itself(poison: dict[str, Any]) -> None:
    """F2: of eight clusters at once, one that Envoy rejects, the seven others serve and the eighth is named."""
    names = [f"good-{number}" for number in range(7)]
    async with running() as stack:
        fresh = [cluster(name) for name in names]
        stack.publish(
            [
                *fresh[:3],
                cluster("poison", **poison),
                *fresh[3:],
                *(endpoints(name, stack.backend_port) for name in [*names, "poison"]),
                *(scope(name, name) for name in [*names, "poison"]),
                scope("a", "poison"),
            ]
        )
        seconds = await stack.in_step(14)
        codes = {name: await stack.get(name) for name in [*names, "a", "poison"]}
        stack.publish([cluster("poison")])
        await stack.in_step(14)
        mended = await stack.get("poison")

    assert {**dict.fromkeys([*names, "a"], 200), "poison": 404} == codes
    assert {ResourceName(CLUSTER, "poison")} == {rejected.key for rejected in stack.rejected}
    assert (seconds < 5, mended) == (True, 200)


async def test_added_and_removed_apis_never_fail() -> None:
    """M2, M4: while routes move between clusters that come and go, every request is answered by the backend."""
    async with running() as stack:
        codes: set[int] = set()
        moving = True

        async def ask() -> None:
            url = f"http://127.0.0.1:{await stack.port()}/"
            async with aiohttp.ClientSession(headers={SCOPE_HEADER: "a"}) as session:
                while moving:
                    async with session.get(url) as answer:
                        codes.add(answer.status)

        asking = asyncio.create_task(ask())
        for old, new in [("a", "b"), ("b", "c"), ("c", "a")] * 3:
            stack.publish(
                [cluster(new), endpoints(new, stack.backend_port), scope("a", new)],
                [ResourceName(CLUSTER, old), ResourceName(ENDPOINTS, old)],
            )
            await stack.in_step(10)
        moving = False
        await asking

    assert {200} == codes


async def test_restarted_control_plane_with_the_same_content_sends_nothing() -> None:
    """D1, D11: Envoy comes back with what it holds, and serves all the while."""
    async with running() as stack:
        before = stack.sent()
        await stack.server.stop(None)
        during = await stack.get("a")
        await stack.serve()
        stack.publish([])
        await until(lambda: bool(stack.service.statuses()), 20)
        await stack.in_step(10)
        after = await stack.get("a")

    assert (before, stack.sent()) == (4, 0)
    assert (during, after) == (200, 200)
