"""What one changed APIService costs Python, from the Change to the framed bytes of the response, at 10 and at 10,000.

In: nothing. Out: medians in milliseconds and their ratio; the last line is one JSON object. Law: both sizes are
measured in turn in the same process, on the same objects.

Run by `make bench`, or: python benchmarks/pipeline.py [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

from controlplane.model.apiservice import ApiService, GroupVersion, ServiceReference
from controlplane.model.change import CredentialsChanged, ObjectKey, Upsert
from controlplane.model.credentials import Credentials, KeyPair, Secret
from controlplane.model.resource import CLUSTER, ENDPOINTS, SCOPED_ROUTE
from controlplane.model.service import EndpointSlice, Service, ServiceName, ServicePort, SliceEndpoint, SlicePort
from controlplane.registry.store import Registry
from controlplane.settings.address import Address
from controlplane.snapshot.snapshot import Snapshot
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


def objects_of(number: int) -> list[Upsert]:
    """An APIService on a Service of its own with one endpoint."""
    name = ServiceName("default", f"backend-{number}")
    api = ApiService(
        GroupVersion(f"g{number}.example.com", "v1"), 1000, 10, ServiceReference("default", name.name, 443), b"CA"
    )
    service = Service(name, cluster_ip="10.0.0.1", ports=(ServicePort("https", 443),))
    endpoint = SliceEndpoint((f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",))
    piece = EndpointSlice("default", name.name, name, "IPv4", (endpoint,), (SlicePort("https", 6443),))
    return [
        Upsert(ObjectKey("APIService", "", api.name), api),
        Upsert(ObjectKey("Service", "default", name.name), service),
        Upsert(ObjectKey("EndpointSlice", "default", name.name), piece),
    ]


class World:
    """A registry of some size, its snapshot, and one proxy that has acknowledged all of it."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._registry = Registry(dns_template="{name}.{namespace}.svc", core=None)
        credentials = Credentials(KeyPair(b"chain", Secret(b"key")), b"", KeyPair(b"proxy", Secret(b"key")), b"roots")
        changes = [CredentialsChanged(credentials), *(c for number in range(size) for c in objects_of(number))]
        topology = self._registry.apply(changes)
        fixed, whole = TRANSLATOR.fixed(topology), TRANSLATOR.translate(topology, everything(topology))
        self._snapshot = Snapshot().updated((*fixed.upserts, *whole.upserts), ())
        self._stream = Stream(Protocol.DELTA, self._snapshot, Quarantine(), 0.0)
        names = frozenset(self._snapshot.table(ENDPOINTS))
        self._ask(CLUSTER, frozenset())
        self._ask(ENDPOINTS, names)
        self._ask(SCOPED_ROUTE, frozenset())
        self._drain()

    def milliseconds(self, turn: int) -> float:
        """One more APIService with a backend of its own: from the Change to all bytes written."""
        changes = objects_of(self._size + turn)
        start = time.perf_counter()
        topology = self._registry.apply(changes)
        translation = TRANSLATOR.translate(topology, topology.touched)
        previous = self._snapshot
        self._snapshot = previous.updated(translation.upserts, translation.removals)
        self._stream.offer(self._snapshot, self._snapshot.changes_from(previous), 0.0)
        sent = self._drain()
        elapsed = time.perf_counter() - start
        assert sent > 0
        return elapsed * 1000

    def _ask(self, type_url: str, names: frozenset[str]) -> None:
        node = Node("bench", "bench")
        self._stream.receive(DeltaRequest(type_url, node=node, subscribe=tuple(sorted(names))), 0.0)

    def _drain(self) -> int:
        """Takes and acknowledges every response; returns how many bytes they were."""
        sent = 0
        while (response := self._stream.next_response(0.0)) is not None:
            sent += len(response.encode())
            self._stream.receive(DeltaRequest(response.type_url, nonce=response.nonce), 0.0)
        return sent


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    small, large = World(10), World(10_000)
    samples = [(small.milliseconds(turn), large.milliseconds(turn)) for turn in range(options.rounds)]
    at_small, at_large = (statistics.median(column) for column in zip(*samples, strict=True))
    print(f"10 registered:     median {at_small:.3f} ms")
    print(f"10,000 registered: median {at_large:.3f} ms ({at_large / at_small:.1f} times as much; goal: at most 2 ms)")
    print(json.dumps({"change_ms_at_10": round(at_small, 3), "change_ms_at_10000": round(at_large, 3)}))


if __name__ == "__main__":
    main()
