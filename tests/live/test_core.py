"""A real kube-apiserver as the core API server, and two aggregated ones beside it: one API to kubectl."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from catalog import SAMPLE, service_catalog
from kube import KubeApiServer, SampleApiServer
from rbac import grant
from stack import Stack, registration, until

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wdg"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {"size": {"type": "integer", "description": "How big it is."}},
                            }
                        },
                    }
                },
            }
        ],
    },
}
REVIEWS = {"apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"], "verbs": ["create"]}
CONFIG_MAPS = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}


@pytest.fixture(scope="module")
def stack(kube: KubeApiServer, sample: SampleApiServer) -> Iterator[Stack]:
    """A front door to kube-apiserver, sample-apiserver and the demo server.

    The front door lets developers do everything with ConfigMaps; kube-apiserver lets only alice.
    """
    kube.apply(*grant("config-maps", CONFIG_MAPS, users=["alice"]))
    with Stack(core={"server": kube.url, "caFile": str(kube.ca_file)}, proxies=kube.front_proxy) as running:
        objects = registration(SampleApiServer.GROUP, "v1alpha1", sample.port, sample.ca, service="wardle")
        rights = grant("developers", REVIEWS, CONFIG_MAPS, groups=["developers"])
        running.drop("wardle.yaml", *objects, *rights)
        admin = running.http("admin", "system:masters")
        path = f"/apis/{SampleApiServer.GROUP}/v1alpha1"
        with service_catalog(running):
            until(lambda: running.status(path, admin) == 200, f"{path} is served")
            yield running


@pytest.fixture
def kubectl(stack: Stack) -> Callable[..., str]:
    """Runs kubectl, which must succeed, and returns what it printed."""

    def run(*arguments: str, text: str = "", user: str = "admin") -> str:
        done = stack.kubectl(*arguments, text=text, user=user)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def widgets(kubectl: Callable[..., str]) -> Iterator[None]:
    """The CustomResourceDefinition of widgets, made through the front door and gone afterwards."""
    kubectl("create", "-f", "-", text=yaml.safe_dump(CRD))
    kubectl("wait", "--for=condition=Established", "crd/widgets.example.com", "--timeout=30s")
    yield
    kubectl("delete", "crd", "widgets.example.com")


def seen_by(kube: KubeApiServer, user: str, resource: str) -> dict[str, Any]:
    """Whom kube-apiserver took that user's last request to the resource for."""

    def seen() -> list[dict[str, Any]]:
        return [
            event["user"]
            for event in kube.audit()
            if event["user"].get("username") == user and event.get("objectRef", {}).get("resource") == resource
        ]

    # The event is written after the answer was sent.
    until(seen, f"kube-apiserver's audit log has a request of {user} to {resource}")
    return seen()[-1]


def test_one_list_of_resources_names_those_of_every_server(kubectl: Callable[..., str]) -> None:
    """Core, CustomResourceDefinitions' group and both aggregated groups are in one api-resources."""
    names = set(kubectl("api-resources", "-o", "name").split())

    assert {
        "namespaces",
        "configmaps",
        "deployments.apps",
        "customresourcedefinitions.apiextensions.k8s.io",
        "flunders.wardle.example.com",
        "serviceinstances.servicecatalog.k8s.io",
    } <= names
    assert {"v1", "apps/v1", "wardle.example.com/v1alpha1", "servicecatalog.k8s.io/v1beta1"} <= set(
        kubectl("api-versions").split()
    )
    # Not registered, so nobody is asked for it, though the server behind it has it.
    assert "wardle.example.com/v1beta1" not in kubectl("api-versions").split()
    assert "Server Version: v1.36.3" in kubectl("version")


def test_built_in_objects_work_through_the_front_door(kubectl: Callable[..., str]) -> None:
    """Namespaces are listed, a ConfigMap is created, applied, patched, read and deleted."""
    assert {"default", "kube-system"} <= set(kubectl("get", "ns", "-o", "jsonpath={.items[*].metadata.name}").split())

    assert kubectl("create", "cm", "one", "--from-literal=a=b") == "configmap/one created\n"
    kubectl("patch", "cm", "one", "--type=strategic", "-p", '{"data":{"c":"d"}}')
    assert json.loads(kubectl("get", "cm", "one", "-o", "jsonpath={.data}")) == {"a": "b", "c": "d"}
    assert kubectl("delete", "cm", "one") == 'configmap "one" deleted from default namespace\n'
    assert "readyz check passed" in kubectl("get", "--raw", "/readyz?verbose")


