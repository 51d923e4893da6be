"""Who may use the config API for what: the rights that count over HTTP, and who shows what."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from config_api import RBAC, SERVICE, Api, binding, reference, rights, role
from mtls import SERVER_NAME, Mtls
from pki import CertificateAuthority
from process import free_port
from prometheus_client import CollectorRegistry
from rpc_face import ignored

from controlplane.access import OWNER, RuledAccess
from controlplane.aio import Watchable
from controlplane.api.v1 import config_pb2
from controlplane.auth.ruling import Ruling
from controlplane.configapi.access import Caller
from controlplane.configuring import faces
from controlplane.faces import rpc
from controlplane.resources.status import Status
from controlplane.settings.face import Face
from controlplane.sources.layered import Layers
from controlplane.xds.service import server_options

Code = grpc.StatusCode
OPTIONS = {"field_manager": "test"}
TYPE = {"api_version": RBAC, "kind": "ClusterRole"}
MERGE = config_pb2.PatchRequest.FORM_MERGE
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "get": ("Get", {"reference": reference("ClusterRole", "a")}),
    "list": ("List", {"type": TYPE}),
    "create": ("Create", {"json": json.dumps(role("b"))}),
    "update": ("Replace", {"json": json.dumps(role("a"))}),
    "patch": ("Patch", {"reference": reference("ClusterRole", "a"), "form": MERGE, "json": "{}"}),
    "delete": ("Delete", {"reference": reference("ClusterRole", "a")}),
}


def _rule(*verbs: str, resources: tuple[str, ...] = ("clusterroles",)) -> dict[str, Any]:
    return {"verbs": list(verbs), "apiGroups": ["rbac.authorization.k8s.io"], "resources": list(resources)}


GARDEN = {"verbs": ["get"], "apiGroups": ["garden.io"], "resources": ["roses"]}


async def _granted(api: Api, *rules: dict[str, Any], user: str = "alice") -> None:
    bodies = [json.dumps(body) for body in rights(f"r-{user}", user, *rules)]
    done = await api.call("BatchApply", json=bodies, options=OPTIONS)
    await api.in_force(done.revision)


@pytest.mark.parametrize("verb", CALLS)
async def test_each_call_needs_its_verb(verb: str, api: Api) -> None:
    """With every other verb it is forbidden, in kube-apiserver's words; with its own it is done."""
    await api.apply(role("a"))
    await _granted(api, _rule(*CALLS.keys() - {verb}, "watch"), GARDEN)
    method, fields = CALLS[verb]
    refused = await api.refused(method, "t-alice", **fields)
    await _granted(api, _rule(verb), GARDEN)
    await api.call(method, "t-alice", **fields)

    assert Code.PERMISSION_DENIED == refused.code
    assert f'forbidden: User "alice" cannot {verb} resource "clusterroles" in API group' in refused.message
    assert refused.message.endswith("at the cluster scope")


async def test_a_watch_needs_its_verb(api: Api) -> None:
    """The right to list is not enough."""
    await _granted(api, _rule("list", "get"))
    with pytest.raises(grpc.aio.AioRpcError, match='User "alice" cannot watch resource "clusterroles"'):
        await api.watch("t-alice", type=TYPE).read()
    await _granted(api, _rule("watch"))
    watch = api.watch("t-alice", type=TYPE)

    assert config_pb2.WatchResponse.CHANGE_ADDED == (await watch.read()).change
    watch.cancel()


async def test_applying_what_is_not_there_is_creating(api: Api) -> None:
    """The right to patch does for what is there; a new object needs the right to create as well."""
    await api.apply(role("a"))
    await _granted(api, _rule("patch"), GARDEN)
    await api.apply(role("a"), token="t-alice")
    refused = await api.refused("Apply", "t-alice", json=json.dumps(role("b")), options=OPTIONS)
    await _granted(api, _rule("patch", "create"), GARDEN)
    await api.apply(role("b"), token="t-alice")

    assert 'User "alice" cannot create resource "clusterroles"' in refused.message


