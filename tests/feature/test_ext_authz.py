from __future__ import annotations

import time
from collections.abc import AsyncIterator
from types import MappingProxyType
from urllib.parse import quote

import grpc
import orjson
import pytest
from envoy.service.auth.v3 import external_auth_pb2
from pki import CertificateAuthority
from prometheus_client import CollectorRegistry
from ruled import ruling

from controlplane.aio import Watchable
from controlplane.auth.authenticate import Anonymous, Authentication
from controlplane.auth.metrics import AuthorizationMetrics
from controlplane.auth.service import Checks, handlers
from controlplane.auth.tokens import load_tokens
from controlplane.model.credentials import ClientAuthorities
from controlplane.model.policy import Policy
from controlplane.model.rbac import BindingKey, PolicyRule, Role, RoleBinding, RoleKey, Subject

TOKENS = """\
t-alice,alice,u1,"dev,qa"
t-root,root,u0,system:masters
"""
READER = Role(RoleKey("", "reader"), (PolicyRule(("get", "list"), ("a.io",), ("things",)),))
PUBLIC = Role(RoleKey("", "public"), (PolicyRule(("get",), non_resource_urls=("/version",)),))
BINDINGS = (
    RoleBinding(BindingKey("", "dev"), READER.key, (Subject("Group", "dev"),)),
    RoleBinding(BindingKey("", "comma"), READER.key, (Subject("Group", "team a, team b"),)),
    RoleBinding(BindingKey("", "public"), PUBLIC.key, (Subject("Group", "system:unauthenticated"),)),
)
CLIENTS = CertificateAuthority("clients")
POLICY = Policy(
    1,
    MappingProxyType({role.key: role for role in (READER, PUBLIC)}),
    MappingProxyType({binding.key: binding for binding in BINDINGS}),
    authorities=ClientAuthorities(users=CLIENTS.certificate),
)
THINGS = "/apis/a.io/v1/namespaces/n/things"
ALICE = ("authorization", "Bearer t-alice")
ROOT = ("authorization", "Bearer t-root")

Check = grpc.aio.UnaryUnaryMultiCallable[external_auth_pb2.CheckRequest, external_auth_pb2.CheckResponse]


