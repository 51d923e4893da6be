from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from controlplane.auth.webhook.configuration import read_authorization_configuration
from controlplane.auth.webhook.described import AccessReviews, Chain, Local
from controlplane.auth.webhook.kubeconfig import Connection
from controlplane.errors import SettingsError
from controlplane.model.identity import Verdict

HERE = Path("/etc/isthmus/authorization.yaml")
KUBECONFIG = """
current-context: x
contexts: [{name: x, context: {cluster: c}}]
clusters: [{name: c, cluster: {server: "https://a.example.org/review"}}]
"""
FILES = {"/w.kubeconfig": KUBECONFIG.encode(), "/bad.kubeconfig": b"{}", "/binary": b"\xff"}
POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}

WEBHOOK: dict[str, Any] = {
    "type": "Webhook",
    "name": "w.example.org",
    "webhook": {
        "timeout": "3s",
        "subjectAccessReviewVersion": "v1",
        "failurePolicy": "Deny",
        "connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": "/w.kubeconfig"},
    },
}
RBAC = {"type": "RBAC", "name": "rbac"}
WHOLE = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthorizationConfiguration"}


def read(path: Path) -> bytes:
    """Reads one of the files that there are."""
    if str(path).startswith("/var/run/secrets/"):
        return b"CA"
    try:
        return FILES[str(path)]
    except KeyError:
        raise FileNotFoundError(2, "No such file or directory") from None


def chain_of(*authorizers: object, **changed: object) -> Chain:
    """The chain of a configuration that lists these authorizers."""
    text = yaml.safe_dump({**WHOLE, "authorizers": list(authorizers), **changed})
    return read_authorization_configuration(text, HERE, read, POD)


def webhook(**changed: object) -> dict[str, Any]:
    """A webhook with some settings changed; None removes one."""
    described = copy.deepcopy(WEBHOOK)
    described["webhook"].update(changed)
    return described


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_authorizers_come_in_their_order(version: str) -> None:
    """Every type that is here becomes a link, and a webhook has kube-apiserver's defaults."""
    described = (
        WEBHOOK,
        RBAC,
        {"type": "AlwaysAllow", "name": "alwaysallow"},
        {"type": "AlwaysDeny", "name": "alwaysdeny"},
    )

    actual = chain_of(*described, apiVersion=f"apiserver.config.k8s.io/{version}")

    reviews = AccessReviews(
        name="w.example.org",
        connection=Connection("https://a.example.org/review"),
        authorized_ttl=300.0,
        unauthorized_ttl=30.0,
        timeout=3.0,
        failure_policy=Verdict.DENY,
    )
    assert (reviews, Local.RBAC, Local.ALWAYS_ALLOW, Local.ALWAYS_DENY) == actual


def test_every_setting_of_a_webhook_is_heeded() -> None:
    """What the file says is what the description says."""
    conditions = ["request.user != 'a'", "has(request.resourceAttributes)"]
    (actual,) = chain_of(
        webhook(
            authorizedTTL="1m",
            unauthorizedTTL="1.5s",
            timeout="500ms",
            subjectAccessReviewVersion="v1beta1",
            matchConditionSubjectAccessReviewVersion="v1",
            failurePolicy="NoOpinion",
            matchConditions=[{"expression": text} for text in conditions],
        )
    )

    expected = AccessReviews(
        "w.example.org",
        Connection("https://a.example.org/review"),
        authorized_ttl=60.0,
        unauthorized_ttl=1.5,
        timeout=0.5,
        version="v1beta1",
        failure_policy=Verdict.NO_OPINION,
        match_conditions=tuple(conditions),
    )
    assert expected == actual


def test_what_is_not_to_be_cached_has_no_time() -> None:
    """The switches for caching set the times to zero."""
    (actual,) = chain_of(webhook(cacheAuthorizedRequests=False, cacheUnauthorizedRequests=False))

    assert isinstance(actual, AccessReviews)
    assert (0.0, 0.0) == (actual.authorized_ttl, actual.unauthorized_ttl)


def test_a_pod_may_ask_its_kube_apiserver() -> None:
    """InClusterConfig asks at the API's own path."""
    (actual,) = chain_of(webhook(connectionInfo={"type": "InClusterConfig"}))

    assert isinstance(actual, AccessReviews)
    assert "https://10.0.0.1:443/apis/authorization.k8s.io/v1/subjectaccessreviews" == actual.connection.url


