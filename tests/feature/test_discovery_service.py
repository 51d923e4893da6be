"""Discovery as clients see it: real backends over mutual TLS, asked and joined, served over HTTP."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import orjson
import pytest
from aiohttp import web
from pki import CertificateAuthority
from yarl import URL

from controlplane.aio import Watchable
from controlplane.discovery.documents import Documents
from controlplane.discovery.negotiate import AGGREGATED_CONTENT_TYPE
from controlplane.discovery.refresh import Refresh
from controlplane.discovery.service import application
from controlplane.model.apiservice import ApiService, Condition, ConditionStatus, GroupVersion, ServiceReference
from controlplane.model.credentials import Credentials, KeyPair, Secret
from controlplane.model.topology import Api, Backend, BackendKey, Endpoint, Topology, Touched

_KUBECTL = f"{AGGREGATED_CONTENT_TYPE},{AGGREGATED_CONTENT_TYPE.replace('v=v2', 'v=v2beta1')},application/json"

# Longer than anything but a hang takes on a busy machine, shorter than a backend is given to answer.
_PROMPT = 4.0


def _ship(version: str, resource: str = "ships") -> dict[str, object]:
    return {
        "resource": resource,
        "responseKind": {"group": "", "version": version, "kind": "Ship"},
        "scope": "Namespaced",
        "singularResource": resource.removesuffix("s"),
        "verbs": ["get", "list"],
    }


@dataclass
class _ApiServer:
    """An API server behind TLS; one that is not `aggregated` refuses that form of discovery, one that `hangs` all."""

    groups: dict[str, list[str]]
    aggregated: bool = True
    refusal: int = 406
    hangs: bool = False
    resource: str = "ships"
    legacy_group: bool = False
    asked: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        assert request.headers["X-Remote-User"] == "system:kube-aggregator"
        if self.hangs:
            await asyncio.Event().wait()
        match request.path.split("/")[1:]:
            case ["apis"]:
                return self._apis(request)
            case ["api"] if self.legacy_group:
                return self._list({"": ["v1"]}, request)
            case ["apis", group, version] if version in self.groups.get(group, ()):
                ship = {"name": self.resource, "namespaced": True, "kind": "Ship", "verbs": ["get", "list"]}
                return web.json_response({"kind": "APIResourceList", "resources": [ship]})
            case ["version"] if self.legacy_group:
                return web.json_response({"major": "1", "minor": "36", "gitVersion": "v1.36.3"})
            case ["openapi", "v3"]:
                paths = [f"apis/{group}/{version}" for group, versions in self.groups.items() for version in versions]
                index = {path: {"serverRelativeURL": f"/openapi/v3/{path}?hash=1"} for path in paths}
                return web.json_response({"paths": index})
        return web.Response(status=404)

    def _apis(self, request: web.Request) -> web.Response:
        return self._list(self.groups, request) if self.aggregated else web.Response(status=self.refusal)

    def _list(self, groups: dict[str, list[str]], request: web.Request) -> web.Response:
        items = [
            {
                "metadata": {"name": group},
                "versions": [
                    {"version": version, "resources": [_ship(version, self.resource)]} for version in versions
                ],
            }
            for group, versions in groups.items()
        ]
        etag = f'"{hash(str(items))}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304)
        body = orjson.dumps({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items})
        return web.Response(body=body, headers={"Content-Type": AGGREGATED_CONTENT_TYPE, "ETag": etag})


class _FrontDoor:
    """The discovery face, with servers behind it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._serving_ca = CertificateAuthority("serving-ca")
        self._front_proxy_ca = CertificateAuthority("front-proxy-ca")
        certificate, key = self._front_proxy_ca.issue("front-proxy-client", server=False)
        pair = KeyPair(certificate, Secret(key))
        self._credentials = Credentials(pair, front_proxy=pair)
        self._apis: dict[GroupVersion, Api] = {}
        self._backends: dict[BackendKey, Backend] = {}
        self._core: Backend | None = None
        self._runners: list[web.AppRunner] = []
        self._url = ""
        self.topology = Watchable(Topology())
        self.documents = Watchable(Documents())
        self.refresh = Refresh(self.topology, self.documents)

    async def start(self) -> None:
        port = await self._listen(application(self.topology, self.documents, self.refresh.recheck_core), None)
        self._url = f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        for runner in self._runners:
            await runner.cleanup()

    async def behind(self, name: str, server: _ApiServer | None) -> Backend:
        """Starts a server; None is one that refuses connections."""
        host = f"{name}.default.svc"
        port = 1
        if server is not None:
            app = web.Application()
            app.router.add_get("/{path:.*}", server.handle)
            port = await self._listen(app, self._context(host))
        key = BackendKey(ServiceReference("default", name), "bundle")
        endpoint = Endpoint("127.0.0.1", port)
        return Backend(key, host, (endpoint,), dns=False, ca_bundle=self._serving_ca.certificate)

    def register(self, backend: Backend, *names: str, priority: int = 1000) -> None:
        """Registers APIServices ("v1.a.io") with a backend."""
        self._backends[backend.key] = backend
        for name in names:
            version, _, group = name.partition(".")
            service = ApiService(GroupVersion(group, version), priority, 15, backend.key.service)
            self._apis[service.group_version] = Api(service, Condition(ConditionStatus.TRUE), backend.key)
        self._publish()

    def before(self, core: Backend) -> None:
        """Puts a core API server behind everything that is not registered."""
        self._core = core
        self._publish()

    async def get(
        self, path: str, accept: str = "", method: str = "GET", **headers: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of one answer, as they were sent."""
        sent = {"Accept": accept} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with (
            aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=["Accept-Encoding"]) as session,
            session.request(
                method, URL(self._url + path, encoded=True), headers=sent, allow_redirects=False
            ) as response,
        ):
            return response.status, response.headers, await response.read()

    async def discover(self, path: str = "/apis") -> dict[str, list[str]]:
        """What kubectl makes of aggregated discovery: resources by group-version, ["Stale"] for a stale one."""
        status, _, body = await self.get(path, _KUBECTL)
        assert status == 200
        return {
            f"{group['metadata']['name']}/{version['version']}": ["Stale"]
            if version["freshness"] == "Stale"
            else [resource["resource"] for resource in version.get("resources", ())]
            for group in orjson.loads(body)["items"]
            for version in group["versions"]
        }

    def _publish(self) -> None:
        self.topology.publish(
            Topology(
                self.topology.value.generation + 1,
                dict(self._apis),
                dict(self._backends),
                self._core,
                self._credentials,
                touched=Touched(all=True),
            )
        )

    async def _listen(self, app: web.Application, context: ssl.SSLContext | None) -> int:
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
        self._runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        port: int = runner.addresses[0][1]
        return port

    def _context(self, host: str) -> ssl.SSLContext:
        certificate, key = self._serving_ca.issue(host, dns_names=[host])
        file = self._folder / f"{host}.pem"
        file.write_bytes(certificate + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        context.load_verify_locations(cadata=self._front_proxy_ca.certificate.decode())
        context.verify_mode = ssl.CERT_REQUIRED
        return context


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[_FrontDoor]:
    """A front door with nothing registered yet."""
    door = _FrontDoor(tmp_path)
    refreshing = asyncio.create_task(door.refresh.run())
    await door.start()
    yield door
    refreshing.cancel()
    await asyncio.gather(refreshing, return_exceptions=True)
    await door.stop()


async def test_the_first_request_after_a_registration_has_its_resources(door: _FrontDoor) -> None:
    """Kubectl get works at once: the answer waits for a backend that was never asked."""
    door.register(await door.behind("web", _ApiServer({"a.io": ["v1", "v2"]})), "v1.a.io")

    assert await door.discover() == {"a.io/v1": ["ships"]}


async def test_a_group_version_that_the_backend_does_not_serve_has_no_resources(door: _FrontDoor) -> None:
    """It is listed and current: the backend was asked and did not mention it."""
    door.register(await door.behind("web", _ApiServer({"a.io": ["v1"]})), "v1.a.io", "v2.a.io")

    assert await door.discover() == {"a.io/v2": [], "a.io/v1": ["ships"]}


@pytest.mark.parametrize("refusal", [404, 406])
async def test_a_backend_with_legacy_discovery_only_is_listed_with_its_resources(
    door: _FrontDoor, refusal: int
) -> None:
    """Each of its group-versions is asked for by itself."""
    server = _ApiServer({"a.io": ["v1", "v2"]}, aggregated=False, refusal=refusal)
    door.register(await door.behind("web", server), "v1.a.io", "v2.a.io")

    assert await door.discover() == {"a.io/v2": ["ships"], "a.io/v1": ["ships"]}


async def test_a_dead_backend_is_stale_and_harms_no_other(door: _FrontDoor) -> None:
    """A refused connection is known at once."""
    door.register(await door.behind("dead", None), "v1.dead.io")
    door.register(await door.behind("web", _ApiServer({"a.io": ["v1"]})), "v1.a.io")

    assert await door.discover() == {"a.io/v1": ["ships"], "dead.io/v1": ["Stale"]}
    _, _, body = await door.get("/apis")
    assert [group["name"] for group in orjson.loads(body)["groups"]] == ["a.io", "dead.io"]


async def test_a_backend_that_never_answers_slows_nobody_down(door: _FrontDoor) -> None:
    """It is stale before its attempt ends, and later requests do not wait at all."""
    door.register(await door.behind("hanging", _ApiServer({}, hangs=True)), "v1.hanging.io")
    door.register(await door.behind("web", _ApiServer({"a.io": ["v1"]})), "v1.a.io")

    async with asyncio.timeout(_PROMPT):
        found = await door.discover()

    assert found == {"a.io/v1": ["ships"], "hanging.io/v1": ["Stale"]}


async def test_registered_groups_stand_among_the_cores_and_shadow_them(door: _FrontDoor) -> None:
    """Priorities place them; a registered version is the backend's, other versions of the group stay the core's."""
    core = _ApiServer({"apps": ["v1"], "shared.io": ["v2", "v1"]}, resource="cores", legacy_group=True)
    door.before(await door.behind("core", core))
    door.register(await door.behind("web", _ApiServer({"high.io": ["v1"]})), "v1.high.io", priority=19000)
    door.register(await door.behind("two", _ApiServer({"shared.io": ["v1"]})), "v1.shared.io")

    found = await door.discover()

    assert list(found.items()) == [
        ("high.io/v1", ["ships"]),
        ("apps/v1", ["cores"]),
        ("shared.io/v2", ["cores"]),
        ("shared.io/v1", ["ships"]),
    ]
    assert await door.discover("/api") == {"/v1": ["cores"]}
    _, _, version = await door.get("/version")
    assert orjson.loads(version)["gitVersion"] == "v1.36.3"


async def test_what_the_core_has_just_begun_to_serve_is_in_the_next_answer(door: _FrontDoor) -> None:
    """A client that made a CustomResourceDefinition finds its resources, and not a minute later."""
    core = _ApiServer({"apps": ["v1"]}, resource="cores")
    door.before(await door.behind("core", core))
    assert await door.discover() == {"apps/v1": ["cores"]}

    core.groups["crd.io"] = ["v1"]

    assert await door.discover() == {"apps/v1": ["cores"], "crd.io/v1": ["cores"]}


async def test_without_the_core_nothing_is_claimed(door: _FrontDoor) -> None:
    """A list without the core's groups would have clients act on it; they are told to come again."""
    door.register(await door.behind("web", _ApiServer({"a.io": ["v1"]})), "v1.a.io")
    door.before(await door.behind("core", None))

    status, headers, body = await door.get("/apis", _KUBECTL)

    assert (status, headers["Retry-After"], orjson.loads(body)["reason"]) == (503, "5", "ServiceUnavailable")


async def test_an_unchanged_document_is_not_sent_again(door: _FrontDoor) -> None:
    """The ETag that came with a document, and nothing like it, is answered with 304 and no body."""
    door.register(await door.behind("web", _ApiServer({"a.io": ["v1"]})), "v1.a.io")
    _, headers, body = await door.get("/apis", _KUBECTL)
    etag = headers["ETag"]

    assert (headers["Content-Type"], headers["Vary"], headers["Cache-Control"]) == (
        AGGREGATED_CONTENT_TYPE,
        "Accept",
        "public",
    )
    status, again, nothing = await door.get("/apis", _KUBECTL, If_None_Match=etag)
    assert (304, etag, b"") == (status, again["ETag"], nothing)
    assert (await door.get("/apis", _KUBECTL, If_None_Match=f"W/{etag}"))[::2] == (200, body)


async def test_a_new_registration_makes_a_new_document(door: _FrontDoor) -> None:
    """The old ETag no longer holds; the backend that did not change is not asked again."""
    first = _ApiServer({"a.io": ["v1"]})
    door.register(await door.behind("first", first), "v1.a.io")
    _, headers, _ = await door.get("/apis", _KUBECTL)
    door.register(await door.behind("second", _ApiServer({"b.io": ["v1"]})), "v1.b.io")

    status, _, _ = await door.get("/apis", _KUBECTL, If_None_Match=headers["ETag"])

    assert (status, first.asked.count("/apis")) == (200, 1)


async def test_a_large_document_is_compressed_for_who_takes_it(door: _FrontDoor) -> None:
    """From 128 KiB on, and only where Accept-Encoding allows."""
    versions = [f"v{number}" for number in range(1, 901)]
    door.register(
        await door.behind("web", _ApiServer({"a.io": versions})), *(f"{version}.a.io" for version in versions)
    )
    _, plain, body = await door.get("/apis", _KUBECTL, Accept_Encoding="identity")
    _, packed, compressed = await door.get("/apis", _KUBECTL, Accept_Encoding="gzip")

    assert (plain.get("Content-Encoding"), packed.get("Content-Encoding")) == (None, "gzip")
    assert gzip.decompress(compressed) == body


async def test_the_openapi_index_leads_to_the_backends(door: _FrontDoor) -> None:
    """It fills in as soon as the backend's own index was had."""
    door.register(await door.behind("web", _ApiServer({"a.io": ["v1", "v2"]})), "v1.a.io")
    expected = {"paths": {"apis/a.io/v1": {"serverRelativeURL": "/openapi/v3/apis/a.io/v1?hash=1"}}}

    async with asyncio.timeout(30):
        seen = door.documents.value
        while orjson.loads((await door.get("/openapi/v3"))[2]) != expected:
            seen = await door.documents.changed(seen)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", 200),
        ("/api", 200),
        ("/api/", 200),
        ("/apis", 200),
        ("/apis/", 200),
        ("/apis?timeout=32s", 200),
        ("/apis/a.io", 200),
        ("/apis/a.io/", 200),
        ("/version", 200),
        ("/healthz", 200),
        ("/livez", 200),
        ("/readyz", 200),
        ("/apis/b.io", 404),
        ("/apis/a%2Eio", 404),
        ("/apis//", 404),
        ("/elsewhere", 404),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_every_path_answers_and_no_other(door: _FrontDoor, path: str, method: str, expected: int) -> None:
    """HEAD is GET without the body."""
    door.register(await door.behind("web", _ApiServer({"a.io": ["v1"]})), "v1.a.io")

    status, headers, body = await door.get(path, method=method)

    assert expected == status
    assert bool(body) == (method == "GET")
    assert int(headers["Content-Length"]) > 0


@pytest.mark.parametrize(("path", "expected"), [("/livez", 200), ("/readyz", 503), ("/apis", 503)])
async def test_nothing_is_said_before_the_first_topology(door: _FrontDoor, path: str, expected: int) -> None:
    """Alive, not ready, and no list that could be taken for an empty one."""
    status, _, _ = await door.get(path)

    assert expected == status


async def test_a_defect_shows_nothing_of_itself(
    door: _FrontDoor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The client gets a Status, the log gets the rest."""

    def fail(*_: object) -> Callable[..., object]:
        raise RuntimeError("inner workings")

    monkeypatch.setattr("controlplane.discovery.service.respond", fail)
    door.register(await door.behind("web", _ApiServer({"a.io": ["v1"]})), "v1.a.io")

    status, _, body = await door.get("/apis")

    assert (status, orjson.loads(body)["reason"]) == (500, "InternalError")
    assert b"inner workings" not in body
    assert "inner workings" in capsys.readouterr().out
