"""What authorization costs: verdicts kept in Envoy, every request asked about, and no authorization at all.

In: nothing. Out: requests a second and Envoy's CPU time a request, side by side; the last line is one JSON object.
Law: the three differ in nothing else, and take turns, so that a noisy machine is noisy for all; a round that was not
what it should be (a hit that was asked about, a failed request) ends the benchmark.

Every front door has TLS and HTTP/2 on both sides, one worker, and RBAC for a user with a client certificate or a token.

Run by `make bench-verdicts`, or: python benchmarks/verdicts.py [--rounds N] [--seconds S] [--token]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from fast_backend import fast_backend
from load import load
from process import Process, until
from rbac import grant
from stack import Stack, registration

from controlplane.app import serve
from controlplane.settings.load import load as load_settings
from controlplane.translation import filters, listeners

GROUP = "echo.example.com"
PATH = f"/apis/{GROUP}/v1/namespaces/default/things/one"
# A token as long as a service account's.
TOKEN = "t" * 900
HEADERS = {"user-agent": "kubectl/v1.36.0 (linux/amd64)", "accept": "application/json", "accept-encoding": "gzip"}
OF_AUTHORIZATION = {
    "isthmus.verdicts",
    "isthmus.arrival",
    "isthmus.authorization",
    "isthmus.identity",
}


class Bare(Stack):
    """A front door whose Envoy authorizes nothing."""

    def start_control_plane(self) -> None:
        """Starts this script in place of `isthmus serve`."""
        command = [sys.executable, __file__, "--serve-bare", str(self.settings)]
        self.control_plane = Process(command, self.root / "control-plane.log")


def serve_bare(settings: Path) -> None:
    """A control plane that leaves the filters of authorization out of the chain."""

    def http_filters(scripts: filters.Scripts, **options: Any) -> list[filters.HttpFilter]:
        chain = filters.http_filters(scripts, **options)
        # Upgrades need it whoever asks; with authorization it is part of what known verdicts leave out.
        return [filters.alpn_filter(), *(each for each in chain if each.name not in OF_AUTHORIZATION)]

    listeners.http_filters = http_filters
    asyncio.run(serve(load_settings(settings)))


@contextmanager
def front_doors() -> Iterator[dict[str, Stack]]:
    """The three of them, each with its backend."""
    with ExitStack() as exits:
        made: dict[str, Stack] = {}
        for name, kind, cache in (("cached", Stack, True), ("asked", Stack, False), ("bare", Bare, False)):
            stack = kind(
                authentication={"tokenFile": "tokens.csv"}, settings={"verdictCache": {"enabled": cache, "ttl": "5m"}}
            )
            (stack.root / "tokens.csv").write_text(f"{TOKEN},dev,1,developers\n")
            exits.callback(stack.stop)
            port = exits.enter_context(fast_backend(stack.root, *stack.backend_files("backend")))
            rights = {"apiGroups": [GROUP], "resources": ["things"], "verbs": ["get"]}
            objects = registration(GROUP, "v1", port, stack.servers.certificate)
            stack.drop("echo.yaml", *objects, *grant("reader", rights, groups=["developers"]))
            exits.enter_context(stack)
            client = stack.http("dev", "developers")
            until(lambda stack=stack, client=client: stack.status(PATH, client) == 200, f"{name} serves")
            made[name] = stack
        yield made


def round_of(stack: Stack, seconds: float, *, token: bool) -> tuple[float, float]:
    """Requests a second, and microseconds of Envoy's CPU a request."""
    context = ssl.create_default_context(cadata=stack.servers.certificate.decode())
    headers = dict(HEADERS)
    if token:
        headers["authorization"] = f"Bearer {TOKEN}"
    else:
        context.load_cert_chain(*stack.user("dev", "developers"))
    assert stack.envoy is not None
    before = cpu_seconds(stack.envoy.pid)
    rate = load(stack.port, context, PATH, headers, seconds)
    return rate.per_second, (cpu_seconds(stack.envoy.pid) - before) / rate.requests * 1e6


def cpu_seconds(pid: int) -> float:
    """The time all threads of a process have been running."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--token", action="store_true", help="show a bearer token in place of a certificate")
    parser.add_argument("--serve-bare", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve_bare is not None:
        serve_bare(options.serve_bare)
        return
    rates: dict[str, list[float]] = {}
    costs: dict[str, list[float]] = {}
    with front_doors() as doors:
        for stack in doors.values():
            round_of(stack, 0.5, token=options.token)
        before = asked(doors["cached"])
        for _ in range(options.rounds):
            for name, stack in doors.items():
                rate, cost = round_of(stack, options.seconds, token=options.token)
                rates.setdefault(name, []).append(rate)
                costs.setdefault(name, []).append(cost)
        assert asked(doors["cached"]) - before <= options.rounds, "hits were asked about"
    rate = {name: statistics.median(values) for name, values in rates.items()}
    cost = {name: statistics.median(values) for name, values in costs.items()}
    for name, values in rates.items():
        spread = f"{min(values):.0f} to {max(values):.0f}"
        print(f"{name:7} median {rate[name]:7.0f} requests/s ({spread})   Envoy {cost[name]:6.1f} us/request")
    result = {
        "rounds": options.rounds,
        "credential": "token" if options.token else "certificate",
        "cached_per_second": round(rate["cached"]),
        "asked_per_second": round(rate["asked"]),
        "bare_per_second": round(rate["bare"]),
        "cached_over_asked": round(rate["cached"] / rate["asked"], 2),
        "envoy_cpu_over_bare": round(cost["cached"] / cost["bare"], 2),
    }
    print(json.dumps(result))


def asked(stack: Stack) -> float:
    """How many requests the control plane has decided."""
    return sum(stack.metric("isthmus_authorization_decisions_total").values())


if __name__ == "__main__":
    main()