AT = "authorizers[0].webhook"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (chain_of, "authorizers: Required value: at least one authorization mode must be defined"),
        (lambda: chain_of(RBAC, kind="Other"), 'kind: Unsupported value: "Other"'),
        (lambda: chain_of(RBAC, apiVersion=None), "apiVersion: Required value"),
        (lambda: chain_of(RBAC, authorzers=[]), 'strict decoding error: unknown field "authorzers"'),
        (lambda: chain_of({"name": "a"}), "authorizers[0].type: Required value"),
        (lambda: chain_of({**RBAC, "type": "rbac"}), '[0].type: Unsupported value: "rbac": supported values: "ABAC"'),
        (lambda: chain_of({"type": "Node", "name": "node"}), "Node"),
        (lambda: chain_of({"type": "ABAC", "name": "abac"}), "write its policy as RBAC"),
        (lambda: chain_of(RBAC, RBAC), 'authorizers[1].type: Duplicate value: "RBAC"'),
        (lambda: chain_of({"type": "RBAC"}), "authorizers[0].name: Required value"),
        (lambda: chain_of({**RBAC, "name": "x"}), "expected name rbac for authorizer RBAC instead of x"),
        (lambda: chain_of({**WEBHOOK, "name": "A_"}), '[0].name: Invalid value: "A_": authorizer name is invalid'),
        (lambda: chain_of(WEBHOOK, WEBHOOK), 'authorizers[1].name: Duplicate value: "w.example.org"'),
        (lambda: chain_of({**RBAC, "webhook": {}}), 'authorizers[0].webhook: Invalid value: "non-null": may only be'),
        (lambda: chain_of({"type": "Webhook", "name": "w"}), f"{AT}: Required value: required when type=Webhook"),
        (lambda: chain_of(webhook(timout="3s")), f'strict decoding error: unknown field "{AT}.timout"'),
        (lambda: chain_of(webhook(timeout=None)), f"{AT}.timeout: Required value"),
        (lambda: chain_of(webhook(timeout="31s")), f'{AT}.timeout: Invalid value: "31s": must be > 0s and <= 30s'),
        (lambda: chain_of(webhook(timeout="-1s")), f'{AT}.timeout: Invalid value: "-1s": must be > 0s and <= 30s'),
        (lambda: chain_of(webhook(authorizedTTL="-1s")), f'{AT}.authorizedTTL: Invalid value: "-1s": must be > 0s'),
        (
            lambda: chain_of(webhook(subjectAccessReviewVersion=None)),
            f"{AT}.subjectAccessReviewVersion: Required value",
        ),
        (
            lambda: chain_of(webhook(subjectAccessReviewVersion="v2")),
            'Unsupported value: "v2": supported values: "v1", "v1beta1"',
        ),
        (lambda: chain_of(webhook(failurePolicy=None)), f"{AT}.failurePolicy: Required value"),
        (
            lambda: chain_of(webhook(failurePolicy="Open")),
            'Unsupported value: "Open": supported values: "NoOpinion", "Deny"',
        ),
        (lambda: chain_of(webhook(connectionInfo=None)), f"{AT}.connectionInfo.type: Required value"),
        (lambda: chain_of(webhook(connectionInfo={"type": "X"})), f'{AT}.connectionInfo.type: Unsupported value: "X"'),
        (
            lambda: chain_of(webhook(connectionInfo={"type": "InClusterConfig", "kubeConfigFile": "/a"})),
            "can only be set when type=KubeConfigFile",
        ),
        (lambda: chain_of(webhook(connectionInfo={"type": "KubeConfigFile"})), "kubeConfigFile: Required value"),
        (
            lambda: chain_of(webhook(connectionInfo={"type": "KubeConfigFile", "kubeConfigFile": "w"})),
            'kubeConfigFile: Invalid value: "w": must be an absolute path',
        ),
        (
            lambda: chain_of(webhook(connectionInfo={"type": "KubeConfigFile", "kubeConfigFile": "/no"})),
            "error loading file: No such file or directory",
        ),
        (
            lambda: chain_of(webhook(connectionInfo={"type": "KubeConfigFile", "kubeConfigFile": "/binary"})),
            "error loading file: not UTF-8",
        ),
        (
            lambda: chain_of(webhook(connectionInfo={"type": "KubeConfigFile", "kubeConfigFile": "/bad.kubeconfig"})),
            f"{AT}.connectionInfo.kubeConfigFile: /bad.kubeconfig: current-context is not set",
        ),
        (
            lambda: chain_of(webhook(matchConditions=[{"expression": "true"}])),
            "matchConditionSubjectAccessReviewVersion: Required value: required if match conditions are specified",
        ),
    ],
)  # fmt: skip
def test_a_defect_is_said_in_kube_apiservers_words(make: Callable[[], Chain], said: str) -> None:
    """The line names the file, the field and the value."""
    with pytest.raises(SettingsError) as caught:
        make()

    assert said in str(caught.value)
    assert all(line.startswith(f"{HERE}: ") for line in str(caught.value).splitlines())


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        (["true"] + ["false"] * 64, f"{AT}.matchConditions: Too many: 65: must have at most 64 items"),
        ([" "], f"{AT}.matchConditions[0].expression: Required value"),
        (["true", "true"], f'{AT}.matchConditions[1].expression: Duplicate value: "true"'),
        (["true", "request.usr == ''"], "[1].expression: Invalid value: \"request.usr == ''\": compilation"),
        (["request.user"], 'expression: Invalid value: "request.user": must evaluate to bool'),
    ],
)  # fmt: skip
def test_defects_of_conditions_are_said(conditions: list[str], said: str) -> None:
    """Conditions are counted, compared and compiled."""
    described = webhook(
        matchConditionSubjectAccessReviewVersion="v1", matchConditions=[{"expression": text} for text in conditions]
    )

    with pytest.raises(SettingsError) as caught:
        chain_of(described)

    assert said in str(caught.value)


def test_all_defects_are_said_at_once() -> None:
    """Each has its line."""
    with pytest.raises(SettingsError) as caught:
        chain_of(webhook(timeout=None, failurePolicy=None), {"type": "Node"})

    assert 3 == len(str(caught.value).splitlines())


@pytest.mark.parametrize(("text", "said"), [("", "is no AuthorizationConfiguration"), ("{a: 1, a: 1}", "is not YAML")])
def test_other_files_are_refused(text: str, said: str) -> None:
    """An empty file, and one that is no YAML, allow nothing."""
    with pytest.raises(SettingsError, match=said):
        read_authorization_configuration(text, HERE, read, POD)
