"""Reviews by a real kube-apiserver: whom it knows by its tokens, and what its RBAC allows."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from kube import KubeApiServer
from prometheus_client import CollectorRegistry
from stack import until

from controlplane.auth.authorize import ALWAYS_DENY, Authorizer
from controlplane.auth.evidence import Failed, Outcome, Recognised
from controlplane.auth.jwt.authenticators import JwtAuthenticators, JwtConfiguration
from controlplane.auth.jwt.keys import NoKeys, keys_of_jwks
from controlplane.auth.jwt.service_accounts import ServiceAccountTokens
from controlplane.auth.requestinfo import request_info
from controlplane.auth.webhook.chain import authorizers
from controlplane.auth.webhook.chosen import chain_of, token_reviews_of
from controlplane.auth.webhook.metrics import WebhookMetrics
from controlplane.auth.webhook.tokens import token_reviews
from controlplane.model.identity import RequestInfo, UserInfo, Verdict
from controlplane.settings.webhooks import Authorizers, TokenReviewWebhook

NAMESPACE = "reviews"
NAME = f"system:serviceaccount:{NAMESPACE}:robot"
RULES = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
    {"apiGroups": ["apps"], "resources": ["deployments/scale"], "resourceNames": ["web"], "verbs": ["update"]},
]


@pytest.fixture(scope="module")
def reviewer(kube: KubeApiServer) -> Iterator[KubeApiServer]:
    """A kube-apiserver with a service account that may do a little in one namespace."""
    meta = {"name": "robot", "namespace": NAMESPACE}
    rbac = "rbac.authorization.k8s.io"
    kube.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": meta, "rules": RULES},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "robot"},
            "subjects": [{"kind": "ServiceAccount", **meta}],
        },
    )
    yield kube
    kube.kubectl("delete", "--wait=false", "namespace", NAMESPACE)


async def reviewed(kube: KubeApiServer, token: str, *audiences: str) -> Outcome:
    """What kube-apiserver makes of a token."""
    written = {"kubeconfig": str(kube.kubeconfig), "kubernetesAPI": True, "audiences": list(audiences)}
    wanted = token_reviews_of(TokenReviewWebhook.model_validate(written), Path.read_bytes)
    metrics = WebhookMetrics(CollectorRegistry())
    async with token_reviews(wanted, metrics, clock=time.time, key=b"k" * 16) as authenticate:
        return await authenticate(token)


def issued(kube: KubeApiServer, *arguments: str) -> str:
    """A token of the service account, by the TokenRequest API."""
    made = kube.kubectl("create", "token", "robot", f"--namespace={NAMESPACE}", *arguments)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


@asynccontextmanager
async def asking(kube: KubeApiServer) -> AsyncIterator[Authorizer]:
    """kube-apiserver as the only authorizer."""
    written = {"modes": ["Webhook"], "webhook": {"kubeconfig": str(kube.kubeconfig), "kubernetesAPI": True}}
    chain = chain_of(Authorizers.model_validate(written), Path.read_bytes, {})
    async with authorizers(chain, WebhookMetrics(CollectorRegistry())) as around:
        (authorizer,) = around(ALWAYS_DENY)
        yield authorizer


async def test_kube_apiserver_knows_the_tokens_it_issued(reviewer: KubeApiServer) -> None:
    """A service account's token is the service account, with its groups and the token's identifier, for ten seconds."""
    before = time.time()
    outcome = await reviewed(reviewer, issued(reviewer))

    assert isinstance(outcome, Recognised)
    assert NAME == outcome.user.name
    assert {"system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}"} <= set(outcome.user.groups)
    assert "authentication.kubernetes.io/credential-id" in dict(outcome.user.extra)
    assert before + 10 <= outcome.until <= time.time() + 10


async def test_kube_apiserver_does_not_know_other_tokens(reviewer: KubeApiServer) -> None:
    """A token with another signature fails with kube-apiserver's reason, which does not hold the token."""
    token = issued(reviewer)
    forged = token[:-8] + token[-8:].swapcase()

    outcome = await reviewed(reviewer, forged)

    assert isinstance(outcome, Failed)
    assert outcome.reason.startswith("token review: ")
    assert forged not in outcome.reason


async def test_a_token_for_others_does_not_hold_here(reviewer: KubeApiServer) -> None:
    """A token for one audience is recognised for it and not for another."""
    token = issued(reviewer, "--audience=here")

    here, there = await reviewed(reviewer, token, "here"), await reviewed(reviewer, token, "there")

    assert isinstance(here, Recognised)
    assert not isinstance(there, Recognised)


