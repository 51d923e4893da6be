"""The demo API server over real TLS: who gets in, what they get, and how watches behave."""

import asyncio
import io
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest
import servicecatalog
from multidict import CIMultiDictProxy
from pki import CertificateAuthority
from servicecatalog.schemas import JsonObject, JsonValue
from servicecatalog.server import Server, ServerOptions

ROOT = "/apis/servicecatalog.k8s.io/v1beta1"
BROKERS = f"{ROOT}/clusterservicebrokers"
INSTANCES = f"{ROOT}/namespaces/default/serviceinstances"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
DISCOVERY_V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
BROKER: JsonObject = {"metadata": {"name": "demo", "labels": {"app": "x"}}, "spec": {"url": "https://b"}}
INSTANCE: JsonObject = {
    "apiVersion": "servicecatalog.k8s.io/v1beta1",
    "kind": "ServiceInstance",
    "metadata": {"name": "one"},
    "spec": {"clusterServiceClassName": "c", "clusterServicePlanName": "p"},
}


@dataclass(frozen=True, slots=True)
class Pki:
    """The files of a server, and a TLS context for each kind of client."""

    options: ServerOptions
    proxy: ssl.SSLContext
    other_name: ssl.SSLContext
    other_ca: ssl.SSLContext
    no_certificate: ssl.SSLContext


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


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that has been read: code, headers and text."""

    code: int
    headers: CIMultiDictProxy[str]
    text: str

    @property
    def json(self) -> JsonValue:
        """The body as JSON."""
        return json.loads(self.text)

    def header(self, name: str) -> str:
        """One header; empty when it is absent."""
        return self.headers.get(name, "")


class Client:
    """A front proxy that calls as alice, a member of two groups."""

    def __init__(self, session: aiohttp.ClientSession, context: ssl.SSLContext) -> None:
        """Use a session whose base address is the server."""
        self._session = session
        self._context = context

    async def call(
        self,
        method: str,
        path: str,
        body: JsonValue = None,
        *,
        content_type: str = "application/json",
        headers: tuple[tuple[str, str], ...] = (("X-Remote-User", "alice"),),
        **more: str,
    ) -> Answer:
        """One request; `more` are further headers, with underscores for hyphens."""
        sent = [*headers, *((key.replace("_", "-"), value) for key, value in more.items())]
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        if data is not None:
            sent.append(("Content-Type", content_type))
        async with self._session.request(
            method,
            path,
            data=None if data is None else io.BytesIO(data),
            headers=sent,
            ssl=self._context,
            allow_redirects=False,
        ) as response:
            return Answer(response.status, response.headers, await response.text())

    @asynccontextmanager
    async def watch(self, path: str, **headers: str) -> AsyncIterator["Events"]:
        """An open watch, once its headers have arrived."""
        sent = {"X-Remote-User": "alice", **headers}
        async with self._session.get(path, headers=sent, ssl=self._context) as response:
            assert response.status == 200
            yield Events(response)


class Events:
    """The events of one watch."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        """Read from an open response."""
        self._response = response

    async def next(self) -> JsonValue:
        """The next event."""
        async with asyncio.timeout(5):
            return json.loads(await self._response.content.readline())

    async def ends(self) -> bool:
        """Whether nothing follows and the response ends."""
        async with asyncio.timeout(5):
            return await self._response.content.readline() == b""


@dataclass(frozen=True, slots=True)
class Running:
    """A running server, a front proxy's client of it, and what it has audited."""

    server: Server
    session: aiohttp.ClientSession
    client: Client
    audited: list[JsonObject]

    def calling_with(self, context: ssl.SSLContext) -> Client:
        """A client with another TLS context."""
        return Client(self.session, context)


@asynccontextmanager
async def running(pki: Pki, options: ServerOptions) -> AsyncIterator[Running]:
    """A server on a free port, stopped at the end."""
    audited: list[JsonObject] = []
    server = Server(options, audit=audited.append)
    port = await server.start()
    try:
        async with aiohttp.ClientSession(base_url=f"https://127.0.0.1:{port}") as session:
            yield Running(server, session, Client(session, pki.proxy), audited)
    finally:
        await server.stop()


