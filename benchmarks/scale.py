"""What 10,000 registered APIServices cost the next one, through the real Envoy, against 10.

In: nothing. Out: from the rename of a manifest to the first 200, with 10 and with 10,000 registered, for a backend that
is new and for one that is known; the cold start at 10,000; the last line is one JSON object. Law: both sizes run side
by side and are measured turn by turn, so a noisy machine is noisy for both.

Every APIService has a Service, and so a cluster, of its own; behind all of them is one TLS server, in a process of its
own, that answers discovery as an API server does. Measured twice: right after the start, while 10,000 servers are being
asked what they serve (which is printed only), and once that is known.

Run by `make bench-scale`, or: python benchmarks/scale.py [--apiservices N] [--rounds N]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import ssl
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import urllib3
import yaml
from aiohttp import web

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from file_watcher import FileWatcher
from pki import CertificateAuthority
from stack import Process, Stack, registration

SMALL = 10
PATIENCE = 120.0
REGISTRATIONS_PER_FILE = 100
KINDS = ("new_backend", "known_backend")
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

Objects = list[dict[str, object]]
Medians = dict[tuple[str, int], float]


def objects_of(service: str, port: int, *, group: str = "") -> Objects:
    """APIService, Service and EndpointSlice; the group is that of the Service unless told otherwise."""
    objects = registration(group or f"{service}.example.com", "v1", port, b"", service=service)
    spec = objects[0]["spec"]
    assert isinstance(spec, dict)
    del spec["caBundle"]
    return [{**objects[0], "spec": {**spec, "insecureSkipTLSVerify": True}}, *objects[1:]]


@contextmanager
def backend() -> Iterator[int]:
    """The port of the backend, which is there until the end."""
    spawning = multiprocessing.get_context("spawn")
    pipe, theirs = spawning.Pipe()
    # A daemon: it ends when this process does, however that ends.
    process = spawning.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield pipe.recv()
    finally:
        process.terminate()
        process.join()


def serve(pipe: Connection) -> None:
    """Serves on a port that it tells."""
    authority = CertificateAuthority("backend")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(b"".join(authority.issue("backend", dns_names=["backend"])))
        file.flush()
        context.load_cert_chain(file.name)

    async def run() -> None:
        application = web.Application()
        application.router.add_get("/apis", discovery)
        application.router.add_get("/openapi/v3", openapi)
        application.router.add_get("/{path:.*}", anything)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context, backlog=4096).start()
        pipe.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


async def discovery(request: web.Request) -> web.Response:
    """The group of the Service that was asked, as aggregated discovery."""
    group = group_of(request)
    etag = f'"{group}"'
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304)
    kind = {"group": group, "version": "v1", "kind": "Thing"}
    thing = {"resource": "things", "responseKind": kind, "scope": "Namespaced", "verbs": ["get", "list"]}
    versions = [{"version": "v1", "resources": [thing], "freshness": "Current"}]
    document = {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [{"metadata": {"name": group}, "versions": versions}],
    }
    headers = {"Content-Type": AGGREGATED, "ETag": etag}
    return web.Response(body=json.dumps(document).encode(), headers=headers)


async def openapi(request: web.Request) -> web.Response:
    """The index of its documents."""
    path = f"apis/{group_of(request)}/v1"
    return web.json_response({"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}?hash=0"}}})


async def anything(request: web.Request) -> web.Response:
    """Every other answer."""
    return web.json_response({"path": request.path})


def group_of(request: web.Request) -> str:
    """The group that the Service in the Host header serves."""
    return f"{request.host.partition('.')[0]}.example.com"


class Front:
    """A stack with a number of APIServices, known and measured from outside."""

    def __init__(self, size: int, port: int) -> None:
        self.size = size
        self._port = port
        self._stack = Stack()
        self._client = self._stack.http("admin", "system:masters")
        for start in range(0, size, REGISTRATIONS_PER_FILE):
            numbers = range(start, min(size, start + REGISTRATIONS_PER_FILE))
            self._write(f"{start}.yaml", [one for number in numbers for one in objects_of(f"s{number}", port)])
            self._rename(f"{start}.yaml")
        self._write("known.yaml", objects_of("known", port))
        self._rename("known.yaml")

    def start(self) -> float:
        """Starts control plane and Envoy; the seconds until the last of the APIServices is served."""
        start = time.perf_counter()
        self._stack.start_control_plane()
        self._stack.start_envoy()
        while not self._stack.listening():
            time.sleep(0.005)
        self._await(f"s{self.size - 1}", pause=0.005)
        seconds = time.perf_counter() - start
        self._await("known", pause=0.005)
        return seconds

    def settle(self) -> None:
        """Returns when discovery lists no group-version as stale."""
        deadline = time.perf_counter() + PATIENCE
        headers = {"Accept": AGGREGATED}
        while b'"Stale"' in self._client.request("GET", f"{self._stack.url}/apis", headers=headers).data:
            assert time.perf_counter() < deadline, f"something was stale for {PATIENCE:g} s"
            time.sleep(0.5)

    def stop(self) -> None:
        """Ends both, and removes what was written."""
        self._client.clear()
        self._stack.stop()

    def new_backend(self, name: str) -> float:
        """From the rename of a manifest with a Service of its own to the first 200, in milliseconds."""
        return self._push(f"new-{name}", objects_of(f"new-{name}", self._port))

    def known_backend(self, name: str) -> float:
        """The same for an APIService on a Service that serves others already."""
        return self._push(f"more-{name}", objects_of("known", self._port, group=f"more-{name}.example.com")[:1])

    def resident(self) -> tuple[float, float]:
        """The resident MiB of control plane and Envoy."""
        processes = (self._stack.control_plane, self._stack.envoy)
        control_plane, envoy = (process.resident_mib() for process in processes if isinstance(process, Process))
        return control_plane, envoy

    def _push(self, service: str, objects: Objects) -> float:
        self._write(f"{service}.yaml", objects)
        start = time.perf_counter()
        self._rename(f"{service}.yaml")
        self._await(service)
        return (time.perf_counter() - start) * 1000

    def _write(self, name: str, objects: Objects) -> None:
        (self._stack.root / name).write_text(yaml.dump_all(objects, Dumper=yaml.CSafeDumper))

    def _rename(self, name: str) -> None:
        (self._stack.root / name).rename(self._stack.manifests / name)

    def _await(self, service: str, pause: float = 0.0) -> None:
        url = f"{self._stack.url}/apis/{service}.example.com/v1/things"
        deadline = time.perf_counter() + PATIENCE
        while self._status(url) != 200:
            assert time.perf_counter() < deadline, f"{url} was not served within {PATIENCE:g} s"
            time.sleep(pause)

    def _status(self, url: str) -> int:
        try:
            return self._client.request("GET", url).status
        except urllib3.exceptions.HTTPError:
            return 0


def measured(fronts: Sequence[Front], rounds: int, when: str) -> Medians:
    """The medians by kind and size, in milliseconds, having printed all there is to say."""
    samples: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    watched = []
    watcher = FileWatcher()
    try:
        for turn in range(rounds):
            watched.append(watcher.milliseconds(turn))
            # Who goes first pays for whatever the pause between rounds let go cold.
            for front in fronts if turn % 2 else fronts[::-1]:
                samples["known_backend", front.size].append(front.known_backend(f"{when}-{turn}"))
                samples["new_backend", front.size].append(front.new_backend(f"{when}-{turn}"))
    finally:
        watcher.stop()
    medians = {key: statistics.median(values) for key, values in samples.items()}
    print(f"{when}: the file watcher alone takes {statistics.median(watched):.1f} ms")
    for kind in KINDS:
        for front in fronts:
            values = samples[kind, front.size]
            middle = medians[kind, front.size]
            print(
                f"  {kind:13} at {front.size:6}: median {middle:6.1f} ms, first {values[0]:.1f}, max {max(values):.1f}"
            )
        small, large = (medians[kind, front.size] for front in fronts)
        print(f"  {kind:13} ratio: {large / small:.2f} (goal: at most 1.5)")
    return medians


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--apiservices", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    print(f"load average before: {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores")
    with ExitStack() as stack:
        port = stack.enter_context(backend())
        fronts = []
        for size in (SMALL, options.apiservices):
            fronts.append(Front(size, port))
            stack.callback(fronts[-1].stop)
        small, large = fronts
        small.start()
        cold_start = large.start()
        print(f"cold start at {large.size}: {cold_start:.2f} s")
        measured(fronts, options.rounds, "starting")
        for front in fronts:
            front.settle()
        medians = measured(fronts, options.rounds, "settled")
        control_plane, envoy = large.resident()
    result: dict[str, float] = {"apiservices": large.size}
    for kind in KINDS:
        result.update({f"{kind}_ms_at_{front.size}": round(medians[kind, front.size], 2) for front in fronts})
    sizes = {"python_rss_mib": round(control_plane, 1), "envoy_rss_mib": round(envoy, 1)}
    print(json.dumps({**result, "cold_start_s": round(cold_start, 2), **sizes}))


if __name__ == "__main__":
    main()
