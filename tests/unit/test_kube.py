"""The door to the Kubernetes client."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from pki import CertificateAuthority

from controlplane.cli import kubeconfig
from controlplane.kube import document, first_answer
from controlplane.model.credentials import KeyPair, Secret

Handler = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def front_door(folder: Path, handler: Handler) -> AsyncIterator[Path]:
    """A TLS server that asks for a client certificate; yields a kubeconfig for it."""
    authority = CertificateAuthority("test CA")
    certificate, key = authority.issue("server", ip_addresses=["127.0.0.1"])
    (folder / "server.pem").write_bytes(certificate + key)
    (folder / "ca.pem").write_bytes(authority.certificate)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(folder / "server.pem")
    application = web.Application()
    application.router.add_get("/version", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        user, user_key = authority.issue("admin")
        port = runner.addresses[0][1]
        users = {"admin": KeyPair(user, Secret(user_key))}
        path = folder / "kubeconfig"
        path.write_text(kubeconfig.render(f"https://127.0.0.1:{port}", authority.certificate, users))
        yield path
    finally:
        await runner.cleanup()


async def test_it_asks_until_it_is_answered(tmp_path: Path) -> None:
    """A front door that is not ready yet is asked again; the first 2xx ends the waiting."""
    statuses = [503, 404, 200]
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({}, status=statuses[len(asked) - 1])

    async with front_door(tmp_path, answer) as path:
        failure = await first_answer(path, "admin", "/version", scratch=tmp_path, pause=0, give_up_after=30)

    assert failure == ""
    assert asked == ["/version"] * 3


async def test_the_last_failure_is_told_in_words(tmp_path: Path) -> None:
    """When the time is over, the Status message of the last answer comes back."""

    async def refuse(_request: web.Request) -> web.Response:
        return web.json_response({"kind": "Status", "message": "no such\nAPI"}, status=503)

    async with front_door(tmp_path, refuse) as path:
        failure = await first_answer(path, "admin", "/version", scratch=tmp_path, pause=0.01, give_up_after=0.5)

    assert failure == "HTTP 503: no such API"


async def test_a_front_door_that_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    """A refused connection is a failure like any other, not an exception."""

    async def unheard(_request: web.Request) -> web.Response:
        return web.Response()

    async with front_door(tmp_path, unheard) as path:
        pass
    failure = await first_answer(path, "admin", "/version", scratch=tmp_path, pause=0.01, give_up_after=0.5)

    assert "Cannot connect to host 127.0.0.1" in failure


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [
        (200, '{"a": 1}', {"a": 1}),
        (200, "[1]", "the answer is no JSON object"),
        (200, "<html>", "the answer is no JSON object"),
        (403, '{"message": "you may not"}', "HTTP 403: you may not"),
    ],
)
async def test_a_document_is_an_object_or_a_sentence(status: int, text: str, said: object, tmp_path: Path) -> None:
    """Whatever the server answers, nothing is raised."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=text)

    async with front_door(tmp_path, answer) as path:
        assert said == await document(path, "/version", scratch=tmp_path)


async def test_a_document_of_nowhere_is_a_sentence(tmp_path: Path) -> None:
    """A server that is gone, a file that is not there, and one that is no kubeconfig."""

    async def unheard(_request: web.Request) -> web.Response:
        return web.Response()

    async with front_door(tmp_path, unheard) as path:
        pass
    (tmp_path / "empty").write_text("{}")

    gone, missing, empty = [
        await document(each, "/version", scratch=tmp_path) for each in (path, tmp_path / "none", tmp_path / "empty")
    ]

    assert "Cannot connect to host 127.0.0.1" in gone
    assert missing.startswith("the kubeconfig cannot be used (")
    assert empty.startswith("the kubeconfig cannot be used (")
