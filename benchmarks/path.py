"""The way of a request through Isthmus against the real kube-aggregator: throughput, latency and Envoy's CPU.

In: nothing. Out: every front door side by side, and ratios; the last line is one JSON object with the medians of the
rounds. Law: all are measured in the same run against the same backend, and take turns, so that a noisy machine is noisy
for all; a failed request ends the benchmark.

    known       Isthmus; authorization's verdict is known, as it is for all but the first request
    bare        the same Envoy without any authorization
    cold        Isthmus without the verdict cache: two processes are asked about every request
    aggregator  kube-apiserver with an APIService, neither auditing nor logging requests

Client and backend speak TLS and HTTP/2, and the backend wants the front proxy's certificate. Everybody has all
processors: Envoy a worker for each, its default and that of `isthmus up`, kube-apiserver as many threads as it likes.

Run by `make bench-path`, or: python benchmarks/path.py [--rounds N] [--seconds S] [--workers N] [--envoy-workers N]
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import ssl
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import yaml
from fast_backend import fast_backend
from kube import KubeApiServer
from load import load
from process import until
from rbac import grant
from stack import Stack, registration
from verdicts import GROUP, HEADERS, PATH, TOKEN, Bare, asked, cpu_seconds

RIGHTS = grant("reader", {"apiGroups": [GROUP], "resources": ["things"], "verbs": ["get"]}, groups=["developers"])
TOKENS = f"{TOKEN},dev,1,developers\n"
CREDENTIALS = ("certificate", "token")
KNOWN = {"verdictCache": {"ttl": "5m"}}
COLD = {"verdictCache": {"enabled": False}}


@dataclass(frozen=True)
class Door:
    """One front door: where it is, whom it is verified by, dev's certificate, and the process whose CPU is counted."""

    port: int
    authority: bytes
    certificate: tuple[Path, Path]
    pid: int

    def context(self, credential: str) -> ssl.SSLContext:
        """The TLS context of a client who shows that."""
        context = ssl.create_default_context(cadata=self.authority.decode())
        # Kube-apiserver's certificate names 127.0.0.1 only.
        context.check_hostname = False
        if credential == "certificate":
            context.load_cert_chain(*self.certificate)
        return context


@dataclass(frozen=True)
class Sample:
    """What one turn of one front door came to: requests a second, microseconds of CPU a request and of latency."""

    per_second: float
    cpu: float
    latency: float


class Aggregator(KubeApiServer):
    """A kube-apiserver that does nothing but what the other front doors do."""

    def register(self, port: int, authority: bytes) -> None:
        """Makes the backend's API known, under a name that means 127.0.0.1: addresses like that are refused."""
        apiservice, service, _ = registration(GROUP, "v1", port, authority)
        apiservice["spec"]["service"]["port"] = port  # type: ignore[index] -- a manifest is a mapping of anything
        service["spec"] = {"type": "ExternalName", "externalName": "localhost"}
        self.apply(apiservice, service, *RIGHTS)

    def _kube_apiserver(self) -> list[str]:
        proxy = self.save("proxy", self.front_proxy.issue("front-proxy-client", server=False))
        flags = [f"--proxy-client-cert-file={proxy[0]}", f"--proxy-client-key-file={proxy[1]}"]
        return [each for each in super()._kube_apiserver() if not each.startswith("--audit-")] + flags


@contextmanager
def front_doors(workers: int, envoy_workers: int) -> Iterator[tuple[dict[str, Door], Stack]]:
    """All of them, with one backend; and the one that knows verdicts. `workers` decide for the cold one."""
    with ExitStack() as exits:
        kube = exits.enter_context(Aggregator(tokens=TOKENS))
        certificate, key = kube.save("backend", kube.serving.issue("backend", dns_names=["backend.default.svc"]))
        port = exits.enter_context(fast_backend(kube.root, certificate, key, kube.root / "proxies-ca.crt"))
        kube.register(port, kube.serving.certificate)
        pair = kube.save("dev", kube.clients.issue("dev", organizations=["developers"], server=False))
        kube_port = int(kube.url.rpartition(":")[2])
        doors = {"aggregator": Door(kube_port, kube.serving.certificate, pair, kube.pid)}
        stacks = {}
        for name, kind, settings in (("known", Stack, KNOWN), ("bare", Bare, KNOWN), ("cold", Stack, COLD)):
            stack = kind(
                authentication={"tokenFile": "tokens.csv"},
                proxies=kube.front_proxy,
                settings=settings,
                envoy_workers=envoy_workers,
            )
            exits.callback(stack.stop)
            if name == "cold":
                _set_workers(stack.settings, workers)
            (stack.root / "tokens.csv").write_text(TOKENS)
            stack.drop("echo.yaml", *registration(GROUP, "v1", port, kube.serving.certificate), *RIGHTS)
            stacks[name] = exits.enter_context(stack)
            assert stack.envoy is not None
            doors[name] = Door(stack.port, stack.servers.certificate, stack.user("dev", "developers"), stack.envoy.pid)
        for name, door in doors.items():
            until(lambda door=door: _serves(door), f"{name} serves")
        yield doors, stacks["known"]