@pytest.fixture
async def api(pki: Pki) -> AsyncIterator[Running]:
    """A server with the module's certificates."""
    async with running(pki, pki.options) as server:
        yield server


@pytest.fixture
def client(api: Running) -> Client:
    """The front proxy's client."""
    return api.client


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


async def test_an_object_lives_from_creation_to_deletion(client: Client) -> None:
    """Create, get, list, update, patch and delete work on one object."""
    created = await client.call("POST", INSTANCES, INSTANCE)
    moved = {**created.json, "spec": {**INSTANCE["spec"], "parameters": {"size": 1}}}
    updated = await client.call("PUT", f"{INSTANCES}/one", moved)
    merge = {"metadata": {"labels": {"a": "b"}}}
    merged = await client.call("PATCH", f"{INSTANCES}/one", merge, content_type="application/merge-patch+json")
    operations = [{"op": "remove", "path": "/metadata/labels/a"}]
    patched = await client.call("PATCH", f"{INSTANCES}/one", operations, content_type="application/json-patch+json")
    everywhere = await client.call("GET", f"{ROOT}/serviceinstances")
    deleted = await client.call("DELETE", f"{INSTANCES}/one")
    gone = await client.call("GET", f"{INSTANCES}/one")

    assert [one.code for one in (created, updated, merged, patched)] == [201, 200, 200, 200]
    assert created.json["metadata"]["namespace"] == "default"
    assert (updated.json["metadata"]["generation"], merged.json["metadata"]["labels"]) == (2, {"a": "b"})
    assert everywhere.json["kind"] == "ServiceInstanceList"
    assert everywhere.json["items"] == [patched.json]
    assert (deleted.json["status"], deleted.json["details"]["name"]) == ("Success", "one")
    assert (gone.code, gone.json["reason"]) == (404, "NotFound")


async def test_apply_creates_from_yaml_and_reports_conflicts(client: Client) -> None:
    """Server-side apply reads YAML, creates with 201, and answers another manager's value with 409."""
    mine = b"apiVersion: servicecatalog.k8s.io/v1beta1\nkind: ClusterServiceBroker\nspec: {url: https://a}\n"
    theirs = mine.replace(b"https://a", b"https://b")
    media = "application/apply-patch+yaml"
    created = await client.call("PATCH", f"{BROKERS}/demo?fieldManager=me", mine, content_type=media)
    again = await client.call("PATCH", f"{BROKERS}/demo?fieldManager=me", mine, content_type=media)
    refused = await client.call("PATCH", f"{BROKERS}/demo?fieldManager=you", theirs, content_type=media)
    forced = await client.call("PATCH", f"{BROKERS}/demo?fieldManager=you&force=true", theirs, content_type=media)

    assert (created.code, again.code) == (201, 200)
    assert again.json == created.json
    assert refused.code == 409
    assert [cause["field"] for cause in refused.json["details"]["causes"]] == [".spec.url"]
    assert forced.json["spec"]["url"] == "https://b"


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