async def test_rights_end_at_their_namespace_and_name(api: Api) -> None:
    """A Role's rights hold in its namespace, a rule about names for those names."""
    rule = _rule("get", resources=("roles",))
    body = {"apiVersion": RBAC, "kind": "Role", "metadata": {"name": "r", "namespace": "a"}, "rules": [rule]}
    bound = binding("r", "Role", "r", "alice") | {"kind": "RoleBinding", "metadata": {"name": "r", "namespace": "a"}}
    named = rights("named", "alice", {**_rule("get"), "resourceNames": ["named"]})
    done = await api.call("BatchApply", json=[json.dumps(one) for one in (body, bound, *named)], options=OPTIONS)
    await api.in_force(done.revision)
    codes = [
        (await api.refused("Get", "t-alice", reference=one)).code
        for one in (reference("Role", "x", "a"), reference("Role", "r", "b"), reference("ClusterRole", "r-alice"))
    ]
    found = await api.call("Get", "t-alice", reference=reference("ClusterRole", "named"))

    assert [Code.NOT_FOUND, Code.PERMISSION_DENIED, Code.PERMISSION_DENIED] == codes
    assert "named" == found.reference.name


async def test_a_batch_is_refused_for_one_forbidden_object(api: Api) -> None:
    """And nothing of it is written."""
    await _granted(api, _rule("patch", "create"), GARDEN)
    before = await api.store.revision()
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 1}]}}
    bodies = [json.dumps(role("b")), json.dumps(service)]
    refused = await api.refused("BatchApply", "t-alice", json=bodies, options=OPTIONS)

    assert (Code.PERMISSION_DENIED, "1") == (refused.code, refused.info["index"])
    assert before == await api.store.revision()


async def test_nobody_gives_what_they_do_not_have(api: Api) -> None:
    """A role with more rights than its writer's is forbidden, naming the rights, until the writer may escalate."""
    await _granted(api, _rule("create", "patch"), GARDEN)
    wide = role("wide", "get", "list", "delete")
    refused = await api.refused("Create", "t-alice", json=json.dumps(wide))
    await api.call("Create", "t-alice", json=json.dumps(role("own")))
    await _granted(api, _rule("create", "escalate"), GARDEN)
    await api.call("Create", "t-alice", json=json.dumps(wide))

    assert Code.PERMISSION_DENIED == refused.code
    assert (
        'clusterroles.rbac.authorization.k8s.io "wide" is forbidden: user "alice" (groups=["system:authenticated"]) is '
        "attempting to grant RBAC permissions not currently held:\n"
        '{APIGroups:["garden.io"], Resources:["roses"], Verbs:["list" "delete"]}'
    ) == refused.message


async def test_nobody_binds_what_they_do_not_have(api: Api) -> None:
    """A binding to a role with more rights than its writer's is forbidden, until the writer may bind that role."""
    bindings = _rule("create", resources=("clusterrolebindings",))
    wide = await api.apply(role("wide", "*"))
    await api.in_force(wide.revision)
    await _granted(api, bindings, GARDEN)
    body = json.dumps(binding("b", "ClusterRole", "wide", "alice"))
    refused = await api.refused("Create", "t-alice", json=body)
    missing = json.dumps(binding("b", "ClusterRole", "none", "alice"))
    unknown = await api.refused("Create", "t-alice", json=missing)
    await _granted(api, bindings, {**_rule("bind"), "resourceNames": ["wide"]})
    await api.call("Create", "t-alice", json=body)

    assert Code.PERMISSION_DENIED == refused.code
    assert refused.message.endswith('{APIGroups:["garden.io"], Resources:["roses"], Verbs:["*"]}')
    assert (Code.NOT_FOUND, 'clusterroles.rbac.authorization.k8s.io "none" not found') == (
        unknown.code,
        unknown.message,
    )


async def test_an_aggregated_role_is_for_who_has_everything(api: Api) -> None:
    """It may come to mean anything."""
    await _granted(api, _rule("create"), GARDEN)
    body = role("all") | {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}}
    refused = await api.refused("Create", "t-alice", json=json.dumps(body))

    assert Code.PERMISSION_DENIED == refused.code
    assert '{NonResourceURLs:["*"], Verbs:["*"]}' in refused.message


async def test_only_the_sockets_owner_needs_no_credentials(api: Api) -> None:
    """Once others may open it, whoever shows nothing is anonymous; its first mode lets nobody else in."""
    mode = api.socket.stat().st_mode & 0o777
    api.socket.chmod(0o660)
    refused = await api.refused("List", type=TYPE)
    api.socket.chmod(0o600)
    await api.call("List", type=TYPE)

    assert 0o600 == mode
    assert Code.PERMISSION_DENIED == refused.code
    assert 'User "system:anonymous" cannot list' in refused.message


