"""What a call costs a server in Python: grpc.aio against the server of authorization's workers.

In: nothing. Out: microseconds of CPU a call of either, and one JSON object at the end. Law: both answer the same bytes
to the same client, without deciding anything, each in a process of its own, and take turns.

Run by: python benchmarks/unary.py [--rounds N] [--calls N] [--flight N]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import grpc

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from verdicts import cpu_seconds

from controlplane.faces import rpc
from controlplane.faces.rpc import RpcFace
from controlplane.faces.unary import server
from controlplane.settings.face import Face
from controlplane.xds.service import server_options

METHOD = "/benchmark/Once"
# About what Envoy asks, and what it is told.
QUESTION, ANSWER = b"q" * 2500, b"a" * 600


async def serve(kind: str, path: str) -> None:
    """Serves the method at a Unix socket until the process is ended."""
    face = Face.model_validate({"listen": f"unix:{path}"})

    async def answer(_message: bytes, _: object) -> bytes:
        return ANSWER

    if kind == "aio":
        handler = grpc.unary_unary_rpc_method_handler(answer)
        handlers = (grpc.method_handlers_generic_handler("benchmark", {"Once": handler}),)
        listening = rpc.listening(RpcFace("benchmark", face, handlers), server_options(), lambda _: lambda _: None)
    else:
        listening = server.listening("benchmark", face, {METHOD: answer}, lambda _: lambda _: None)
    async with listening:
        print("listening", flush=True)
        await asyncio.Event().wait()


async def call(path: str, calls: int, flight: int) -> None:
    """Calls so many times, always so many at once."""
    async with grpc.aio.insecure_channel(f"unix:{path}") as channel:
        once, left = channel.unary_unary(METHOD), iter(range(calls))

        async def caller() -> None:
            for _ in left:
                assert await once(QUESTION) == ANSWER

        await asyncio.gather(*(caller() for _ in range(flight)))


def main() -> None:
    """Measures both."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--flight", type=int, default=20, help="calls under way at once")
    parser.add_argument("--serve", nargs=2, metavar=("KIND", "PATH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(*options.serve))
        return
    samples: dict[str, list[float]] = {"aio": [], "unary": []}
    with tempfile.TemporaryDirectory() as folder:
        servers: dict[str, subprocess.Popen[bytes]] = {}
        try:
            for kind in samples:
                command = [sys.executable, __file__, "--serve", kind, f"{folder}/{kind}.sock"]
                servers[kind] = subprocess.Popen(command, stdout=subprocess.PIPE)
                assert servers[kind].stdout.readline() == b"listening\n"
            for _ in range(options.rounds):
                for kind, process in servers.items():
                    before = cpu_seconds(process.pid)
                    asyncio.run(call(f"{folder}/{kind}.sock", options.calls, options.flight))
                    samples[kind].append((cpu_seconds(process.pid) - before) / options.calls * 1e6)
        finally:
            for process in servers.values():
                process.kill()
                process.wait()
    medians = {kind: round(statistics.median(each), 1) for kind, each in samples.items()}
    for kind, each in samples.items():
        print(f"{kind:6} {medians[kind]:6.1f} us of CPU a call ({min(each):.1f} to {max(each):.1f})")
    print(json.dumps(medians))


if __name__ == "__main__":
    main()
