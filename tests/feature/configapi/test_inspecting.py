"""Status, proxies and explanations on the face of the config API: for those who have the right to them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import grpc
import pytest
from config_api import Api, Refused, rights
from explainers import THINGS

from controlplane.api.v1 import explain_pb2, status_pb2
from controlplane.model.proxy import ProxyState

Code = grpc.StatusCode
STATUS, EXPLAIN = "controlplane.api.v1.StatusService", "controlplane.api.v1.ExplainService"
QUESTION = explain_pb2.ExplainRequest(method="GET", target=THINGS, user=explain_pb2.User(name="dora"))
RESPONSES: Mapping[str, type[Any]] = {
    "GetStatus": status_pb2.GetStatusResponse,
    "ListProxies": status_pb2.ListProxiesResponse,
    "ConfirmRemovals": status_pb2.ConfirmRemovalsResponse,
    "Explain": explain_pb2.ExplainResponse,
}
REQUESTS: Mapping[str, Any] = {
    "GetStatus": status_pb2.GetStatusRequest(),
    "ListProxies": status_pb2.ListProxiesRequest(),
    "ConfirmRemovals": status_pb2.ConfirmRemovalsRequest(),
    "Explain": QUESTION,
}
RIGHTS = {
    "GetStatus": ("get", "statuses"),
    "ListProxies": ("list", "proxies"),
    "ConfirmRemovals": ("update", "removals"),
    "Explain": ("create", "explanations"),
}


def rule(verb: str, resource: str, *names: str) -> dict[str, Any]:
    """A rule about the control plane itself."""
    return {"verbs": [verb], "apiGroups": ["isthmus.dev"], "resources": [resource], "resourceNames": list(names)}


async def granted(api: Api, *rules: dict[str, Any]) -> None:
    """Gives alice these rights."""
    bodies = [json.dumps(body) for body in rights("r-alice", "alice", *rules)]
    done = await api.call("BatchApply", json=bodies, options={"field_manager": "test"})
    await api.in_force(done.revision)


def metadata(token: str) -> tuple[tuple[str, str], ...]:
    """A bearer token."""
    return (("authorization", f"Bearer {token}"),) if token else ()


async def ask(api: Api, method: str, token: str = "", request: Any = None) -> Any:  # noqa: ANN401 - a message
    """Does a call."""
    service = EXPLAIN if method == "Explain" else STATUS
    stub = api.channel.unary_unary(f"/{service}/{method}", response_deserializer=RESPONSES[method].FromString)
    sent = (request or REQUESTS[method]).SerializeToString()
    return await stub(sent, metadata=metadata(token), timeout=20)


async def refused(api: Api, method: str, token: str = "", request: Any = None) -> Refused:  # noqa: ANN401 - a message
    """Does a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await ask(api, method, token, request)
    return Refused(error.value)


async def test_the_owner_of_the_socket_is_told(api: Api) -> None:
    """Registrations, proxies, what becomes of a request, and that nothing waits to be confirmed."""
    api.proxies.connected = {"envoy": ProxyState.SYNCED}
    status, proxies = await ask(api, "GetStatus"), await ask(api, "ListProxies")
    explained, confirmed = await ask(api, "Explain"), await ask(api, "ConfirmRemovals")

    assert api.topology.value.generation == status.generation
    assert ["envoy"] == [proxy.node_id for proxy in proxies.proxies]
    assert 'User "dora" cannot list resource "things"' in explained.message.replace("things.a.io is forbidden: ", "")
    assert 0 == confirmed.streams


@pytest.mark.parametrize("method", RIGHTS)
async def test_each_is_a_right_of_its_own(method: str, api: Api) -> None:
    """With all other rights it is forbidden, with its own it is done; nobody has it unasked."""
    verb, resource = RIGHTS[method]
    await granted(api, *(rule(*other) for other in RIGHTS.values() if other != (verb, resource)))
    forbidden, unknown = await refused(api, method, "t-alice"), await refused(api, method, "t-nobody")
    await granted(api, rule(verb, resource))
    await ask(api, method, "t-alice")

    assert (Code.PERMISSION_DENIED, "Forbidden") == (forbidden.code, forbidden.info["reason"])
    assert f'User "alice" cannot {verb} resource "{resource}" in API group "isthmus.dev"' in forbidden.message
    assert Code.UNAUTHENTICATED == unknown.code


async def test_watching_proxies_is_not_listing_them(api: Api) -> None:
    """The right to list is not enough; with the verb watch changes are told."""

    def watch() -> grpc.aio.UnaryStreamCall:
        stub = api.channel.unary_stream(
            f"/{STATUS}/WatchProxies", response_deserializer=status_pb2.ListProxiesResponse.FromString
        )
        return stub(b"", metadata=metadata("t-alice"))

    await granted(api, rule("list", "proxies"))
    with pytest.raises(grpc.aio.AioRpcError, match='cannot watch resource "proxies"'):
        await watch().read()
    await granted(api, rule("watch", "proxies"))
    watching = watch()
    async with asyncio.timeout(20):
        before = await watching.read()
        api.proxies.connected = {"envoy": ProxyState.SYNCED}
        api.looking.set()
        after = await watching.read()
    watching.cancel()

    assert [0, 1] == [len(before.proxies), len(after.proxies)]


async def test_removals_may_be_confirmed_for_one_node_group(api: Api) -> None:
    """A right to a group by its name is none to another, nor to all."""
    await granted(api, rule("update", "removals", "edge"))
    await ask(api, "ConfirmRemovals", "t-alice", status_pb2.ConfirmRemovalsRequest(group="edge"))
    other = await refused(api, "ConfirmRemovals", "t-alice", status_pb2.ConfirmRemovalsRequest(group="inner"))
    everything = await refused(api, "ConfirmRemovals", "t-alice")

    assert 'cannot update resource "removals"' in other.message
    assert Code.PERMISSION_DENIED == everything.code


async def test_a_question_that_nobody_could_ask_is_the_clients_fault(api: Api) -> None:
    """With the sentence of the admin face."""
    no_method = await refused(api, "Explain", request=explain_pb2.ExplainRequest(method="LOOK", target="/"))

    assert (Code.INVALID_ARGUMENT, "BadRequest") == (no_method.code, no_method.info["reason"])
    assert "'LOOK' is no HTTP method" in no_method.message


async def test_garbage_is_the_clients_fault(api: Api) -> None:
    """As for the ConfigService."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await api.channel.unary_unary(f"/{STATUS}/ConfirmRemovals")(b"\xff\xff", timeout=20)

    assert Code.INVALID_ARGUMENT == error.value.code()