async def test_who_came_by_a_socket_that_is_gone_comes_again(api: Api) -> None:
    """A server that stops takes nobody for somebody else: whoever shows nothing is told to try again."""
    await api.call("List", type=TYPE)
    api.socket.unlink()
    gone = await api.refused("List", type=TYPE)
    known = await api.refused("List", "t-bob", type=TYPE)

    assert (Code.UNAVAILABLE, "ServiceUnavailable") == (gone.code, gone.info["reason"])
    assert 'User "bob" cannot list' in known.message


async def test_a_token_counts_on_the_owners_socket(api: Api) -> None:
    """Who shows one is its holder and nobody else; one that does not hold is refused."""
    forbidden = await api.refused("List", "t-bob", type=TYPE)
    unknown = await api.refused("List", "t-eve", type=TYPE)

    assert 'User "bob" cannot list' in forbidden.message
    assert (Code.UNAUTHENTICATED, "Unauthorized") == (unknown.code, unknown.message)


async def test_a_client_certificate_is_its_user(api: Api, tmp_path: Path) -> None:
    """Over TLS common name and organizations are the user and groups, if it is of the authority of users."""
    await _granted(api, GARDEN)
    mtls = Mtls(tmp_path)
    tls = {**mtls.tls(), "allowedNames": ["*"]}
    section = Face.model_validate({"listen": f"127.0.0.1:{free_port()}", "tls": tls})
    async with AsyncExitStack() as stack:
        parts = replace(api.parts(Layers((), {}, ignored)), registry=CollectorRegistry())
        [face] = await stack.enter_async_context(faces(section, api.store, parts))
        port = await stack.enter_async_context(rpc.listening(face, server_options(), lambda _: ignored))

        async def listed(name: str, *groups: str, issuer: CertificateAuthority = mtls.clients) -> object:
            certificate, key = issuer.issue(name, organizations=groups, server=False)
            chain = certificate if issuer is mtls.clients else certificate + issuer.certificate
            credentials = grpc.ssl_channel_credentials(mtls.planes.certificate, key, chain)
            options = [("grpc.ssl_target_name_override", SERVER_NAME)]
            async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
                try:
                    return await channel.unary_unary(f"/{SERVICE}/List")(
                        config_pb2.ListRequest(type=TYPE).SerializeToString(), timeout=20
                    )
                except grpc.aio.AioRpcError as error:
                    return error.code(), error.details()

        strange, _ = await listed("admin", "system:masters")
        api.believe(mtls.clients.certificate)
        assert isinstance(await listed("admin", "system:masters"), bytes)
        inner = CertificateAuthority("inner", mtls.clients)
        assert isinstance(await listed("admin", "system:masters", issuer=inner), bytes)
        code, message = await listed("carol", "devs")

    assert (Code.UNAUTHENTICATED, Code.PERMISSION_DENIED) == (strange, code)
    assert 'User "carol" cannot list' in message


async def test_who_may_impersonate_acts_as_another(api: Api) -> None:
    """As over HTTP, by metadata of the headers' names; who may not is refused."""
    listing = api.channel.unary_unary(f"/{SERVICE}/List")
    request = config_pb2.ListRequest(type=TYPE).SerializeToString()
    messages = []
    for token in ((), (("authorization", "Bearer t-bob"),)):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await listing(request, metadata=(("impersonate-user", "carol"), *token), timeout=20)
        messages.append(caught.value.details() or "")

    assert 'User "carol" cannot list resource "clusterroles"' in messages[0]
    assert 'User "bob" cannot impersonate' in messages[1]


async def test_who_calls_before_it_is_known_who_may_do_what_waits(api: Api) -> None:
    """As long as a start takes; after that the call is refused, and nobody is let in."""
    known = api.rulings.value
    rulings = Watchable[Ruling | None](None)
    caller = Caller("unix:")
    early = RuledAccess(rulings, api.socket)(caller)
    asked = asyncio.create_task(early.admit("GET", "/api"))
    await asyncio.sleep(0)
    waiting = not asked.done()
    rulings.publish(known)
    never = Watchable[Ruling | None](None)
    refused = await RuledAccess(never, api.socket, patience=0.01)(caller).admit("GET", "/api")

    assert waiting
    assert await asked == OWNER
    assert isinstance(refused, Status)
    assert (503, "ServiceUnavailable") == (refused.code, refused.reason)
