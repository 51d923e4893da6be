"""From the rename of a manifest into the watched folder to the first 200 through Envoy.

In: nothing. Out: medians in milliseconds, and as a ratio to what the file watcher itself takes in the same run; the
last line is one JSON object. Law: both are measured side by side, turn by turn, so a noisy machine is noisy for both.

Run by `make bench`, or: python benchmarks/registration.py [--apiservices N] [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import urllib3
from watchfiles import watch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from backend import Backend
from stack import Stack, registration, until

Samples = dict[str, list[float]]


class Watcher:
    """The library the control plane watches its folder with, alone, set as the control plane sets it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="isthmus-watch-"))
        self._seen = threading.Semaphore(0)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        until(self._is_watching, "the watcher watches")

    def milliseconds(self, number: int) -> float:
        """From a rename into the folder to the notification."""
        while self._seen.acquire(blocking=False):
            pass
        temporary = self.folder.parent / f"{self.folder.name}.tmp"
        temporary.write_text("x")
        start = time.perf_counter()
        temporary.rename(self.folder / f"{number}.yaml")
        assert self._seen.acquire(timeout=10)
        return (time.perf_counter() - start) * 1000

    def stop(self) -> None:
        """Ends the watching."""
        self._end.set()
        self._thread.join()

    def _is_watching(self) -> bool:
        (self.folder / "probe").write_text(str(time.perf_counter()))
        return self._seen.acquire(timeout=0.1)

    def _run(self) -> None:
        for _ in watch(self.folder, stop_event=self._end, step=1, debounce=1, rust_timeout=100, yield_on_timeout=False):
            self._seen.release()


def milliseconds_to_200(
    stack: Stack, client: urllib3.PoolManager, name: str, objects: list[dict[str, object]]
) -> float:
    """From the rename of the manifest to the first 200 of its API."""
    group = objects[0]["spec"]["group"]  # type: ignore[index] -- a manifest is a mapping of anything
    url = f"{stack.url}/apis/{group}/v1/things"
    start = time.perf_counter()
    stack.drop(name, *objects)
    while client.request("GET", url).status != 200:
        if time.perf_counter() - start > 10:
            raise TimeoutError(f"{url} was not served within 10 s")
    return (time.perf_counter() - start) * 1000


def measured(apiservices: int, rounds: int) -> Samples:
    """The samples of every kind of registration, in milliseconds."""
    samples: Samples = {"watcher": [], "known_backend": [], "new_backend": []}
    stack, watcher = Stack(), Watcher()
    with Backend(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as backend:
        ca = stack.servers.certificate
        known = registration("x.example.com", "v1", backend.port, ca)
        registered = [registration(f"g{n}.example.com", "v1", backend.port, ca)[0] for n in range(apiservices)]
        for start in range(0, apiservices, 100):
            stack.drop(f"group-{start}.yaml", *registered[start : start + 100])
        stack.drop("known.yaml", *known)
        with stack:
            client = stack.http("admin", "system:masters")
            until(lambda: stack.status("/apis/x.example.com/v1/x", client) == 200, "the first API is served")
            for number in range(rounds):
                samples["watcher"].append(watcher.milliseconds(number))
                route = registration(f"known{number}.example.com", "v1", backend.port, ca)[:1]
                samples["known_backend"].append(milliseconds_to_200(stack, client, f"k{number}.yaml", route))
                lax = registration(f"new{number}.example.com", "v1", backend.port, ca, service=f"new{number}")
                spec = lax[0]["spec"]
                assert isinstance(spec, dict)
                del spec["caBundle"]
                spec["insecureSkipTLSVerify"] = True
                samples["new_backend"].append(milliseconds_to_200(stack, client, f"n{number}.yaml", lax))
    watcher.stop()
    return samples


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--apiservices", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    samples = measured(options.apiservices, options.rounds)
    medians = {name: statistics.median(values) for name, values in samples.items()}
    for name, values in samples.items():
        print(f"{name:14} median {medians[name]:6.1f} ms   min {min(values):6.1f}   max {max(values):6.1f}")
    result = {
        "apiservices": options.apiservices,
        "rounds": options.rounds,
        "watcher_ms": round(medians["watcher"], 2),
        "known_backend_ms": round(medians["known_backend"], 2),
        "new_backend_ms": round(medians["new_backend"], 2),
        "known_backend_over_watcher_ms": round(medians["known_backend"] - medians["watcher"], 2),
        "new_backend_over_watcher_ms": round(medians["new_backend"] - medians["watcher"], 2),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
