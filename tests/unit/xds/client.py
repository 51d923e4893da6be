"""Builders and a client for tests of the pure xDS machine; the client reads responses with protobuf."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse, DiscoveryResponse

from controlplane.model.resource import CLUSTER, ENDPOINTS, ROUTE, SCOPED_ROUTE, EnvoyResource, ResourceName
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.event import Event
from controlplane.xds.guard import ShrinkLimit
from controlplane.xds.quarantine import Quarantine
from controlplane.xds.request import DeltaRequest, Node, SotwRequest
from controlplane.xds.stream import Protocol, Stream

NODE = Node("envoy-1")
SHRINK_LIMIT = ShrinkLimit(percent=30, at_least=3, seconds=600)


@dataclass
class Answer:
    """A response as a client reads it: bodies by name, removed names."""

    type_url: str
    nonce: str
    resources: dict[str, bytes]
    removed: list[str] = field(default_factory=list)
    version: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> tuple[str, dict[str, bytes], list[str]]:
        """Everything but nonce and versions."""
        return self.type_url, self.resources, self.removed


class Client:
    """One stream seen from its client's end, with a clock that the test moves."""

    def __init__(self, snapshot: Snapshot, protocol: Protocol, **options: object) -> None:
        self.now = 100.0
        given = options.pop("quarantine", None)
        self.quarantine = Quarantine(shared=True) if given is None else given
        self.protocol = protocol
        self.stream = Stream(protocol, snapshot, self.quarantine, self.now, **options)

    def ask(self, type_url: str, subscribe: Iterable[str] = (), node: Node | None = NODE, **fields: object) -> None:
        """Sends a request; `subscribe` is the whole subscription where the state of the world is spoken."""
        if self.protocol is Protocol.DELTA:
            request = DeltaRequest(type_url, subscribe=tuple(subscribe), node=node, **fields)
        else:
            request = SotwRequest(type_url, names=tuple(subscribe), node=node, **fields)
        self.stream.receive(request, self.now)

    def ack(self, answer: Answer, subscribe: Iterable[str] = (), **fields: object) -> None:
        """Acknowledges a response."""
        self.ask(answer.type_url, subscribe, nonce=answer.nonce, **fields)

    def nack(self, answer: Answer, subscribe: Iterable[str] = (), reason: str = "bad", **fields: object) -> None:
        """Rejects a response."""
        self.ask(answer.type_url, subscribe, nonce=answer.nonce, error=reason, **fields)

    def offer(self, snapshot: Snapshot, *, compare: bool = False) -> None:
        """Publishes a snapshot to this stream."""
        self.stream.offer(snapshot, None if compare else snapshot.changes_from(self.stream.snapshot), self.now)

    def next(self) -> Answer | None:
        """The next response, or None."""
        response = self.stream.next_response(self.now)
        if response is None:
            return None
        if self.protocol is Protocol.DELTA:
            message = DeltaDiscoveryResponse.FromString(response.encode())
            resources = {entry.name: entry.resource.value for entry in message.resources}
            versions = {entry.name: entry.version for entry in message.resources}
            assert len(resources) == len(message.resources) == response.upserts
            removed = list(message.removed_resources)
            return Answer(message.type_url, message.nonce, resources, removed, versions=versions)
        message = DiscoveryResponse.FromString(response.encode())
        # The tests' state-of-the-world bodies are "NAME=CONTENT", for such a response names nothing.
        pairs = [entry.value.split(b"=") for entry in message.resources]
        resources = {name.decode(): b"=".join((name, *rest)) for name, *rest in pairs}
        return Answer(message.type_url, message.nonce, resources, version=message.version_info)

    def all(self) -> list[Answer]:
        """Every response until there is nothing to say."""
        answers = []
        while (answer := self.next()) is not None:
            answers.append(answer)
        return answers

    def settle(self, names: Callable[[str], Iterable[str]] = lambda _: ()) -> list[Answer]:
        """Acknowledges everything until there is nothing to say; `names` repeats a type's subscription."""
        answers = []
        while (answer := self.next()) is not None:
            answers.append(answer)
            self.ack(answer, names(answer.type_url))
        return answers

    def events(self, kind: type[Event]) -> list[Event]:
        """The events of one kind since the last call; the others are dropped."""
        return [event for event in self.stream.events() if isinstance(event, kind)]