def test_a_custom_resource_can_be_used_as_soon_as_it_is_established(
    kubectl: Callable[..., str], widgets: None, stack: Stack
) -> None:
    """A definition made through the front door is in discovery at once, so that kubectl can name its objects."""
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "one"}, "spec": {"size": 3}}
    manifest = yaml.safe_dump(widget)

    def applied() -> bool:
        return stack.kubectl("apply", "-f", "-", text=manifest).stdout.startswith("widget.example.com/one")

    # kube-apiserver itself publishes a new group a moment after it has called the definition established.
    until(applied, "kubectl can apply a widget", 10)

    assert kubectl("apply", "-f", "-", text=manifest) == "widget.example.com/one unchanged\n"
    assert kubectl("get", "wdg", "-o", "name") == "widget.example.com/one\n"
    assert "widgets.example.com" in kubectl("api-resources", "-o", "name").split()
    until(lambda: "How big it is." in stack.kubectl("explain", "widget.spec").stdout, "explain knows widgets", 10)


def test_openapi_lists_the_documents_of_every_server(kubectl: Callable[..., str]) -> None:
    """The index joins all; each document comes from the server whose it is."""
    index = json.loads(kubectl("get", "--raw", "/openapi/v3"))["paths"]

    for path, schema in {
        "api/v1": "io.k8s.api.core.v1.ConfigMap",
        "apis/apps/v1": "io.k8s.api.apps.v1.Deployment",
        "apis/wardle.example.com/v1alpha1": "io.k8s.sample-apiserver.pkg.apis.wardle.v1alpha1.Flunder",
        "apis/servicecatalog.k8s.io/v1beta1": "ServiceInstance",
    }.items():
        document = json.loads(kubectl("get", "--raw", index[path]["serverRelativeURL"]))
        assert any(name.endswith(schema) for name in document["components"]["schemas"]), path
    assert "apis/wardle.example.com/v1beta1" not in index


def test_the_cores_own_redirects_reach_the_client(stack: Stack, kubectl: Callable[..., str]) -> None:
    """Only aggregated servers are kept from redirecting: kube-apiserver leads from a document's old hash to the new."""
    admin = stack.http("admin", "system:masters")

    answer = admin.request("GET", f"{stack.url}/openapi/v3/api/v1?hash=old", redirect=False)

    index = json.loads(kubectl("get", "--raw", "/openapi/v3"))["paths"]
    assert answer.status == 301
    assert answer.headers["Location"] == index["api/v1"]["serverRelativeURL"]


def test_aggregated_and_built_in_objects_are_made_by_one_apply(kubectl: Callable[..., str]) -> None:
    """One set of manifests with objects of three servers."""
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mixed"}, "data": {"a": "b"}}
    flunder = {"apiVersion": "wardle.example.com/v1alpha1", "kind": "Flunder", "metadata": {"name": "mixed"}}
    manifests = yaml.safe_dump_all([config_map, flunder, *yaml.safe_load_all(SAMPLE.read_text())])

    made = kubectl("apply", "-f", "-", text=manifests)

    assert made.splitlines() == [
        "configmap/mixed created",
        "flunder.wardle.example.com/mixed created",
        "clusterservicebroker.servicecatalog.k8s.io/demo-broker created",
        "serviceinstance.servicecatalog.k8s.io/demo-instance created",
    ]
    kubectl("get", "-f", "-", text=manifests)
    assert len(kubectl("delete", "-f", "-", text=manifests).splitlines()) == 4


def test_kube_apiserver_sees_the_end_user(kubectl: Callable[..., str], kube: KubeApiServer) -> None:
    """Who asks is who kube-apiserver says is asking: name, groups and credential, with system:authenticated once."""
    review = json.loads(kubectl("auth", "whoami", "-o", "json", user="alice"))["status"]["userInfo"]

    assert review["username"] == "alice"
    assert review["groups"] == ["developers", "system:authenticated"]
    (fingerprint,) = review["extra"]["authentication.kubernetes.io/credential-id"]
    assert fingerprint.startswith("X509SHA256=")
    assert review == seen_by(kube, "alice", "selfsubjectreviews")
    kubectl("get", "ns")
    assert seen_by(kube, "admin", "namespaces")["groups"] == ["system:masters", "system:authenticated"]
    front_proxy = [event for event in kube.audit() if event["user"].get("username") == "front-proxy-client"]
    assert front_proxy == []


