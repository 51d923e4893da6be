"""A fleet on one control plane: how soon a change is everywhere, what a reconnect costs, what the server weighs.

In: nothing. Out: the figures; the last line is one JSON object. Law: server and clients have a process each, a change
ends when the server has the last acknowledgement, and a reconnect when it knows every stream to hold everything.

The clients take their share of the machine, and so does whatever else runs: beside the times stand the seconds of CPU
of each side, which depend on neither.

Run by `make bench-fleet`, or: python benchmarks/fleet.py [--streams N] [--clusters N] [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from fleet_clients import Clients
from fleet_server import Server
from peers import Peer

FIGURES = ("change_to_last_ack_p99_ms", "reconnect_resources", "reconnect_s", "rss_mib")


class Fleet:
    """The server and its clients, and what is found out about them."""

    def __init__(self, server: Peer, clients: Peer) -> None:
        self._server, self._clients = server, clients
        self.results: dict[str, float] = {"rss_mib": 0.0}

    def connect(self, what: str) -> None:
        """Connects every client, until each holds everything."""
        before = self._server.ask("sent")
        with self._split(what, 1):
            start, answered = self._clients.ask("connect")
            seconds = self._server.ask("in_step") - start
        sent = self._server.ask("sent") - before
        print(f"{what}: all answered after {answered - start:.2f} s, in step after {seconds:.2f}; {sent} resources")
        self.results.update({f"{what}_s": round(seconds, 2), f"{what}_resources": sent})
        self._weigh(what)

    def disconnect(self) -> None:
        """Disconnects every client."""
        self._clients.ask("disconnect")
        self._server.ask("gone")

    def change(self, rounds: int) -> None:
        """Changes one endpoint, again and again."""
        with self._split("change", rounds):
            samples = sorted(1000 * self._server.ask("change", turn) for turn in range(rounds))
        p99 = samples[-(-99 * rounds // 100) - 1]
        print(
            f"change to last ACK: median {statistics.median(samples):.0f} ms, p99 {p99:.0f}, "
            f"min {samples[0]:.0f}, max {samples[-1]:.0f}"
        )
        self.results["change_to_last_ack_p99_ms"] = round(p99, 1)
        self._weigh("change")

    def _weigh(self, what: str) -> None:
        """Keeps the most that the server weighed at any of these times."""
        used = self._server.ask("usage")
        print(f"{what}: the server has {used.resident:.0f} MiB resident, {used.peak:.0f} at most so far")
        self.results["rss_mib"] = max(self.results["rss_mib"], round(used.resident, 1))

    @contextmanager
    def _split(self, what: str, times: int) -> Iterator[None]:
        """Prints how much of the time each process was on a core."""
        peers = (self._server, self._clients)
        before, start = [peer.ask("usage").cpu for peer in peers], time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        server, clients = (peer.ask("usage").cpu - cpu for peer, cpu in zip(peers, before, strict=True))
        print(
            f"{what}: {seconds / times:.3f} s each, {times} in all; "
            f"seconds of CPU each: server {server / times:.3f}, clients {clients / times:.3f}"
        )


def load() -> str:
    """How busy the machine is."""
    return f"load average {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores"


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--clusters", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    print(f"before: {load()}")
    with tempfile.TemporaryDirectory(prefix="isthmus-fleet-") as folder, ExitStack() as stack:
        peers = []
        for kind in (Server, Clients):
            peers.append(Peer(kind, f"unix:{folder}/xds.sock", options.streams, options.clusters))
            stack.callback(peers[-1].stop)
        fleet = Fleet(*peers)
        fleet.connect("connect")
        fleet.change(options.rounds)
        fleet.disconnect()
        fleet.connect("reconnect")
        fleet.disconnect()
        print(f"after: {load()}, of which this is the larger part")
    result = {name: fleet.results[name] for name in FIGURES}
    print(json.dumps({**result, "streams": options.streams, "clusters": options.clusters}))


if __name__ == "__main__":
    main()
