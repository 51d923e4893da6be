"""One GET from a backend over mutual TLS."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiohttp import web
from pki import CertificateAuthority

from controlplane.discovery.client import BackendClient, Reply, Unreachable, backend_client
from controlplane.model.apiservice import ServiceReference
from controlplane.model.credentials import Credentials, KeyPair, Secret
from controlplane.model.topology import Backend, BackendKey, Endpoint

_NAME = "web.default.svc"
_NOBODY = Endpoint("127.0.0.1", 1)


@dataclass(frozen=True)
class _Pki:
    serving_ca: CertificateAuthority
    front_proxy_ca: CertificateAuthority
    credentials: Credentials


@pytest.fixture(scope="module")
def pki() -> _Pki:
    """An authority for backends, one for front proxies, and a front door's credentials."""
    front_proxy_ca = CertificateAuthority("front-proxy-ca")
    certificate, key = front_proxy_ca.issue("front-proxy-client", server=False)
    shown = KeyPair(certificate, Secret(key))
    return _Pki(CertificateAuthority("serving-ca"), front_proxy_ca, Credentials(shown, front_proxy=shown))


Serve = Callable[..., Awaitable[Endpoint]]


@pytest.fixture
async def serve(pki: _Pki, tmp_path: Path) -> AsyncIterator[Serve]:
    """Starts a backend that requires the front-proxy certificate and answers by a handler."""
    runners: list[web.AppRunner] = []

    async def start(handler: Callable[[web.Request], Awaitable[web.StreamResponse]], **leaf: object) -> Endpoint:
        certificate, key = pki.serving_ca.issue("backend", **({"dns_names": [_NAME]} | leaf))
        file = tmp_path / f"{len(runners)}.pem"
        file.write_bytes(certificate + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        context.load_verify_locations(cadata=pki.front_proxy_ca.certificate.decode())
        context.verify_mode = ssl.CERT_REQUIRED
        app = web.Application()
        app.router.add_get("/{path:.*}", handler)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
        runners.append(runner)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        return Endpoint("127.0.0.1", runner.addresses[0][1])

    yield start
    for runner in runners:
        await runner.cleanup()


@asynccontextmanager
async def _client(seconds: float = 10) -> AsyncIterator[BackendClient]:
    async with backend_client(seconds) as client:
        yield client


def _backend(pki: _Pki, *endpoints: Endpoint, trust: str = "bundle") -> Backend:
    bundle = pki.serving_ca.certificate if trust == "bundle" else b""
    return Backend(BackendKey(ServiceReference("default", "web"), trust), _NAME, endpoints, dns=False, ca_bundle=bundle)


async def _hello(_: web.Request) -> web.Response:
    return web.Response(text="hello", content_type="application/json", headers={"ETag": '"1"'})


async def test_a_backend_is_asked_as_the_aggregator(pki: _Pki, serve: Serve) -> None:
    """It sees the front-proxy certificate, the aggregator's identity and its own name as the host."""
    seen: list[web.Request] = []

    async def note(request: web.Request) -> web.Response:
        seen.append(request)
        peer = request.transport.get_extra_info("peercert") if request.transport else None
        assert peer["subject"] == ((("commonName", "front-proxy-client"),),)
        return await _hello(request)

    async with _client() as client:
        reply = await client.get(
            _backend(pki, await serve(note)), pki.credentials, "/apis", accept="application/json", etag='"0"'
        )

    assert reply == Reply(200, "application/json; charset=utf-8", '"1"', b"hello")
    assert {name: seen[0].headers[name] for name in ("Host", "X-Remote-User", "X-Remote-Group", "Accept")} == {
        "Host": _NAME,
        "X-Remote-User": "system:kube-aggregator",
        "X-Remote-Group": "system:masters",
        "Accept": "application/json",
    }
    assert seen[0].headers["If-None-Match"] == '"0"'


async def test_the_next_endpoint_is_tried_when_one_does_not_take_the_connection(pki: _Pki, serve: Serve) -> None:
    """One dead replica does not make the backend dead."""
    async with _client() as client:
        reply = await client.get(_backend(pki, _NOBODY, await serve(_hello)), pki.credentials, "/", accept="*/*")

    assert isinstance(reply, Reply)


async def test_a_refused_connection_is_a_reason_that_names_the_place(pki: _Pki) -> None:
    """Nothing is raised."""
    async with _client() as client:
        reply = await client.get(_backend(pki, _NOBODY), pki.credentials, "/", accept="*/*")

    assert isinstance(reply, Unreachable)
    assert reply.reason.startswith("127.0.0.1:1: ")


async def test_a_backend_without_endpoints_is_unreachable(pki: _Pki) -> None:
    """There is nobody to ask."""
    async with _client() as client:
        reply = await client.get(_backend(pki), pki.credentials, "/", accept="*/*")

    assert reply == Unreachable("there is no endpoint to connect to")


@pytest.mark.parametrize(
    "leaf",
    [
        {"dns_names": ["other.default.svc"]},
        {"dns_names": []},
        {"lifetime": datetime.timedelta(hours=-1)},
    ],
)
async def test_a_certificate_that_does_not_hold_is_refused(pki: _Pki, serve: Serve, leaf: dict[str, object]) -> None:
    """Another name, no name or an expired certificate is not the backend; without verification it is taken."""
    endpoint = await serve(_hello, **leaf)
    async with _client() as client:
        verified = await client.get(_backend(pki, endpoint), pki.credentials, "/", accept="*/*")
        insecure = await client.get(_backend(pki, endpoint, trust="insecure"), pki.credentials, "/", accept="*/*")

    assert isinstance(verified, Unreachable)
    assert "CERTIFICATE_VERIFY_FAILED" in verified.reason
    assert isinstance(insecure, Reply)


async def test_without_a_bundle_only_the_system_roots_are_trusted(pki: _Pki, serve: Serve) -> None:
    """No roots at all trust nobody."""
    backend = _backend(pki, await serve(_hello), trust="system")
    with_root = replace(pki.credentials, system_roots=pki.serving_ca.certificate)
    async with _client() as client:
        without = await client.get(backend, pki.credentials, "/", accept="*/*")
        trusted = await client.get(backend, with_root, "/", accept="*/*")

    assert (Unreachable, Reply) == (type(without), type(trusted))


async def test_without_a_front_proxy_certificate_the_backend_sees_none(pki: _Pki, serve: Serve) -> None:
    """A backend that requires one refuses; that is a reason, not an exception."""
    backend = _backend(pki, await serve(_hello))
    async with _client() as client:
        reply = await client.get(backend, replace(pki.credentials, front_proxy=None), "/", accept="*/*")

    assert isinstance(reply, Unreachable)


async def test_a_bundle_that_is_no_certificate_is_a_reason(pki: _Pki) -> None:
    """APIService does not validate what is in a caBundle."""
    backend = replace(_backend(pki, _NOBODY), ca_bundle=b"garbage")
    async with _client() as client:
        reply = await client.get(backend, pki.credentials, "/", accept="*/*")

    assert isinstance(reply, Unreachable)
    assert reply.reason.startswith("caBundle or the front-proxy certificate cannot be used")


async def test_a_redirect_is_not_followed(pki: _Pki, serve: Serve) -> None:
    """A backend cannot send the aggregator's identity anywhere."""

    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    async with _client() as client:
        reply = await client.get(_backend(pki, await serve(redirect)), pki.credentials, "/", accept="*/*")

    assert reply == Reply(302)


async def test_an_answer_that_does_not_come_is_given_up(pki: _Pki, serve: Serve) -> None:
    """The time limit covers everything."""

    async def hang(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with _client(seconds=0.05) as client:
        reply = await client.get(_backend(pki, await serve(hang)), pki.credentials, "/", accept="*/*")

    assert reply == Unreachable("no answer within 0.05 s")


async def test_an_answer_too_large_is_given_up(pki: _Pki, serve: Serve) -> None:
    """A backend cannot fill the control plane's memory."""

    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(64):
            await response.write(bytes(1 << 20))
        return response

    async with _client() as client:
        reply = await client.get(_backend(pki, await serve(flood)), pki.credentials, "/apis", accept="*/*")

    assert reply == Unreachable("the answer to /apis is larger than 16 MiB")


async def test_no_private_key_is_left_behind(
    pki: _Pki, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that OpenSSL reads the key from is gone when it was read."""
    folder = tmp_path / "keys"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    async with _client() as client:
        reply = await client.get(_backend(pki, await serve(_hello)), pki.credentials, "/", accept="*/*")

    assert isinstance(reply, Reply)
    assert list(folder.iterdir()) == []