def test_front_door_and_kube_apiserver_must_both_allow(
    kubectl: Callable[..., str], kube: KubeApiServer, stack: Stack
) -> None:
    """What only the front door allows is refused by kube-apiserver; what it does not allow never gets there."""
    kubectl("create", "cm", "hers", "--from-literal=a=b", user="alice")
    kubectl("delete", "cm", "hers", user="alice")

    said = stack.kubectl("get", "cm", user="bob").stderr

    assert said.strip() == (
        'Error from server (Forbidden): configmaps is forbidden: User "bob" cannot list resource "configmaps"'
        ' in API group "" in the namespace "default"'
    )
    assert seen_by(kube, "bob", "configmaps")["groups"] == ["developers", "system:authenticated"]
    assert 'User "carol" cannot list resource "secrets"' in stack.kubectl("get", "secrets", user="carol").stderr
    assert [
        event
        for event in kube.audit()
        if event["user"].get("username") == "carol" and "/secrets" in event["requestURI"]
    ] == []


def test_a_watch_on_the_core_lives_through_registrations(
    kubectl: Callable[..., str], kube: KubeApiServer, stack: Stack
) -> None:
    """One request watches ConfigMaps while an API comes and goes; no event is lost, none needs a new watch."""
    arguments = ["get", "cm", "--watch-only", "--output-watch-events", "--no-headers"]

    def watches() -> list[str]:
        return [event["auditID"] for event in kube.audit() if _is_watch_of(event, "alice")]

    # Other tests of this kube-apiserver have watched as well.
    before = watches()
    with stack.kubectl_running(*arguments, user="alice") as watch:

        def lines() -> list[list[str]]:
            return [line.split()[:2] for line in watch.log.read_text().splitlines()]

        until(lambda: len(watches()) == len(before) + 1, "kube-apiserver has answered the watch")
        answered = watches()
        admin = stack.http("admin", "system:masters")
        path = "/apis/passing.example.com/v1"
        expected: list[list[str]] = []
        for number, (served, change) in enumerate(((503, _register), (404, _unregister))):
            change(stack)
            until(lambda served=served: stack.status(path, admin) == served, f"{path} is {served}")
            kubectl("create", "cm", f"event-{number}")
            expected.append(["ADDED", f"event-{number}"])
            until(lambda: lines() == expected, f"alice sees {expected}: {lines()}")
        assert watch.running
        assert watches() == answered
    kubectl("delete", "cm", "event-0", "event-1")


def test_an_aggregated_api_shadows_what_the_core_has(kubectl: Callable[..., str], stack: Stack) -> None:
    """A registration for one of the core's own group-versions takes it over, and gives it back when it is gone."""
    path = "/apis/discovery.k8s.io/v1/endpointslices"
    admin = stack.http("admin", "system:masters")
    assert stack.status(path, admin) == 200

    stack.drop("shadow.yaml", *registration("discovery.k8s.io", "v1", 1, stack.servers.certificate, service="gone")[:2])

    until(lambda: stack.status(path, admin) == 503, "the registered server, which has no endpoints, is asked")
    stack.remove("shadow.yaml")
    until(lambda: stack.status(path, admin) == 200, "kube-apiserver is asked again")
    assert "endpointslices.discovery.k8s.io" in kubectl("api-resources", "-o", "name").split()


def _register(stack: Stack) -> None:
    objects = registration("passing.example.com", "v1", 1, stack.servers.certificate, service="passing")
    stack.drop("passing.yaml", *objects[:2])


def _unregister(stack: Stack) -> None:
    stack.remove("passing.yaml")


def _is_watch_of(event: dict[str, Any], user: str) -> bool:
    started = event["stage"] == "ResponseStarted"
    return bool(event["user"].get("username") == user and event["verb"] == "watch" and started)
