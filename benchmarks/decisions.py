"""Decisions a second in one Python process, by the number of bindings there are.

In: nothing. Out: a line for each number, and last one JSON object. Law: the numbers take turns in one run, and what is
told is the median of the turns; the request is one of a user who is in three groups and bound five times at every size.

Run by `make bench`, or: python benchmarks/decisions.py
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from types import MappingProxyType
from typing import Any

from envoy.service.auth.v3 import external_auth_pb2
from prometheus_client import CollectorRegistry

from controlplane.aio import Watchable
from controlplane.auth.authenticate import Authentication, authenticator
from controlplane.auth.authorize import PrivilegedGroups, union
from controlplane.auth.metrics import AuthorizationMetrics
from controlplane.auth.rbac import Rbac
from controlplane.auth.ruling import Ruling
from controlplane.auth.service import Checks
from controlplane.auth.tokens import TokenTable
from controlplane.model.identity import UserInfo
from controlplane.model.policy import Policy
from controlplane.model.rbac import BindingKey, PolicyRule, Role, RoleBinding, RoleKey, Subject

SIZES = (10, 1_000, 10_000)
TURNS = 7
SECONDS = 0.4
USER = UserInfo("alice", "1", ("one", "two", "three"))
RULE = PolicyRule(("get", "list"), ("shop.example.com",), ("carts",))


def policy(size: int) -> Policy:
    """A policy of so many bindings, five of them of the user, the last of which allows."""
    subjects = [Subject("User", "alice"), *(Subject("Group", group) for group in USER.groups)]
    roles = [
        Role(RoleKey("", f"r{number}"), (PolicyRule(("get",), ("other",), ("things",)),)) for number in range(size)
    ]
    allowing = Role(RoleKey("", "carts"), (RULE,))
    bindings = [
        RoleBinding(BindingKey("", f"own-{number}"), roles[number].key, (each,)) for number, each in enumerate(subjects)
    ]
    bindings.append(RoleBinding(BindingKey("shop", "carts"), allowing.key, (subjects[0],)))
    bindings += [
        RoleBinding(BindingKey(f"n{number % 100}", f"b{number}"), roles[number].key, (Subject("User", f"u{number}"),))
        for number in range(size - len(bindings))
    ]
    by_key = MappingProxyType({role.key: role for role in (*roles, allowing)})
    return Policy(1, by_key, MappingProxyType({binding.key: binding for binding in bindings}))


def checks(size: int) -> Checks:
    """What decides by that policy."""
    held = policy(size)
    authenticate = authenticator(Authentication(TokenTable(b"k" * 16, {"secret": USER})), time.time)
    ruling = Ruling(held, authenticate, union(PrivilegedGroups(), Rbac(held)))
    metrics = AuthorizationMetrics(CollectorRegistry())
    return Checks(Watchable[Ruling | None](ruling), clock=time.time, timer=time.perf_counter, metrics=metrics)


def question() -> bytes:
    """A serialised CheckRequest with the headers that kubectl sends."""
    request = external_auth_pb2.CheckRequest()
    http: Any = request.attributes.request.http
    http.method, http.path = "GET", "/apis/shop.example.com/v1/namespaces/shop/carts"
    for name, value in ((":path", http.path), ("authorization", "Bearer secret")):
        http.header_map.headers.add(key=name, raw_value=value.encode())
    return bytes(request.SerializeToString())


async def rate(deciding: Checks, asked: bytes) -> float:
    """Decisions a second."""
    assert external_auth_pb2.CheckResponse.FromString(await deciding.answer(asked)).HasField("ok_response")
    count, started = 0, time.process_time()
    while (spent := time.process_time() - started) < SECONDS:
        for _ in range(200):
            await deciding.answer(asked)
        count += 200
    return count / spent


def main() -> None:
    """Measures and prints."""
    asked, all_checks = question(), {size: checks(size) for size in SIZES}
    rates: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(TURNS):
        for size, deciding in all_checks.items():
            rates[size].append(asyncio.run(rate(deciding, asked)))
    medians = {size: statistics.median(found) for size, found in rates.items()}
    for size, median in medians.items():
        print(f"{size:>6} bindings: {median:,.0f} decisions/s, {1e6 / median:.1f} us each")
    ratio = medians[SIZES[0]] / medians[SIZES[-1]]
    shown = {f"decisions_per_s_at_{size}": round(median) for size, median in medians.items()}
    print(json.dumps({**shown, "cost_ratio": round(ratio, 3), "rounds": TURNS}))


if __name__ == "__main__":
    main()