@pytest.fixture
async def check() -> AsyncIterator[Check]:
    """The Check method of a served Authorization service."""
    table, _ = load_tokens(TOKENS, "tokens.csv", b"k" * 32)
    checks = Checks(
        Watchable(ruling(POLICY, Authentication(table, anonymous=Anonymous(enabled=True)), time.time)),
        clock=time.time,
        timer=time.perf_counter,
        metrics=AuthorizationMetrics(CollectorRegistry()),
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(handlers(lambda request, _: checks.answer(request)))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel.unary_unary(
            "/envoy.service.auth.v3.Authorization/Check",
            request_serializer=external_auth_pb2.CheckRequest.SerializeToString,
            response_deserializer=external_auth_pb2.CheckResponse.FromString,
        )
    await server.stop(None)


def request(
    *headers: tuple[str, str],
    path: str = THINGS,
    method: str = "GET",
    certificate: bytes = b"",
    verified: bool | None = None,
) -> external_auth_pb2.CheckRequest:
    """A CheckRequest as Envoy makes it with encode_raw_headers and include_peer_certificate."""
    made = external_auth_pb2.CheckRequest()
    http = made.attributes.request.http
    http.method, http.path = method, path
    lines = [(":method", method), (":path", path), (":authority", "localhost"), *headers]
    for name, value in lines:
        http.header_map.headers.add(key=name, raw_value=value.encode())
    made.attributes.source.certificate = quote(certificate.decode(), safe="")
    if verified is not None:
        metadata = made.attributes.metadata_context.filter_metadata["isthmus.tls"]
        metadata.update({"client_certificate_verified": verified})
    return made


def identity(response: external_auth_pb2.CheckResponse) -> list[tuple[str, str]]:
    """The header lines of an allowing answer."""
    assert response.status.code == 0
    assert response.WhichOneof("http_response") == "ok_response"
    flat = [value.string_value for value in response.dynamic_metadata.fields["identity"].list_value.values]
    return list(zip(flat[::2], flat[1::2], strict=True))


def refusal(response: external_auth_pb2.CheckResponse) -> tuple[int, str]:
    """The code and message of a denying answer."""
    assert response.status.code != 0
    assert response.WhichOneof("http_response") == "denied_response"
    body = orjson.loads(response.denied_response.body)
    assert body["kind"] == "Status"
    assert body["code"] == response.denied_response.status.code
    return body["code"], body["message"]


async def test_every_group_is_an_entry_of_its_own(check: Check) -> None:
    """Two groups and system:authenticated make three x-remote-group lines in the dynamic metadata."""
    response = await check(request(ALICE))

    expected = [
        ("x-remote-user", "alice"),
        ("x-remote-uid", "u1"),
        ("x-remote-group", "dev"),
        ("x-remote-group", "qa"),
        ("x-remote-group", "system:authenticated"),
    ]
    assert expected == identity(response)


async def test_an_allowing_answer_changes_nothing_but_metadata(check: Check) -> None:
    """The OK response itself is empty: no header is set or removed by ext_authz."""
    response = await check(request(ALICE))

    assert response.ok_response.SerializeToString() == b""
    assert list(response.dynamic_metadata.fields) == ["identity"]


async def test_a_comma_in_a_group_survives(check: Check) -> None:
    """A group with a comma, shown in a certificate, stays one group for RBAC and for the backend."""
    certificate, _ = CLIENTS.issue("carol", organizations=["team a, team b"])

    response = await check(request(certificate=certificate, verified=True))

    groups = [value for name, value in identity(response) if name == "x-remote-group"]
    assert groups == ["team a, team b", "system:authenticated"]


async def test_a_certificate_carries_its_credential_id(check: Check) -> None:
    """The credential-id of a certificate is one x-remote-extra line with an escaped, lower-case name."""
    certificate, _ = CLIENTS.issue("carol", organizations=["dev"])

    response = await check(request(certificate=certificate, verified=True))

    name, value = identity(response)[-1]
    assert name == "x-remote-extra-authentication.kubernetes.io%2fcredential-id"
    assert value.startswith("X509SHA256=")


@pytest.mark.parametrize("verified", [None, False])
async def test_a_forged_certificate_is_unauthorized(check: Check, verified: bool | None) -> None:
    """A certificate Envoy did not verify is a 401, although anonymous requests are allowed here."""
    certificate, _ = CertificateAuthority("evil").issue("root", organizations=["system:masters"])

    response = await check(request(path="/version", certificate=certificate, verified=verified))

    assert refusal(response) == (401, "Unauthorized")


@pytest.mark.parametrize(
    "forged",
    [
        ("x-remote-user", "root"),
        ("x-remote-group", "system:masters"),
        ("x_remote_group", "system:masters"),
        ("X-Remote-Group", "dev"),
        ("x-isthmus-identity", "root"),
        ("x-forwarded-client-cert", "Subject=\"CN=root,O=system:masters\""),
    ],
)  # fmt: skip
async def test_forged_identity_headers_never_count(check: Check, forged: tuple[str, str]) -> None:
    """An identity header that a client sends neither lets in nobody nor adds to the identity of anybody."""
    anonymous = await check(request(forged))
    alice = await check(request(ALICE, forged))
    plain = await check(request(ALICE))

    message = (
        'things.a.io is forbidden: User "system:anonymous" cannot list resource "things" in API group "a.io"'
        ' in the namespace "n"'
    )
    assert (403, message) == refusal(anonymous)
    assert identity(plain) == identity(alice)


@pytest.mark.parametrize(
    ("headers", "method", "path", "code"),
    [
        ((), "GET", "/version", 0),
        ((), "GET", THINGS, 403),
        ((ALICE,), "GET", THINGS, 0),
        ((ALICE,), "GET", f"{THINGS}/t", 0),
        ((ALICE,), "GET", f"{THINGS}?watch=1", 403),
        ((ALICE,), "DELETE", f"{THINGS}/t", 403),
        ((ALICE,), "GET", "/version", 403),
        ((ROOT,), "DELETE", "/api/v1/nodes", 0),
        ((("authorization", "Bearer nobody"),), "GET", "/version", 401),
        ((ALICE,), "GET", "/apis/%61.io/v1/things", 400),
        ((ALICE,), "GET", f"{THINGS}/..", 400),
        ((ALICE,), "GET", "/apis/a.io/v1/watch", 500),
        ((ROOT, ("impersonate-user", "alice"), ("impersonate-group", "dev")), "GET", THINGS, 0),
        ((ROOT, ("impersonate-user", "alice")), "DELETE", "/api/v1/nodes", 403),
        ((ALICE, ("impersonate-user", "root")), "GET", THINGS, 403),
        ((ALICE, ("impersonate-group", "x")), "GET", THINGS, 400),
    ],
)
async def test_requests_are_answered_as_an_api_server_answers_them(
    check: Check, headers: tuple[tuple[str, str], ...], method: str, path: str, code: int
) -> None:
    """Each kind of request gets its code: 0 allowed, 400 unsafe, 401 unknown, 403 not allowed, 500 unreadable."""
    response = await check(request(*headers, method=method, path=path))

    if code:
        assert code == refusal(response)[0]
    else:
        assert identity(response)


async def test_a_refusal_is_json_and_must_not_be_sniffed(check: Check) -> None:
    """A 403 carries its content type and nosniff."""
    response = await check(request())

    headers = {option.header.key: option.header.value for option in response.denied_response.headers}
    assert headers == {
        "content-type": "application/json",
        "cache-control": "no-cache, private",
        "x-content-type-options": "nosniff",
    }
