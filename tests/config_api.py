"""A config API over real gRPC, with the store, folder and RBAC that belong to it, and proxies that a test plays.

In: a folder. Out: a face, and calls to it. Law: what is written is in force as soon as it would be in a control plane.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import yaml
from config_audit import AuditLog
from config_proxies import Proxies
from explainers import explainer
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from prometheus_client import CollectorRegistry
from rpc_face import ignored
from ruled import ruling

from controlplane.admin.reports import Reports
from controlplane.aio import Watchable
from controlplane.api.v1 import config_pb2
from controlplane.auth.authenticate import Anonymous, Authentication
from controlplane.auth.ruling import Ruling
from controlplane.auth.tokens import TokenTable
from controlplane.configapi.rollout import Rollouts
from controlplane.configapi.service import SERVICE
from controlplane.configuring import Parts, faces
from controlplane.faces import rpc
from controlplane.model.change import Change, CredentialsChanged, Reached
from controlplane.model.credentials import Credentials
from controlplane.model.identity import UserInfo
from controlplane.model.problem import Problem
from controlplane.model.topology import Topology
from controlplane.registry.store import Registry
from controlplane.settings.face import Face
from controlplane.sources import Source
from controlplane.sources.files import FilesSource
from controlplane.sources.layered import Layers
from controlplane.sources.stored import StoredSource
from controlplane.store import sqlite
from controlplane.store.interface import Store
from controlplane.xds.service import server_options

# Which message a call answers with is for the test to know.
Answer = Any
RBAC = "rbac.authorization.k8s.io/v1"
USERS = {"t-alice": UserInfo("alice"), "t-bob": UserInfo("bob", groups=("devs",))}
PATIENCE = 10.0
CALLS: Mapping[str, tuple[type[Any], type[Any]]] = {
    "Apply": (config_pb2.ApplyRequest, config_pb2.WriteResponse),
    "BatchApply": (config_pb2.BatchApplyRequest, config_pb2.BatchApplyResponse),
    "Create": (config_pb2.CreateRequest, config_pb2.WriteResponse),
    "Replace": (config_pb2.ReplaceRequest, config_pb2.WriteResponse),
    "Patch": (config_pb2.PatchRequest, config_pb2.WriteResponse),
    "Delete": (config_pb2.DeleteRequest, config_pb2.WriteResponse),
    "Get": (config_pb2.GetRequest, config_pb2.Object),
    "List": (config_pb2.ListRequest, config_pb2.ListResponse),
}


class Api:
    """A running face; calls without `token` are those of the socket's owner."""

    def __init__(self, channel: grpc.aio.Channel, store: Store, folder: Path, socket: Path) -> None:
        self.channel = channel
        self.store = store
        self.folder = folder
        self.socket = socket
        self.proxies = Proxies()
        self.reached: Watchable[int] = Watchable(0)
        self.registry = Registry(dns_template="{name}.{namespace}.svc", core=None)
        self.rulings: Watchable[Ruling | None] = Watchable(None)
        self.topology: Watchable[Topology] = Watchable(Topology())
        self.looking = asyncio.Event()
        self.metrics = CollectorRegistry()
        self.audit = AuditLog()
        self.problems: dict[str, tuple[Problem, ...]] = {}

    async def call(self, method: str, token: str = "", **fields: object) -> Answer:
        """Does a call."""
        request, response = CALLS[method]
        stub = self.channel.unary_unary(
            f"/{SERVICE}/{method}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        return await stub(request(**fields), metadata=_metadata(token), timeout=60)

    def watch(self, token: str = "", **fields: object) -> grpc.aio.UnaryStreamCall:
        """Begins a watch."""
        stub = self.channel.unary_stream(
            f"/{SERVICE}/Watch",
            request_serializer=config_pb2.WatchRequest.SerializeToString,
            response_deserializer=config_pb2.WatchResponse.FromString,
        )
        return stub(config_pb2.WatchRequest(**fields), metadata=_metadata(token))

    async def apply(
        self, body: Mapping[str, Any], *, token: str = "", force: bool = False, **options: object
    ) -> Answer:
        """Applies an object, as the field manager "test" unless told otherwise."""
        given = {"field_manager": "test", **options}
        return await self.call("Apply", token, json=json.dumps(body), force=force, options=given)

    async def refused(self, method: str, token: str = "", **fields: object) -> Refused:
        """Does a call that must fail."""
        try:
            answer = await self.call(method, token, **fields)
        except grpc.aio.AioRpcError as error:
            return Refused(error)
        raise AssertionError(f"{method} was not refused: {answer}")

    def believe(self, authority: bytes) -> None:
        """Makes an authority (PEM) that of users."""
        policy = self.registry.apply([CredentialsChanged(Credentials(None, client_ca=authority))]).policy
        self.rulings.publish(ruling(policy, AUTHENTICATION, time.time))

    async def in_force(self, revision: int) -> None:
        """Returns when a write has its consequences."""
        async with asyncio.timeout(PATIENCE):
            reached = self.reached.value
            while reached < revision:
                reached = await self.reached.changed(reached)

    def parts(self, layers: Layers) -> Parts:
        """What a face of this API joins; watches look again whenever `looking` is set."""
        reports = Reports(
            topology=self.topology,
            problems=lambda: [problem for found in self.problems.values() for problem in found],
            connected=self.proxies.all,
            epoch=lambda: 0.0,
            pause=self._looked,
        )
        return Parts(
            rulings=self.rulings,
            manifests=layers,
            rollouts=Rollouts(self.reached, self.proxies.awaiting, self.proxies.all),
            reports=reports,
            answer=explainer().explain,
            registry=self.metrics,
            recorder=self.audit.recorder,
        )

    async def _looked(self) -> None:
        await self.looking.wait()
        self.looking.clear()

    async def run(self, sources: tuple[Source, ...]) -> None:
        """The pipeline, but for what is for Envoy."""
        queue: asyncio.Queue[tuple[Change, ...]] = asyncio.Queue()

        async def pump(source: Source) -> None:
            async for batch in source.changes():
                queue.put_nowait(tuple(batch))

        async with asyncio.TaskGroup() as tasks:
            for source in sources:
                tasks.create_task(pump(source))
            while True:
                batch = await queue.get()
                topology = self.registry.apply(batch)
                self.topology.publish(topology)
                self.rulings.publish(ruling(topology.policy, AUTHENTICATION, time.time))
                for change in batch:
                    if isinstance(change, Reached):
                        self.reached.publish(change.revision)


class Refused:
    """How a call failed."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self.code = error.code()
        self.message = error.details() or ""
        raw = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
        self.status = status_pb2.Status.FromString(raw if isinstance(raw, bytes) else raw.encode())

    @property
    def info(self) -> dict[str, str]:
        """The reason, and what helps to go on."""
        found = self._detail(error_details_pb2.ErrorInfo())
        return {"reason": found.reason, "domain": found.domain, **found.metadata}

    @property
    def fields(self) -> dict[str, str]:
        """What is wrong with each field."""
        found = self._detail(error_details_pb2.BadRequest())
        return {violation.field: violation.description for violation in found.field_violations}

    @property
    def holders(self) -> dict[str, str]:
        """Who holds which field."""
        found = self._detail(error_details_pb2.PreconditionFailure())
        return {violation.subject: violation.description for violation in found.violations}

    def _detail(self, message: Answer) -> Answer:
        for detail in self.status.details:
            if detail.Unpack(message):
                return message
        return message


AUTHENTICATION = Authentication(TokenTable(b"k" * 32, USERS), anonymous=Anonymous(enabled=True))


@asynccontextmanager
async def serving(root: Path) -> AsyncIterator[Api]:
    """A face on a Unix socket below `root`, with a database and a folder of manifests there."""
    folder, socket = root / "manifests", root / "config.sock"
    folder.mkdir(exist_ok=True)
    async with AsyncExitStack() as stack:
        database = root / "isthmus.db"
        store = await stack.enter_async_context(
            sqlite.opened(database, ignored, backups=root / "backups", mark_seconds=0.05)
        )
        channel = grpc.aio.insecure_channel(f"unix:{socket}", [("grpc.use_local_subchannel_pool", 1)])
        api = Api(channel, store, folder, socket)
        section = Face.model_validate({"listen": f"unix:{socket}"})

        def report(problems: tuple[Problem, ...]) -> None:
            api.problems["layers"] = problems

        layers = Layers((FilesSource(folder, ignored), StoredSource(store, ignored)), {}, report)
        [face] = await stack.enter_async_context(faces(section, store, api.parts(layers)))
        running = asyncio.create_task(api.run(layers.sources))
        stack.callback(running.cancel)
        await stack.enter_async_context(rpc.listening(face, server_options(), lambda _: ignored))
        stack.push_async_callback(channel.close)
        await api.in_force(1)
        yield api


def wait(seconds: float) -> Duration:
    """How long to wait for proxies."""
    return Duration(seconds=int(seconds), nanos=round((seconds - int(seconds)) * 1e9))


def role(name: str, *verbs: str, kind: str = "ClusterRole", **metadata: object) -> dict[str, Any]:
    """A role about roses; a Role is in the namespace default."""
    return {
        "apiVersion": RBAC,
        "kind": kind,
        "metadata": {"name": name, **metadata},
        "rules": [{"verbs": list(verbs or ("get",)), "apiGroups": ["garden.io"], "resources": ["roses"]}],
    }


def reference(kind: str, name: str, namespace: str = "", api_version: str = RBAC) -> dict[str, Any]:
    """An object of a kind of RBAC, unless told otherwise."""
    return {"type": {"api_version": api_version, "kind": kind}, "namespace": namespace, "name": name}


def secret(name: str, **data: str) -> dict[str, Any]:
    """A Secret in the namespace default."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def rights(name: str, subject: str, *rules: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A ClusterRole and its binding to a user."""
    return [
        {"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": name}, "rules": list(rules)},
        binding(name, "ClusterRole", name, subject),
    ]


def binding(name: str, kind: str, role_name: str, subject: str) -> dict[str, Any]:
    """A ClusterRoleBinding of a user."""
    return {
        "apiVersion": RBAC,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role_name},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": subject}],
    }


def write(folder: Path, name: str, *objects: Mapping[str, Any]) -> None:
    """Writes manifests by renaming."""
    temporary = folder.parent / f"{name}.tmp"
    temporary.write_text(yaml.safe_dump_all(objects))
    temporary.rename(folder / name)


def _metadata(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),) if token else ()
