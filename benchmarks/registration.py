"""From the call that registers an API to the first 200 of it, and from the call that removes it to the first 404.

In: nothing. Out: medians in milliseconds of Isthmus and of a real kube-apiserver, and what the one takes of the other;
the last line is one JSON object. Law: both are asked to do the same in the same run, turn by turn, for the same backend
and by clients that do nothing between two requests, so a noisy machine is noisy for both. Both answer when what was
written is on the disk.

    known      an APIService on a Service that others use
    new        an APIService on a Service of its own, which is registered with it
    deletion   an APIService goes, its Service stays

Run by `make bench-registration`, or: python benchmarks/registration.py [--apiservices N] [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import ssl
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import urllib3
from backend import Backend
from config_client import Client
from path import Aggregator
from stack import Stack, registration, until

Manifest = Mapping[str, object]

_PATIENCE_SECONDS = 20
_BATCH = 100
_APISERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"


class Door(Protocol):
    """A front door that APIs are registered with."""

    url: str
    client: urllib3.PoolManager

    def register(self, *objects: Manifest) -> None:
        """Registers objects, the APIService last."""

    def remove(self, name: str) -> None:
        """Removes an APIService."""


class Isthmus:
    """Isthmus, by its config API."""

    def __init__(self, stack: Stack, api: Client) -> None:
        self.url = stack.url
        self.client = stack.http("admin", "system:masters")
        self._api = api

    def register(self, *objects: Manifest) -> None:
        """Applies objects in one call."""
        if len(objects) == 1:
            self._api.apply(objects[0])
        else:
            self._api.batch(*objects)

    def remove(self, name: str) -> None:
        """Removes an APIService."""
        self._api.delete("apiregistration.k8s.io/v1", "APIService", name)


class Durable(Aggregator):
    """A kube-apiserver whose etcd answers when what was written is on the disk, as Isthmus does."""

    def _etcd(self) -> list[str]:
        return [each for each in super()._etcd() if not each.startswith("--unsafe-no-fsync")]


class KubeAggregator:
    """Kube-apiserver, by its own API; its Services are names of 127.0.0.1, for it refuses the address."""

    def __init__(self, kube: Aggregator, port: int) -> None:
        self.url = kube.url
        context = ssl.create_default_context(cafile=str(kube.ca_file))
        context.load_cert_chain(kube.root / "admin.crt", kube.root / "admin.key")
        self.client = urllib3.PoolManager(ssl_context=context, retries=False)
        self._port = port

    def register(self, *objects: Manifest) -> None:
        """Creates a Service, where there is one, and an APIService."""
        for given in objects:
            made = json.loads(json.dumps(given))
            if made["kind"] == "APIService":
                made["spec"]["service"]["port"] = self._port
                self._post(_APISERVICES, made)
            elif made["kind"] == "Service":
                made["spec"] = {"type": "ExternalName", "externalName": "localhost"}
                self._post("/api/v1/namespaces/default/services", made)

    def remove(self, name: str) -> None:
        """Removes an APIService."""
        answer = self.client.request("DELETE", f"{self.url}{_APISERVICES}/{name}")
        assert answer.status == 200, answer.data

    def _post(self, path: str, body: Manifest) -> None:
        answer = self.client.request("POST", self.url + path, json=body)
        assert answer.status == 201, answer.data


def milliseconds(door: Door, group: str, wanted: int, act: Callable[[], None]) -> float:
    """From the beginning of an act to the first answer of an API with the wanted status."""
    url = f"{door.url}/apis/{group}/v1/things"
    start = time.perf_counter()
    act()
    while door.client.request("GET", url).status != wanted:
        if time.perf_counter() - start > _PATIENCE_SECONDS:
            raise TimeoutError(f"{url} did not come to {wanted} within {_PATIENCE_SECONDS} s")
    return (time.perf_counter() - start) * 1000


@contextmanager
def front_doors() -> Iterator[tuple[dict[str, Door], Callable[[str, str], list[Manifest]]]]:
    """Both, and what makes the Service, EndpointSlice and APIService of a group on a Service of that name."""
    with ExitStack() as exits:
        kube = exits.enter_context(Durable())
        certificate, key = kube.save("backend", kube.serving.issue("backend", dns_names=["*.default.svc"]))
        backend = exits.enter_context(Backend(certificate, key, kube.root / "proxies-ca.crt"))
        stack = Stack(proxies=kube.front_proxy, settings={"store": {"sqlite": {"path": "isthmus.db"}}})
        exits.callback(stack.stop)
        socket = stack.root / "config.sock"
        stack.settings.write_text(f"{stack.settings.read_text()}config: {{listen: 'unix:{socket}'}}\n")
        exits.enter_context(stack)
        api = exits.enter_context(Client(f"unix:{socket}"))
        doors: dict[str, Door] = {"isthmus": Isthmus(stack, api), "aggregator": KubeAggregator(kube, backend.port)}

        def objects(group: str, service: str) -> list[Manifest]:
            apiservice, *others = registration(group, "v1", backend.port, kube.serving.certificate, service=service)
            return [*others, apiservice]

        for door in doors.values():
            door.register(*objects("known.example.com", "known"))
            until(lambda door=door: _serves(door, "known.example.com"), "the first API is served")
        yield doors, objects


def measured(
    doors: Mapping[str, Door], objects: Callable[[str, str], list[Manifest]], prefix: str, rounds: int, *, new: bool
) -> dict[str, dict[str, list[float]]]:
    """Milliseconds by kind and front door; every API that is registered is removed again."""
    samples: dict[str, dict[str, list[float]]] = {
        kind: {name: [] for name in doors} for kind in ("known", "new", "deletion")
    }
    for number in range(rounds):
        for name, door in doors.items():
            group = f"{prefix}{number}.example.com"
            known = objects(group, "known")[-1:]
            samples["known"][name].append(milliseconds(door, group, 200, partial(door.register, *known)))
            removal = partial(door.remove, f"v1.{group}")
            samples["deletion"][name].append(milliseconds(door, group, 404, removal))
            if new:
                group = f"{prefix}new{number}.example.com"
                own = objects(group, f"{prefix}{number}")
                samples["new"][name].append(milliseconds(door, group, 200, partial(door.register, *own)))
                milliseconds(door, group, 404, partial(door.remove, f"v1.{group}"))
    return samples


def fill(doors: Mapping[str, Door], objects: Callable[[str, str], list[Manifest]], number: int) -> None:
    """Registers so many APIs, and waits until the last is served."""
    groups = [f"many{index}.example.com" for index in range(number)]
    for door in doors.values():
        for first in range(0, number, _BATCH):
            door.register(*(objects(group, "known")[-1] for group in groups[first : first + _BATCH]))
        until(lambda door=door: _serves(door, groups[-1]), "the last of many is served", 120)


def ratio(samples: Mapping[str, Sequence[float]]) -> float:
    """What Isthmus takes of what kube-apiserver takes, by their medians."""
    return round(statistics.median(samples["isthmus"]) / statistics.median(samples["aggregator"]), 3)


def _serves(door: Door, group: str) -> bool:
    return door.client.request("GET", f"{door.url}/apis/{group}/v1/things").status == 200


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--apiservices", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    with front_doors() as (doors, objects):
        idle = measured(doors, objects, "idle", options.rounds, new=True)
        fill(doors, objects, options.apiservices)
        many = measured(doors, objects, "full", options.rounds, new=False)
    for name, samples in {**idle, "known, many": many["known"], "deletion, many": many["deletion"]}.items():
        for door, values in samples.items():
            spread = f"min {min(values):6.1f}   max {max(values):6.1f}"
            print(f"{name:15} {door:11} median {statistics.median(values):6.1f} ms   {spread}")
    result = {
        "known_backend_ratio": ratio(idle["known"]),
        "new_backend_ratio": ratio(idle["new"]),
        "known_backend_ratio_at_1000": ratio(many["known"]),
        "deletion_ratio": ratio(idle["deletion"]),
        "isthmus_ms_median": round(statistics.median(idle["known"]["isthmus"]), 2),
        "aggregator_ms_median": round(statistics.median(idle["known"]["aggregator"]), 2),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
