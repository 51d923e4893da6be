"""Fixtures of the demo API server's tests.

In: nothing. Out: certificates, a server that has them, a front proxy's client. Law: everything started is stopped.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from catalog_server import Client, Pki, Running, running
from pki import CertificateAuthority
from servicecatalog.server import ServerOptions


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """A serving certificate, the front-proxy CA, and clients with and without its certificates."""
    folder = tmp_path_factory.mktemp("pki")
    serving, front_proxy, stranger = (CertificateAuthority(name) for name in ("serving", "front-proxy", "stranger"))

    def saved(name: str, pem: bytes) -> Path:
        path = folder / name
        path.write_bytes(pem)
        return path

    def pair(name: str, authority: CertificateAuthority, common_name: str) -> tuple[Path, Path]:
        certificate, key = authority.issue(common_name, ip_addresses=["127.0.0.1"])
        return saved(f"{name}.pem", certificate), saved(f"{name}.key", key)

    def client(name: str, authority: CertificateAuthority, common_name: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(serving_ca))
        context.load_cert_chain(*pair(name, authority, common_name))
        return context

    serving_ca = saved("serving-ca.pem", serving.certificate)
    cert_file, key_file = pair("server", serving, "servicecatalog")
    return Pki(
        options=ServerOptions(
            address="127.0.0.1",
            port=0,
            cert_file=cert_file,
            key_file=key_file,
            client_ca_file=saved("front-proxy-ca.pem", front_proxy.certificate),
            allowed_names=frozenset({"front-proxy-client"}),
            watch_history=5,
        ),
        proxy=client("proxy", front_proxy, "front-proxy-client"),
        other_name=client("other-name", front_proxy, "someone-else"),
        other_ca=client("other-ca", stranger, "front-proxy-client"),
        no_certificate=ssl.create_default_context(cafile=str(serving_ca)),
    )


@pytest.fixture
async def api(pki: Pki) -> AsyncIterator[Running]:
    """A server with the module's certificates."""
    async with running(pki, pki.options) as server:
        yield server


@pytest.fixture
def client(api: Running) -> Client:
    """The front proxy's client."""
    return api.client