async def test_kube_apiserver_says_who_may(reviewer: KubeApiServer) -> None:
    """Its RBAC allows what the role grants, in its namespace, and has no opinion about anything else."""
    user = UserInfo(NAME, groups=("system:serviceaccounts", "system:authenticated"))
    scale = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
    asked = {
        ("GET", f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=a+in+(b,c),!d&fieldSelector=spec.nodeName=n"): True,
        ("GET", f"/api/v1/namespaces/{NAMESPACE}/pods?watch=1"): True,
        ("GET", f"/api/v1/namespaces/{NAMESPACE}/pods/p"): False,
        ("GET", "/api/v1/namespaces/default/pods"): False,
        ("PUT", f"{scale}/web/scale"): True,
        ("PUT", f"{scale}/other/scale"): False,
        ("GET", "/version"): True,
        ("GET", "/metrics"): False,
    }
    verdicts = {}
    async with asking(reviewer) as authorizer:
        for method, target in asked:
            info = request_info(method, target)
            assert isinstance(info, RequestInfo)
            opinion = await authorizer.authorize(user, info)
            assert "" == opinion.error
            verdicts[method, target] = opinion.verdict

    expected = {each: Verdict.ALLOW if may else Verdict.NO_OPINION for each, may in asked.items()}
    assert expected == verdicts


async def test_kube_apiserver_says_why(reviewer: KubeApiServer) -> None:
    """The reason of an allowed request names the binding, and nobody is told to keep it."""
    info = request_info("GET", f"/api/v1/namespaces/{NAMESPACE}/pods")
    assert isinstance(info, RequestInfo)
    async with asking(reviewer) as authorizer:
        opinion = await authorizer.authorize(UserInfo(NAME), info)

    binding = f'RBAC: allowed by RoleBinding "robot/{NAMESPACE}" of Role "robot" to ServiceAccount "robot/{NAMESPACE}"'
    assert (Verdict.ALLOW, binding, None) == (opinion.verdict, opinion.reason, opinion.grant)


def bound(kind: str) -> tuple[dict[str, object], list[str], list[str]]:
    """An object of a kind, the arguments for a token that goes with it, and those for its deletion."""
    meta = {"name": f"short-lived-{kind}", "namespace": NAMESPACE}
    named = f"--bound-object-name={meta['name']}"
    if kind == "serviceaccount":
        made: dict[str, object] = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}
        return made, [meta["name"]], ["serviceaccount", meta["name"]]
    if kind == "secret":
        made = {"apiVersion": "v1", "kind": "Secret", "metadata": meta}
        return made, ["robot", "--bound-object-kind=Secret", named], ["secret", meta["name"]]
    container = {"name": "c", "image": "example.org/none"}
    spec = {"serviceAccountName": "robot", "automountServiceAccountToken": False, "containers": [container]}
    made = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
    deleted = ["pod", meta["name"], "--grace-period=0", "--force"]
    return made, ["robot", "--bound-object-kind=Pod", named], deleted


def keys_here(kube: KubeApiServer) -> JwtConfiguration:
    """What believes kube-apiserver's service account tokens by its keys, without asking it."""
    found = keys_of_jwks(kube.kubectl("get", "--raw", "/openid/v1/jwks").stdout.encode())
    assert not isinstance(found, NoKeys)
    issuer = json.loads(kube.kubectl("get", "--raw", "/.well-known/openid-configuration").stdout)["issuer"]
    return JwtConfiguration(service_accounts=ServiceAccountTokens((issuer,), found))


@pytest.mark.parametrize("kind", ["secret", "serviceaccount", "pod"])
def test_a_token_is_refused_when_what_it_is_bound_to_is_gone(reviewer: KubeApiServer, kind: str) -> None:
    """By TokenReview within what kube-apiserver and we remember, 10 s each; by its keys alone it stays good."""
    made, arguments, deletion = bound(kind)
    reviewer.apply(made)
    created = reviewer.kubectl("create", "token", *arguments, f"--namespace={NAMESPACE}")
    assert created.returncode == 0, created.stderr
    token = created.stdout.strip()
    written = {"kubeconfig": str(reviewer.kubeconfig), "kubernetesAPI": True}
    wanted = token_reviews_of(TokenReviewWebhook.model_validate(written), Path.read_bytes)
    moment = time.time()

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        asking = token_reviews(wanted, WebhookMetrics(CollectorRegistry()), clock=lambda: moment, key=b"k" * 16)
        authenticate = runner.run(stack.enter_async_context(asking))
        by_keys = runner.run(stack.enter_async_context(JwtAuthenticators(keys_here(reviewer))))
        before = runner.run(authenticate(token))
        assert reviewer.kubectl("delete", f"--namespace={NAMESPACE}", *deletion).returncode == 0
        gone = time.monotonic()
        remembered = runner.run(authenticate(token))

        def refused() -> bool:
            nonlocal moment
            # So long that nothing is remembered here: kube-apiserver is asked each time.
            moment += wanted.cache_ttl
            return not isinstance(runner.run(authenticate(token)), Recognised)

        until(refused, "kube-apiserver refuses the token", 20)
        took = time.monotonic() - gone
        unasked = runner.run(by_keys.authenticate(token))
        runner.run(stack.aclose())

    assert isinstance(before, Recognised)
    assert before == remembered
    assert took < 12
    assert isinstance(unasked, Recognised)
