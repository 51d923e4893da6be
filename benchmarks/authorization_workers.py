"""Authorization in 0, 1 and 2 processes of its own: requests a second, time of a change of policy, memory.

In: nothing. Out: one line each, and one JSON object at the end. Law: verdicts are not kept, so every request is asked
about; the front doors differ in the number of workers alone, and take turns.

Run by: python benchmarks/authorization_workers.py [--rounds N] [--seconds S] [--bindings N]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from fast_backend import fast_backend
from load import load
from prometheus_client import CollectorRegistry
from rbac import grant
from stack import Stack, registration, until

from controlplane.aio import Watchable
from controlplane.model.policy import Policy
from controlplane.model.problem import Problem
from controlplane.model.rbac import BindingKey, PolicyRule, Role, RoleBinding, RoleKey, Subject
from controlplane.settings.settings import Settings
from controlplane.workers.pool import Workers, launched
from controlplane.workers.worker import start

GROUP = "echo.example.com"
PATH = f"/apis/{GROUP}/v1/namespaces/default/things/one"
HEADERS = {"user-agent": "kubectl/v1.36.0 (linux/amd64)", "accept": "application/json"}
WORKERS = (0, 1, 2)
CHANGES = 50


@contextmanager
def front_doors() -> Iterator[dict[int, Stack]]:
    """One for each number of workers, with its backend."""
    with ExitStack() as exits:
        made: dict[int, Stack] = {}
        for workers in WORKERS:
            stack = Stack(settings={"verdictCache": {"enabled": False}})
            stack.set("authorization", workers=workers)
            exits.callback(stack.stop)
            port = exits.enter_context(fast_backend(stack.root, *stack.backend_files("backend")))
            rights = {"apiGroups": [GROUP], "resources": ["things"], "verbs": ["get"]}
            objects = registration(GROUP, "v1", port, stack.servers.certificate)
            stack.drop("echo.yaml", *objects, *grant("reader", rights, groups=["developers"]))
            exits.enter_context(stack)
            client = stack.http("dev", "developers")
            until(lambda stack=stack, client=client: stack.status(PATH, client) == 200, f"{workers} workers serve")
            made[workers] = stack
        yield made


def rate_of(stack: Stack, seconds: float) -> float:
    """Requests a second."""
    context = ssl.create_default_context(cadata=stack.servers.certificate.decode())
    context.load_cert_chain(*stack.user("dev", "developers"))
    return load(stack.port, context, PATH, HEADERS, seconds).per_second


def policy_of(generation: int, bindings: int) -> Policy:
    """So many bindings of 100 roles, of which the first is another in each generation."""
    roles = {
        key: Role(key, (PolicyRule(("get", "list", "watch"), ("a.io",), ("things", "others")),))
        for key in (RoleKey("", f"role-{number}") for number in range(100))
    }
    held: dict[BindingKey, RoleBinding] = {}
    for number in range(bindings):
        key = BindingKey(f"namespace-{number % 1000}", f"binding-{number}")
        subjects = (Subject("User", f"user-{number}@example.com"), Subject("Group", "developers"))
        held[key] = RoleBinding(key, RoleKey("", f"role-{number % 100}"), subjects)
    return Policy(generation, MappingProxyType(roles), MappingProxyType(held))


def changed(policy: Policy) -> Policy:
    """The policy with one binding that is another, as the registry makes it."""
    held = policy.bindings.copy()
    key, binding = next(iter(held.items()))
    del held[key]
    subjects = (*binding.subjects[:1], Subject("Group", f"changed-{policy.generation}"))
    held[key] = RoleBinding(key, binding.role, subjects)
    return Policy(policy.generation + 1, policy.roles, MappingProxyType(held))


def ignored(_: Iterable[Problem]) -> None:
    """Hears of Problems."""


async def pushes(folder: Path, bindings: int) -> dict[str, float]:
    """How long a whole policy and one change take to be in force with two workers, and what they weigh."""
    settings = Settings.model_validate(
        {
            "frontDoor": {"certificateFile": "a", "privateKeyFile": "b"},
            "manifests": "m",
            "xds": {"listen": f"unix:{folder}/xds.sock"},
            "authorization": {"listen": f"unix:{folder}/authorization.sock", "workers": 2},
            "discovery": {"listen": f"unix:{folder}/discovery.sock"},
        }
    )
    policy = Watchable(Policy())
    workers = Workers(
        2,
        lambda number: start(settings, None, number),
        policy,
        launch=launched,
        report=ignored,
        registry=CollectorRegistry(),
        clock=time.monotonic,
    )
    running = asyncio.create_task(workers.run())

    async def in_force(generation: int) -> None:
        while workers.oldest() < generation:
            await asyncio.sleep(0)

    policy.publish(policy_of(1, 0))
    await in_force(1)
    await asyncio.sleep(1)
    empty = statistics.mean(map(resident_mib, (each.pid for each in workers.standings)))
    began = time.perf_counter()
    policy.publish(policy_of(2, bindings))
    made = time.perf_counter() - began
    await in_force(2)
    whole = time.perf_counter() - began - made
    took: list[float] = []
    for _ in range(CHANGES):
        following = changed(policy.value)
        began = time.perf_counter()
        policy.publish(following)
        await in_force(following.generation)
        took.append(time.perf_counter() - began)
    full = statistics.mean(map(resident_mib, (each.pid for each in workers.standings)))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    milliseconds = sorted(each * 1000 for each in took)
    return {
        "whole_milliseconds": round(whole * 1000, 1),
        "change_milliseconds_median": round(statistics.median(milliseconds), 2),
        "change_milliseconds_99th": round(milliseconds[int(len(milliseconds) * 0.99)], 2),
        "worker_mib_empty": round(empty, 1),
        "worker_mib_full": round(full, 1),
    }


def resident_mib(pid: int) -> float:
    """Resident memory in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--bindings", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pushed = asyncio.run(pushes(Path(folder), options.bindings))
    print(f"{options.bindings} bindings, two workers: {pushed}")
    rates: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    with front_doors() as doors:
        for stack in doors.values():
            rate_of(stack, 0.5)
        for _ in range(options.rounds):
            for workers, stack in doors.items():
                rates[workers].append(rate_of(stack, options.seconds))
    for workers, values in rates.items():
        spread = f"{min(values):.0f} to {max(values):.0f}"
        print(f"{workers} workers: median {statistics.median(values):6.0f} requests/s ({spread})")
    medians = {f"workers_{workers}_per_second": round(statistics.median(values)) for workers, values in rates.items()}
    print(json.dumps({"bindings": options.bindings, **pushed, **medians}))


if __name__ == "__main__":
    main()
