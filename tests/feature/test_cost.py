"""What one more APIService costs, counted instead of timed: calls from the Change to the bytes of the responses."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType

from controlplane.model.apiservice import ApiService, GroupVersion, ServiceReference
from controlplane.model.change import CredentialsChanged, ObjectKey, Upsert
from controlplane.model.credentials import Credentials, KeyPair, Secret
from controlplane.model.resource import CLUSTER, ENDPOINTS, SCOPED_ROUTE
from controlplane.model.service import EndpointSlice, Service, ServiceName, ServicePort, SliceEndpoint, SlicePort
from controlplane.registry.store import Registry
from controlplane.settings.address import Address
from controlplane.snapshot.snapshot import Resource, Snapshot
from controlplane.translation.filters import Scripts
from controlplane.translation.listeners import FrontDoor
from controlplane.translation.translate import Translator, everything
from controlplane.xds.quarantine import Quarantine
from controlplane.xds.request import DeltaRequest, Node
from controlplane.xds.stream import Protocol, Stream

TRANSLATOR = Translator(
    FrontDoor(
        "127.0.0.1",
        8443,
        Scripts("-- verdicts", "-- scope", "-- arrival", "-- identity"),
        asks_for_client_certificates=True,
    ),
    authorization=Address.parse("unix:/run/authorization.sock"),
    discovery=Address.parse("unix:/run/discovery.sock"),
)
CREDENTIALS = CredentialsChanged(Credentials(KeyPair(b"chain", Secret(b"key")), b"", None, b"roots"))


def registered(number: int) -> list[Upsert]:
    """An APIService on a Service of its own with one endpoint."""
    name = ServiceName("default", f"backend-{number}")
    reference = ServiceReference("default", name.name, 443)
    api = ApiService(GroupVersion(f"g{number}.example.com", "v1"), 1000, 10, reference, b"CA")
    service = Service(name, cluster_ip="10.0.0.1", ports=(ServicePort("https", 443),))
    endpoint = SliceEndpoint((f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",))
    piece = EndpointSlice("default", name.name, name, "IPv4", (endpoint,), (SlicePort("https", 6443),))
    return [
        Upsert(ObjectKey("APIService", "", api.name), api),
        Upsert(ObjectKey("Service", "default", name.name), service),
        Upsert(ObjectKey("EndpointSlice", "default", name.name), piece),
    ]


class World:
    """A registry of some size, its snapshot, and one proxy that holds all of it."""

    def __init__(self, size: int) -> None:
        self._registry = Registry(dns_template="{name}.{namespace}.svc", core=None)
        topology = self._registry.apply([CREDENTIALS, *(change for n in range(size) for change in registered(n))])
        fixed, whole = TRANSLATOR.fixed(topology), TRANSLATOR.translate(topology, everything(topology))
        self.snapshot = Snapshot().updated((*fixed.upserts, *whole.upserts), ())
        self._stream = Stream(Protocol.DELTA, self.snapshot, Quarantine(), 0.0)
        for type_url, names in ((CLUSTER, ()), (ENDPOINTS, self.snapshot.table(ENDPOINTS)), (SCOPED_ROUTE, ())):
            request = DeltaRequest(type_url, node=Node("envoy", "edge"), subscribe=tuple(names))
            self._stream.receive(request, 0.0)
        self.sent()

    def add(self, number: int) -> list[bytes]:
        """Registers one more; returns the responses to the proxy."""
        topology = self._registry.apply(registered(number))
        translation = TRANSLATOR.translate(topology, topology.touched)
        previous, self.snapshot = self.snapshot, self.snapshot.updated(translation.upserts, translation.removals)
        self._stream.offer(self.snapshot, self.snapshot.changes_from(previous), 0.0)
        subscribe = DeltaRequest(ENDPOINTS, subscribe=(next(iter(self.snapshot.touched[ENDPOINTS])),))
        self._stream.receive(subscribe, 0.0)
        return self.sent()

    def sent(self) -> list[bytes]:
        """Takes and acknowledges every response."""
        messages = []
        while (response := self._stream.next_response(0.0)) is not None:
            messages.append(response.encode())
            self._stream.receive(DeltaRequest(response.type_url, nonce=response.nonce), 0.0)
        return messages


def counted(action: Callable[[], list[bytes]]) -> tuple[Counter[str], list[bytes]]:
    """How often messages were serialised, resources framed and functions of the package called; and the result."""
    calls: Counter[str] = Counter()

    def observe(frame: FrameType, happened: str, argument: object) -> None:
        if happened == "c_call" and getattr(argument, "__name__", "") == "SerializeToString":
            calls["serialised"] += 1
        elif happened == "call" and "controlplane" in frame.f_code.co_filename:
            calls["framed"] += frame.f_code is Resource.of.__func__.__code__
            calls["all"] += 1

    sys.setprofile(observe)
    try:
        return calls, action()
    finally:
        sys.setprofile(None)


def test_one_more_apiservice_serialises_what_it_adds() -> None:
    """At 10,000 as at 10: three resources are framed and sent, with not one call more, and all others are untouched."""
    small, large = World(10), World(10_000)
    before = large.snapshot
    at_small, _ = counted(lambda: small.add(10_000))
    at_large, messages = counted(lambda: large.add(10_000))

    reused = sum(
        large.snapshot.tables[type_url].get(name) is resource
        for type_url, table in before.tables.items()
        for name, resource in table.items()
    )

    assert at_large["framed"] == 3
    assert at_large["serialised"] > 0
    assert at_large == at_small
    assert len(messages) == 3
    assert reused == sum(len(table) for table in before.tables.values())