async def test_a_list_comes_as_a_table_or_as_metadata(client: Client) -> None:
    """The Accept header decides the form of lists and objects."""
    await client.call("POST", BROKERS, BROKER)
    listed = await client.call("GET", BROKERS, Accept=TABLE)
    one = await client.call("GET", f"{BROKERS}/demo?includeObject=None", Accept=TABLE)
    partial = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    metadata = await client.call("GET", BROKERS, Accept=partial)

    assert listed.json["kind"] == "Table"
    assert listed.json["rows"][0]["cells"][:3] == ["demo", "https://b", "Pending"]
    assert listed.json["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert "object" not in one.json["rows"][0]
    assert metadata.json["kind"] == "PartialObjectMetadataList"
    assert "spec" not in metadata.json["items"][0]


async def test_a_collection_is_deleted_by_selector(client: Client) -> None:
    """What a deletecollection removes is listed in its answer."""
    await client.call("POST", BROKERS, BROKER)
    await client.call("POST", BROKERS, {"metadata": {"name": "kept"}, "spec": {"url": "u"}})
    removed = await client.call("DELETE", f"{BROKERS}?labelSelector=app%3Dx")
    left = await client.call("GET", BROKERS)

    assert [one["metadata"]["name"] for one in removed.json["items"]] == ["demo"]
    assert [one["metadata"]["name"] for one in left.json["items"]] == ["kept"]


async def test_discovery_is_served_in_both_forms(client: Client) -> None:
    """The aggregated document carries an ETag that is honoured; the legacy documents are there too."""
    aggregated = await client.call("GET", "/apis", Accept=f"{DISCOVERY_V2},application/json")
    tag = aggregated.header("ETag")
    unchanged = await client.call("GET", "/apis", Accept=DISCOVERY_V2, If_None_Match=tag)
    groups = await client.call("GET", "/apis")
    group = await client.call("GET", "/apis/servicecatalog.k8s.io")
    resources = await client.call("GET", ROOT)

    assert aggregated.header("Content-Type") == DISCOVERY_V2
    assert aggregated.json["kind"] == "APIGroupDiscoveryList"
    assert (unchanged.code, unchanged.text) == (304, "")
    assert [one.json["kind"] for one in (groups, group, resources)] == ["APIGroupList", "APIGroup", "APIResourceList"]


async def test_openapi_is_addressed_by_its_hash(client: Client) -> None:
    """The address of the index is immutable, a stale one is redirected, and none is checked each time."""
    index = await client.call("GET", "/openapi/v3")
    address = index.json["paths"]["apis/servicecatalog.k8s.io/v1beta1"]["serverRelativeURL"]
    document = await client.call("GET", address)
    stale = await client.call("GET", "/openapi/v3/apis/servicecatalog.k8s.io/v1beta1?hash=OLD")
    plain = await client.call("GET", "/openapi/v3/apis/servicecatalog.k8s.io/v1beta1")

    assert document.json["openapi"] == "3.0.0"
    assert "immutable" in document.header("Cache-Control")
    assert (stale.code, stale.header("Location")) == (301, address)
    assert plain.text == document.text
    assert "immutable" not in plain.header("Cache-Control")


async def test_a_watch_sends_its_headers_before_any_event(client: Client) -> None:
    """An idle watch is open at once, and the first event follows the first write."""
    async with client.watch(f"{BROKERS}?watch=true") as events:
        await client.call("POST", BROKERS, BROKER)
        event = await events.next()

    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "demo")


async def test_a_watch_tells_each_change_once(client: Client) -> None:
    """From a list's version on, creation, change and removal arrive in order."""
    listed = await client.call("GET", BROKERS)
    version = listed.json["metadata"]["resourceVersion"]
    async with client.watch(f"{BROKERS}?watch=1&resourceVersion={version}") as events:
        await client.call("POST", BROKERS, BROKER)
        change = {"spec": {"url": "https://c"}}
        await client.call("PATCH", f"{BROKERS}/demo", change, content_type="application/merge-patch+json")
        await client.call("DELETE", f"{BROKERS}/demo")
        told = [await events.next() for _ in range(3)]

    assert [event["type"] for event in told] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in told]
    assert versions == sorted(set(versions))


async def test_a_watch_comes_as_tables(client: Client) -> None:
    """Each event holds a Table of one row; only the first has column definitions."""
    await client.call("POST", BROKERS, BROKER)
    await client.call("POST", BROKERS, {**BROKER, "metadata": {"name": "second"}})
    async with client.watch(f"{BROKERS}?watch=true", Accept=TABLE) as events:
        told = [await events.next() for _ in range(2)]

    assert [event["object"]["kind"] for event in told] == ["Table", "Table"]
    assert [event["object"]["rows"][0]["cells"][0] for event in told] == ["demo", "second"]
    assert [bool(event["object"]["columnDefinitions"]) for event in told] == [True, False]


