"""The discovery face over real HTTP, and API servers behind it that take mutual TLS.

In: API servers and registrations. Out: what a client of discovery is answered. Law: everything goes over real sockets,
and servers are asked with the front-proxy certificate.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import aiohttp
import orjson
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

KUBECTL = f"{AGGREGATED_CONTENT_TYPE},{AGGREGATED_CONTENT_TYPE.replace('v=v2', 'v=v2beta1')},application/json"


def _ship(version: str, resource: str = "ships") -> dict[str, object]:
    return {
        "resource": resource,
        "responseKind": {"group": "", "version": version, "kind": "Ship"},
        "scope": "Namespaced",
        "singularResource": resource.removesuffix("s"),
        "verbs": ["get", "list"],
    }


@dataclass
class ApiServer:
    """An API server behind TLS; one that is not `aggregated` refuses that form of discovery, one that `hangs` all."""

    groups: dict[str, list[str]]
    aggregated: bool = True
    refusal: int = 406
    hangs: bool = False
    resource: str = "ships"
    legacy_group: bool = False
    asked: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        """Answers one request."""
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


class FrontDoor:
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
        """Listens on a free port."""
        port = await self._listen(application(self.topology, self.documents, self.refresh.recheck_core), None)
        self._url = f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        """Stops the face and the servers behind it."""
        for runner in self._runners:
            await runner.cleanup()

    async def behind(self, name: str, server: ApiServer | None) -> Backend:
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
        status, _, body = await self.get(path, KUBECTL)
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
                MappingProxyType(dict(self._apis)),
                MappingProxyType(dict(self._backends)),
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