@dataclass
class Build:
    """Makes resources and snapshots with few words."""

    @staticmethod
    def of(type_url: str, name: str, body: str = "1", references: Iterable[ResourceName] = ()) -> EnvoyResource:
        """A resource of any type; its body names it, as the client wants it."""
        return EnvoyResource(ResourceName(type_url, name), f"{name}={body}".encode(), references=frozenset(references))

    @staticmethod
    def cluster(name: str, body: str = "1") -> EnvoyResource:
        """A cluster whose load assignment has the same name."""
        return EnvoyResource(
            ResourceName(CLUSTER, name),
            f"{name}={body}".encode(),
            children=frozenset({ResourceName(ENDPOINTS, name)}),
        )

    @staticmethod
    def endpoints(name: str, body: str = "1") -> EnvoyResource:
        """A load assignment."""
        return Build.of(ENDPOINTS, name, body)

    @staticmethod
    def route(name: str, *clusters: str, body: str = "1", type_url: str = ROUTE) -> EnvoyResource:
        """A route to clusters."""
        return Build.of(type_url, name, body + ",".join(clusters), [ResourceName(CLUSTER, name) for name in clusters])

    @staticmethod
    def snapshot(*resources: EnvoyResource) -> Snapshot:
        """The first snapshot, of these."""
        return Snapshot().updated(resources)


build = Build()


def delta(snapshot: Snapshot, **options: object) -> Client:
    """Opens a delta stream on a snapshot."""
    return Client(snapshot, Protocol.DELTA, **options)


def sotw(snapshot: Snapshot, **options: object) -> Client:
    """Opens a state-of-the-world stream on a snapshot."""
    return Client(snapshot, Protocol.STATE_OF_THE_WORLD, **options)


def in_step(*types: str, **options: object) -> Client:
    """A delta client that holds cluster "a" with endpoints, and a scoped route "r" to it."""
    client = delta(build.snapshot(build.cluster("a"), build.endpoints("a"), scope("r", "a")), **options)
    for type_url in types or (CLUSTER, SCOPED_ROUTE):
        client.ask(type_url, ("a",) if type_url == ENDPOINTS else ())
    client.settle()
    return client


def scope(name: str, *clusters: str, body: str = "1") -> EnvoyResource:
    """A scoped route."""
    return build.route(name, *clusters, body=body, type_url=SCOPED_ROUTE)


def told(answers: list[Answer]) -> list[tuple[str, list[str], list[str]]]:
    """Types with the names sent and removed."""
    return [(answer.type_url, list(answer.resources), answer.removed) for answer in answers]


NAMES = tuple(f"c{number}" for number in range(10))


def world(*names: str) -> Snapshot:
    """Clusters of these names, and a scoped route to each."""
    return build.snapshot(*(build.cluster(name) for name in names), *(scope(f"to-{name}", name) for name in names))


def without(snapshot: Snapshot, *names: str) -> Snapshot:
    """The next snapshot, without these clusters and the routes to them."""
    gone = [key for name in names for key in (ResourceName(CLUSTER, name), ResourceName(SCOPED_ROUTE, f"to-{name}"))]
    return snapshot.updated([], gone)


def guarded(protocol: Callable[..., Client] = delta, **options: object) -> Client:
    """A client that holds ten clusters and their routes, and may lose three of ten within ten minutes."""
    client = protocol(world(*NAMES), **{"shrink_limit": SHRINK_LIMIT, **options})
    for type_url in (CLUSTER, SCOPED_ROUTE):
        client.ask(type_url)
    client.settle()
    client.stream.events()
    return client


def removed(client: Client) -> set[str]:
    """The names removed until there is nothing to say."""
    return {name for answer in client.settle() for name in answer.removed}