async def test_a_watch_list_ends_its_state_with_a_bookmark(client: Client) -> None:
    """The state comes first, then the annotated bookmark, then live events."""
    await client.call("POST", BROKERS, BROKER)
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    async with client.watch(f"{BROKERS}?{query}") as events:
        state, end = await events.next(), await events.next()
        await client.call("DELETE", f"{BROKERS}/demo")
        live = await events.next()

    assert [one["type"] for one in (state, end, live)] == ["ADDED", "BOOKMARK", "DELETED"]
    assert end["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_an_idle_watch_gets_bookmarks(pki: Pki) -> None:
    """A client that asks for bookmarks gets one per interval, with a version to go on from."""
    async with running(pki, replace(pki.options, bookmark_interval=0.01)) as api:
        listed = await api.client.call("GET", BROKERS)
        async with api.client.watch(f"{BROKERS}?watch=1&allowWatchBookmarks=true") as events:
            told = [await events.next() for _ in range(2)]

    version = listed.json["metadata"]["resourceVersion"]
    assert [event["type"] for event in told] == ["BOOKMARK", "BOOKMARK"]
    assert [event["object"]["metadata"]["resourceVersion"] for event in told] == [version, version]


async def test_a_version_too_old_ends_the_watch_with_an_error(client: Client) -> None:
    """A watch from before the window gets 410 as an ERROR event, and ends."""
    async with client.watch(f"{BROKERS}?watch=1&resourceVersion=1") as events:
        event = await events.next()

        assert await events.ends()
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


async def test_a_watch_ends_when_its_time_is_over(client: Client) -> None:
    """The parameter timeoutSeconds bounds a watch."""
    async with client.watch(f"{BROKERS}?watch=1&timeoutSeconds=1") as events:
        assert await events.ends()


async def test_stopping_the_server_ends_its_watches(api: Running) -> None:
    """A stopping server closes open watches cleanly, within two seconds."""
    async with api.client.watch(f"{BROKERS}?watch=1") as events, asyncio.timeout(2):
        await api.server.stop()

        assert await events.ends()


async def test_a_watch_is_audited_at_its_start_and_end(api: Running) -> None:
    """The log shows an open watch before it ends."""
    async with api.client.watch(f"{BROKERS}?watch=1&timeoutSeconds=1") as events:
        started = [event["stage"] for event in api.audited]
        await events.ends()
    await api.client.call("GET", "/version")

    assert started == ["ResponseStarted"]
    watched = [event for event in api.audited if event["verb"] == "watch"]
    assert [event["stage"] for event in watched] == ["ResponseStarted", "ResponseComplete"]


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


@pytest.fixture
def command(pki: Pki, tmp_path: Path) -> tuple[list[str], dict[str, str], Path]:
    """The command line of a server on a free port, its environment, and its audit log."""
    log = tmp_path / "audit.log"
    flags = {
        "--secure-port": "0",
        "--tls-cert-file": pki.options.cert_file,
        "--tls-private-key-file": pki.options.key_file,
        "--requestheader-client-ca-file": pki.options.client_ca_file,
        "--requestheader-allowed-names": "front-proxy-client,another",
        "--audit-log-path": log,
    }
    package = Path(servicecatalog.__file__).parents[1]
    arguments = [sys.executable, "-m", "servicecatalog", *(str(part) for flag in flags.items() for part in flag)]
    return arguments, {**os.environ, "PYTHONPATH": str(package)}, log


async def test_the_command_serves_until_it_is_told_to_stop(
    command: tuple[list[str], dict[str, str], Path], pki: Pki
) -> None:
    """`python -m servicecatalog` prints its address, serves, audits to a file, and stops on SIGTERM within 2 s."""
    arguments, environment, log = command
    process = await asyncio.create_subprocess_exec(*arguments, env=environment, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            line = (await process.stdout.readline()).decode().strip()
        address = line.removeprefix("serving servicecatalog.k8s.io/v1beta1 on ")
        async with aiohttp.ClientSession(base_url=address) as session:
            client = Client(session, pki.proxy)
            async with client.watch(f"{BROKERS}?watch=1") as events:
                process.send_signal(signal.SIGTERM)
                async with asyncio.timeout(2):
                    assert await events.ends()
                    code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert address.startswith("https://127.0.0.1:")
    assert code == 0
    stages = [json.loads(entry)["stage"] for entry in log.read_text().splitlines()]
    assert stages == ["ResponseStarted", "ResponseComplete"]
