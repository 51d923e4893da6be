"""The demo API server over real TLS: who gets in, and what the audit log says of them."""

from __future__ import annotations

import aiohttp
import pytest
from catalog_server import BROKERS, INSTANCES, Client, Pki, Running


async def test_only_the_front_proxy_is_let_in(api: Running, pki: Pki) -> None:
    """Without a certificate of the front-proxy CA the handshake fails; with another name the answer is 401."""
    for context in (pki.no_certificate, pki.other_ca):
        with pytest.raises(aiohttp.ClientError):
            await api.calling_with(context).call("GET", BROKERS)
    refused = await api.calling_with(pki.other_name).call("GET", BROKERS)

    assert (refused.code, refused.json["kind"], refused.json["reason"]) == (401, "Status", "Unauthorized")


async def test_a_request_without_a_user_is_unauthorized(client: Client) -> None:
    """The certificate alone names nobody."""
    refused = await client.call("GET", BROKERS, headers=())

    assert (refused.code, refused.json["message"]) == (401, "Unauthorized")


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
async def test_health_needs_no_user(api: Running, pki: Pki, path: str) -> None:
    """Any holder of a front-proxy certificate may ask for health."""
    answer = await api.calling_with(pki.other_name).call("GET", path, headers=())

    assert (answer.code, answer.text) == (200, "ok")


async def test_the_audit_log_shows_who_called(api: Running) -> None:
    """Each group line is one group, extra keys are decoded, and the audit ID comes back."""
    headers = (
        ("X-Remote-User", "alice"),
        ("X-Remote-Uid", "42"),
        ("X-Remote-Group", "a,b"),
        ("X-Remote-Group", "c"),
        ("X-Remote-Extra-Example.com%2FScope", "one"),
    )
    answer = await api.client.call("GET", f"{INSTANCES}/one", headers=headers, Audit_ID="my-id")
    event = api.audited[-1]

    assert event["user"] == {
        "username": "alice",
        "uid": "42",
        "groups": ["a,b", "c"],
        "extra": {"example.com/scope": ["one"]},
    }
    assert (event["verb"], event["auditID"], event["responseStatus"]["code"]) == ("get", "my-id", 404)
    assert event["objectRef"]["resource"] == "serviceinstances"
    assert event["requestURI"] == f"{INSTANCES}/one"
    assert answer.header("Audit-Id") == "my-id"
