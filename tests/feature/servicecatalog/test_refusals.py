"""The demo API server over real TLS: how it answers what it does not do."""

from __future__ import annotations

import pytest
from catalog_server import BROKERS, INSTANCE, ROOT, Client, Pki, running
from servicecatalog.schemas import JsonValue


@pytest.mark.parametrize(
    ("method", "path", "body", "content_type", "code"),
    [
        ("GET", "/", None, "", 404),
        ("GET", "/api", None, "", 404),
        ("GET", f"{ROOT}/nothing", None, "", 404),
        ("PUT", BROKERS, {}, "application/json", 405),
        ("POST", f"{ROOT}/serviceinstances", INSTANCE, "application/json", 405),
        ("POST", "/version", {}, "application/json", 405),
        ("POST", BROKERS, b"{", "application/json", 400),
        ("POST", BROKERS, b"x" * (3 * 1024 * 1024 + 1), "application/json", 413),
        ("POST", BROKERS, b"{}", "text/plain", 415),
        ("POST", BROKERS, {"metadata": {"name": "B"}, "spec": {"url": "u"}}, "application/json", 422),
        ("POST", BROKERS, INSTANCE, "application/json", 400),
        ("PATCH", f"{BROKERS}/demo", {}, "application/strategic-merge-patch+json", 415),
        ("PATCH", f"{BROKERS}/nope", {}, "application/merge-patch+json", 404),
        ("GET", f"{BROKERS}?labelSelector=a%20in", None, "", 400),
        ("GET", f"{BROKERS}?limit=x", None, "", 400),
        ("DELETE", f"{BROKERS}/demo", {"kind": "Pod"}, "application/json", 400),
    ],
)
async def test_a_refusal_is_a_status(
    client: Client, method: str, path: str, body: JsonValue, content_type: str, code: int
) -> None:
    """Whatever is wrong with a request, the answer is a Status object with the same code."""
    answer = await client.call(method, path, body, content_type=content_type)

    assert answer.code == code
    assert (answer.json["kind"], answer.json["code"], answer.json["status"]) == ("Status", code, "Failure")


async def test_a_broken_content_encoding_is_a_bad_request(client: Client) -> None:
    """A body that is not the gzip it says it is is 400."""
    answer = await client.call("POST", BROKERS, b"not gzip", Content_Encoding="gzip")

    assert answer.code == 400


async def test_what_the_client_cannot_read_is_not_acceptable(client: Client) -> None:
    """Only JSON is written."""
    for path in (BROKERS, "/apis", "/version", "/openapi/v3"):
        answer = await client.call("GET", path, Accept="application/yaml")

        assert (answer.code, answer.json["reason"]) == (406, "NotAcceptable")


async def test_unknown_fields_follow_the_field_validation(client: Client) -> None:
    """Strict refuses, Warn warns, Ignore is silent; the field is never stored."""
    body = {"metadata": {"generateName": "x-"}, "spec": {"url": "u", "urrl": "v"}}
    strict = await client.call("POST", f"{BROKERS}?fieldValidation=Strict", body)
    warned = await client.call("POST", f"{BROKERS}?fieldValidation=Warn", body)
    silent = await client.call("POST", f"{BROKERS}?fieldValidation=Ignore", body)

    assert strict.code == 400
    assert 'strict decoding error: unknown field "spec.urrl"' in strict.json["message"]
    assert warned.header("Warning") == '299 - "unknown field \\"spec.urrl\\""'
    assert (silent.code, silent.header("Warning")) == (201, "")
    assert "urrl" not in warned.json["spec"]


async def test_an_unexpected_failure_tells_the_client_nothing(
    pki: Pki, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any other exception is a 500 Status with the audit ID, and one log line."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the secret of the day")

    monkeypatch.setattr("servicecatalog.handlers.collections.list_page", broken)
    async with running(pki, pki.options) as api:
        answer = await api.client.call("GET", BROKERS, Audit_ID="my-id")

    assert (answer.code, answer.json["reason"]) == (500, "InternalError")
    assert "secret" not in answer.text
    assert "my-id" in answer.text
    errors = [record.name for record in caplog.records if record.levelname == "ERROR"]
    assert errors == ["servicecatalog.handlers.front"]
