"""Servers behind a proxy that a kubeconfig names in proxy-url, over real connections."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from pki import CertificateAuthority
from proxy_servers import BASIC, PASSWORD, ConnectProxy, Proxy, SocksProxy
from review_server import NAME, ReviewServer, reply
from structlog.testing import capture_logs

from controlplane.auth.webhook.client import ReviewClient, Surroundings, opened
from controlplane.auth.webhook.kubeconfig import Connection, read_kubeconfig
from controlplane.auth.webhook.retry import Failure
from controlplane.egress.proxying import proxies
from controlplane.kube import document

PROXIES = pytest.mark.parametrize("kind", [ConnectProxy, SocksProxy])


def kubeconfig(server: ReviewServer, folder: Path, proxy_url: str, host: str = NAME) -> Path:
    """A kubeconfig for the server at a name, by default one that only proxies know; its certificate is for `NAME`."""
    cluster = {
        "server": f"https://{host}:{server.port}",
        "certificate-authority-data": base64.b64encode(server.authority.certificate).decode(),
        "tls-server-name": NAME,
        "proxy-url": proxy_url,
    }
    path = folder / "kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": cluster}],
                "users": [{"name": "u", "user": {"token": "t"}}],
            }
        )
    )
    return path


def connection_of(path: Path) -> Connection:
    """What the kubeconfig says."""
    return read_kubeconfig(path.read_text(), path, Path.read_bytes)


@asynccontextmanager
async def asking(connection: Connection, environment: dict[str, str]) -> AsyncIterator[ReviewClient]:
    """A client of a server."""
    surroundings = Surroundings(proxies=proxies(environment))
    async with opened() as session:
        yield ReviewClient(session, connection, surroundings, seconds=10, in_all=10)


@PROXIES
async def test_a_webhook_is_reached_through_the_proxy_of_its_kubeconfig(tmp_path: Path, kind: type[Proxy]) -> None:
    """It comes before that of the environment, and the name in tls-server-name is the one that is verified."""
    proxy, other = kind(), ConnectProxy()
    async with ReviewServer(tmp_path, reply({})) as server, proxy.serving(), other.serving():
        connection = connection_of(kubeconfig(server, tmp_path, proxy.url, "10.0.0.1"))
        async with asking(connection, {**other.environment, "NO_PROXY": "*"}) as client:
            answers = [await client.ask(b"{}", lambda body: [body], lambda *_: None) for _ in range(2)]

        assert len(server.requests) == 2
    assert [[b'{"status": {}}']] * 2 == answers
    assert ([(f"10.0.0.1:{server.port}", BASIC)], []) == (proxy.asked, other.asked)


@PROXIES
async def test_this_machine_is_asked_through_the_proxy_of_a_kubeconfig(tmp_path: Path, kind: type[Proxy]) -> None:
    """As in client-go: only a proxy of the environment is not for this machine."""
    proxy = kind()
    async with ReviewServer(tmp_path, reply({})) as server, proxy.serving():
        connection = connection_of(kubeconfig(server, tmp_path, proxy.url, "127.0.0.1"))
        async with asking(connection, {}) as client:
            await client.ask(b"{}", lambda body: [body], lambda *_: None)

        assert [(f"127.0.0.1:{server.port}", BASIC)] == proxy.asked


@pytest.mark.parametrize("proxy", [ConnectProxy(407), SocksProxy(password="another")], ids=["http", "socks5"])
async def test_a_proxy_that_refuses_is_told_without_its_password(tmp_path: Path, proxy: Proxy) -> None:
    """Neither the reason, nor the log, nor what was read of the kubeconfig shows it."""
    with capture_logs() as logs:
        async with ReviewServer(tmp_path, reply({})) as server, proxy.serving():
            path = kubeconfig(server, tmp_path, proxy.url)
            connection = connection_of(path)
            async with asking(connection, {}) as client:
                answer = await client.ask(b"{}", lambda body: [body], lambda *_: None)
            found = await document(path, "/version", scratch=tmp_path)

        assert server.requests == []
    assert isinstance(answer, Failure)
    assert "proxy" in answer.reason
    assert isinstance(found, str)
    told = f"{answer} {found} {logs} {connection}"
    assert not any(secret in told for secret in (PASSWORD, BASIC))


@PROXIES
async def test_a_cluster_is_asked_through_the_proxy_of_its_kubeconfig(tmp_path: Path, kind: type[Proxy]) -> None:
    """What a sidecar reads of its cluster comes the same way."""
    proxy = kind()
    async with ReviewServer(tmp_path, reply({})) as server, proxy.serving():
        found = await document(kubeconfig(server, tmp_path, proxy.url), "/version", scratch=tmp_path)

    assert found == {"status": {}}
    assert [(f"{NAME}:{server.port}", BASIC)] == proxy.asked


async def test_a_cluster_behind_a_proxy_of_another_kind_is_not_asked(tmp_path: Path) -> None:
    """The sentence says what to write, and holds nothing of the URL."""
    async with ReviewServer(tmp_path, reply({})) as server:
        path = kubeconfig(server, tmp_path, f"ftp://me:{PASSWORD}@127.0.0.1:1")
        found = await document(path, "/version", scratch=tmp_path)

    assert found == (
        "the kubeconfig cannot be used (cluster.proxy-url names a proxy that is none of http, https and socks5; write "
        "http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT)"
    )


@PROXIES
@pytest.mark.parametrize("wrong", ["authority", "name"])
async def test_whom_a_proxy_connects_to_is_verified(tmp_path: Path, kind: type[Proxy], wrong: str) -> None:
    """An unknown authority, or a certificate of another name, is no server, and nothing is asked of it."""
    proxy = kind()
    other = CertificateAuthority("other").certificate
    async with ReviewServer(tmp_path, reply({})) as server, proxy.serving():
        connection = connection_of(kubeconfig(server, tmp_path, proxy.url))
        changed = {"roots": other} if wrong == "authority" else {"server_name": "another.example.com"}
        async with asking(replace(connection, **changed), {}) as client:
            answer = await client.ask(b"{}", lambda body: [body], lambda *_: None)

        assert not server.requests
    assert isinstance(answer, Failure)
    assert "the server's certificate is not trusted" in answer.reason