def turn(door: Door, credential: str, seconds: float) -> Sample:
    """One turn: half of the time with 40 requests in flight, half with one."""
    headers = HEADERS | ({"authorization": f"Bearer {TOKEN}"} if credential == "token" else {})
    before = cpu_seconds(door.pid)
    many = load(door.port, door.context(credential), PATH, headers, seconds)
    cpu = (cpu_seconds(door.pid) - before) / many.requests * 1e6
    single = load(door.port, door.context(credential), PATH, headers, seconds / 2, connections=1, in_flight=1)
    return Sample(many.per_second, cpu, single.latency)


def ratios(samples: dict[str, list[Sample]]) -> dict[str, float]:
    """The medians, over the rounds, of what each round came to."""
    rounds = [dict(zip(samples, each, strict=True)) for each in zip(*samples.values(), strict=True)]
    each_round = {
        "throughput_ratio": [each["known"].per_second / each["aggregator"].per_second for each in rounds],
        "latency_ratio": [each["known"].latency / each["aggregator"].latency for each in rounds],
        "envoy_cpu_ratio": [each["known"].cpu / each["bare"].cpu for each in rounds],
        "cold_ratio": [each["cold"].per_second / each["aggregator"].per_second for each in rounds],
    }
    return {name: round(statistics.median(values), 2) for name, values in each_round.items()}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--workers", type=int, default=2, help="processes that decide about the cold one's requests")
    parser.add_argument("--envoy-workers", type=int, default=os.cpu_count() or 1, help="worker threads of each Envoy")
    options = parser.parse_args()
    samples: dict[str, dict[str, list[Sample]]] = {credential: {} for credential in CREDENTIALS}
    with front_doors(options.workers, options.envoy_workers) as (doors, knowing):
        for credential in CREDENTIALS:
            for door in doors.values():
                turn(door, credential, 0.5)
        before = asked(knowing)
        for _ in range(options.rounds):
            for credential, of_credential in samples.items():
                for name, door in doors.items():
                    of_credential.setdefault(name, []).append(turn(door, credential, options.seconds))
        # Each worker has to ask for itself.
        most = len(CREDENTIALS) * options.rounds * options.envoy_workers
        assert asked(knowing) - before <= most, "hits were asked about"
    for credential, of_credential in samples.items():
        for name, turns in of_credential.items():
            print(f"{credential:11} {name:10} {_described(turns)}")
    certificate, token = (ratios(samples[credential]) for credential in CREDENTIALS)
    print(json.dumps({**certificate, "rounds": options.rounds, "with_token": token}))


def _described(turns: list[Sample]) -> str:
    rates = [each.per_second for each in turns]
    spread = f"({min(rates):.0f} to {max(rates):.0f})"
    cpu, latency = (statistics.median(getattr(each, name) for each in turns) for name in ("cpu", "latency"))
    rate = f"median {statistics.median(rates):6.0f} requests/s {spread:18}"
    return f"{rate} {cpu:6.1f} us of CPU a request {latency:6.0f} us when alone"


def _set_workers(path: Path, workers: int) -> None:
    settings = yaml.safe_load(path.read_text())
    settings["authorization"]["workers"] = workers
    path.write_text(yaml.safe_dump(settings))


def _serves(door: Door) -> bool:
    connection = http.client.HTTPSConnection("127.0.0.1", door.port, timeout=10, context=door.context("certificate"))
    connection.request("GET", PATH)
    status = connection.getresponse().status
    connection.close()
    return status == 200


if __name__ == "__main__":
    main()
