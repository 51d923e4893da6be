"""An odd token file, and what is counted of its holders: by a real kube-apiserver, and here."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from kube import KubeApiServer
from prometheus_client import CollectorRegistry, generate_latest

from controlplane.auth.authorize import ALWAYS_ALLOW
from controlplane.auth.decisions import Decisions
from controlplane.auth.evidence import Recognised
from controlplane.auth.metrics import AuthorizationMetrics
from controlplane.auth.tokens import load_tokens
from controlplane.auth.webhook.described import Local
from controlplane.model.identity import RequestInfo, UserInfo

ODD = "".join(
    [
        't1,alice,u1,"dev,qa"\r\n',
        "\n",
        '"t2",bob,,ops,"two\r\nlines"\n',
        't3,"a,b",u3\n',
        't4,carol,u4,"x,,"\n',
        "t5,dan,u5,\n",
        't6,eve,u6,""\n',
        ",nobody,0\n",
        "#t7,#hash,u7\n",
        "t1,aline,again,,\n",
        't8,"f""g",u8,"a b,c"\n',
        "t9@x,zed@example.org,u9\r",
    ]
)
TOKENS = ("t", "t1", "t2", "t3", "t4", "t5", "t6", "#t7", "t8", "t9@x")
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@pytest.fixture(scope="module")
def odd() -> Iterator[KubeApiServer]:
    """A kube-apiserver with that file."""
    with KubeApiServer(tokens=ODD) as running:
        yield running


def who_is(kube: KubeApiServer, token: str) -> tuple[str, str, tuple[str, ...]] | None:
    """Name, UID and groups of a token's holder, as kube-apiserver says; None when it refuses the token."""
    context = ssl.create_default_context(cafile=str(kube.ca_file))
    body = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    with urllib3.PoolManager(ssl_context=context, retries=False, timeout=urllib3.Timeout(10)) as client:
        answer = client.request("POST", kube.url + WHO, body=body, headers=headers)
    if answer.status == 401:
        return None
    user: dict[str, Any] = json.loads(answer.data)["status"]["userInfo"]
    return user["username"], user.get("uid", ""), tuple(user["groups"])


def test_an_odd_token_file_has_the_same_users(odd: KubeApiServer) -> None:
    """Line by line: quotes, empty groups, what looks like a comment, further columns, and a token that comes twice."""
    table, _ = load_tokens(ODD, "tokens.csv", b"k" * 16)
    found = {token: table.user_of(token) for token in TOKENS}

    here = {
        token: None if user is None else (user.name, user.uid, (*user.groups, "system:authenticated"))
        for token, user in found.items()
    }
    assert {token: who_is(odd, token) for token in TOKENS} == here
    assert here["t5"] == ("dan", "u5", ("", "system:authenticated"))
    assert here["t"] is None


def series(text: str, names: set[str]) -> set[tuple[str, frozenset[str]]]:
    """Which of the metrics there are, each with the names of its labels."""
    lines = (re.fullmatch(r"(\w+)\{(.*)\} \S+", line) for line in text.splitlines())
    found = {(line[1], frozenset(re.findall(r'(\w+)="', line[2]))) for line in lines if line is not None}
    return {(name, labels) for name, labels in found if name in names}


async def test_what_is_counted_has_kube_apiservers_names_and_labels(odd: KubeApiServer) -> None:
    """So that whoever looks at its metrics finds ours."""
    registry = CollectorRegistry()
    metrics = AuthorizationMetrics(registry)
    metrics.authenticated(Recognised(UserInfo("alice")), 0.1)
    metrics.authorized("allowed", 0.1)
    (counted,) = Decisions(registry).counted((Local.ALWAYS_ALLOW,), (ALWAYS_ALLOW,))
    await counted.authorize(UserInfo("alice"), RequestInfo(is_resource_request=False, path="/", verb="get"))
    # It has authorized nobody by RBAC until somebody asks who needs it.
    assert who_is(odd, "t1") is not None
    names = {
        *("authentication_attempts", "authenticated_user_requests", "authentication_duration_seconds_bucket"),
        *("authorization_attempts_total", "authorization_duration_seconds_bucket"),
        "apiserver_authorization_decisions_total",
    }

    here = series(generate_latest(registry).decode(), names)

    assert {name for name, _ in here} == names
    assert series(odd.kubectl("get", "--raw", "/metrics").stdout, names) == here
