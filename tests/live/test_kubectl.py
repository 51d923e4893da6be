"""The real kubectl through Envoy against the demo API server, where nothing else of Kubernetes is running."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from catalog import GROUP, SAMPLE, service_catalog
from rbac import grant
from stack import Stack, until

VERSION = f"{GROUP}/v1beta1"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A front door without a core API server; alice may read instances, and only these."""
    with Stack() as running:
        rule = {"apiGroups": [GROUP], "resources": ["serviceinstances"], "verbs": ["get", "list", "watch"]}
        running.drop("alice.yaml", *grant("reads-instances", rule, users=["alice"]))
        yield running


@pytest.fixture(scope="module")
def audit(stack: Stack) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """The demo API server is served; the value reads its audit log."""
    with service_catalog(stack) as read:
        yield read


@pytest.fixture
def kubectl(stack: Stack, audit: Callable[[], list[dict[str, Any]]]) -> Iterator[Callable[..., str]]:
    """Runs kubectl, which must succeed, and returns what it printed; every object is gone afterwards."""

    def run(*arguments: str, text: str = "", user: str = "admin") -> str:
        done = stack.kubectl(*arguments, text=text, user=user)
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield run
    run("delete", "svcat", "--all", "--all-namespaces")


def refusal(stack: Stack, *arguments: str, user: str = "admin", text: str = "") -> str:
    """What kubectl says when it fails."""
    done = stack.kubectl(*arguments, user=user, text=text)
    assert done.returncode == 1, done.stdout
    return done.stderr.strip()


def instance(name: str, **spec: object) -> str:
    """The manifest of a ServiceInstance."""
    metadata = {"name": name, "namespace": "default"}
    required = {"clusterServiceClassName": "class", "clusterServicePlanName": "plan"}
    return yaml.safe_dump(
        {"apiVersion": VERSION, "kind": "ServiceInstance", "metadata": metadata, "spec": {**required, **spec}}
    )


def test_api_resources_names_everything_registered(kubectl: Callable[..., str]) -> None:
    """Names, short names, scope, kinds, verbs and categories come out as the server published them."""
    lines = [line.split() for line in kubectl("api-resources", "-o", "wide", "--no-headers").splitlines()]

    verbs = "create,delete,deletecollection,get,list,patch,update,watch"
    assert [
        ["clusterservicebrokers", "csb", VERSION, "false", "ClusterServiceBroker", verbs, "svcat"],
        ["clusterserviceclasses", "csc", VERSION, "false", "ClusterServiceClass", verbs, "svcat"],
        ["clusterserviceplans", "csp", VERSION, "false", "ClusterServicePlan", verbs, "svcat"],
        ["servicebindings", "sbd", VERSION, "true", "ServiceBinding", verbs, "svcat"],
        ["serviceinstances", "si", VERSION, "true", "ServiceInstance", verbs, "svcat"],
    ] == lines
    assert kubectl("api-versions").split() == [VERSION]
    assert "Server Version: v1.36" in kubectl("version")


def test_objects_are_created_read_changed_and_deleted(kubectl: Callable[..., str], stack: Stack) -> None:
    """Create, get in several forms, patch, label, replace, describe and delete of one object."""
    kubectl("create", "-f", str(SAMPLE))
    name = "serviceinstance.servicecatalog.k8s.io/demo-instance"

    assert kubectl("get", "svcat", "-A", "-o", "name").split() == [
        "clusterservicebroker.servicecatalog.k8s.io/demo-broker",
        name,
    ]
    assert kubectl("get", "si", "-l", "app=demo", "--no-headers").split()[:4] == [
        "demo-instance",
        "demo-database",
        "small",
        "Pending",
    ]
    assert kubectl("patch", "si", "demo-instance", "--type=merge", "-p", '{"spec":{"externalID":"7"}}') == (
        f"{name} patched\n"
    )
    change = '[{"op":"replace","path":"/spec/parameters/size","value":"2Gi"}]'
    kubectl("patch", "si", "demo-instance", "--type=json", "-p", change)
    kubectl("label", "si", "demo-instance", "tier=gold")
    found = json.loads(kubectl("get", "si", "demo-instance", "-o", "json"))
    assert (found["spec"]["externalID"], found["spec"]["parameters"]) == ("7", {"size": "2Gi"})
    assert found["metadata"]["labels"] == {"app": "demo", "tier": "gold"}
    assert "Size:  2Gi" in kubectl("describe", "si", "demo-instance")
    kubectl("replace", "-f", str(SAMPLE))
    assert kubectl("get", "si", "demo-instance", "-o", "jsonpath={.spec.parameters.size}") == "1Gi"
    assert kubectl("delete", "si", "demo-instance") == (
        'serviceinstance.servicecatalog.k8s.io "demo-instance" deleted from default namespace\n'
    )
    missing = 'Error from server (NotFound): serviceinstances.servicecatalog.k8s.io "demo-instance" not found'
    assert missing == refusal(stack, "get", "si", "demo-instance")
    assert missing == refusal(stack, "delete", "si", "demo-instance")
    exists = 'clusterservicebrokers.servicecatalog.k8s.io "demo-broker" already exists'
    assert exists in refusal(stack, "create", "-f", str(SAMPLE))


def test_apply_creates_then_changes_then_leaves_alone(kubectl: Callable[..., str]) -> None:
    """Client-side apply knows what it applied last: a field that is gone from the manifest goes."""
    name = "serviceinstance.servicecatalog.k8s.io/one"

    assert kubectl("apply", "-f", "-", text=instance("one", externalID="7")) == f"{name} created\n"
    assert kubectl("apply", "-f", "-", text=instance("one", externalID="7")) == f"{name} unchanged\n"
    assert kubectl("apply", "-f", "-", text=instance("one")) == f"{name} configured\n"
    assert "externalID" not in kubectl("get", "si", "one", "-o", "jsonpath={.spec}")


def test_server_side_apply_keeps_field_owners_apart(kubectl: Callable[..., str], stack: Stack) -> None:
    """A second manager meets a conflict in the server's words, and gets the field by force."""
    kubectl("apply", "--server-side", "--field-manager=first", "-f", "-", text=instance("one", externalID="1"))
    second = ["apply", "--server-side", "--field-manager=second", "-f", "-"]

    said = refusal(stack, *second, text=instance("one", externalID="2"))

    assert said.startswith('error: Apply failed with 1 conflict: conflict with "first"')
    assert ": .spec.externalID\n" in said
    assert kubectl(*second, "--force-conflicts", text=instance("one", externalID="2")).endswith("serverside-applied\n")
    found = json.loads(kubectl("get", "si", "one", "-o", "json", "--show-managed-fields"))
    assert found["spec"]["externalID"] == "2"
    owners = {
        entry["manager"]: "f:externalID" in entry["fieldsV1"].get("f:spec", {})
        for entry in found["metadata"]["managedFields"]
    }
    assert owners["second"]
    assert not owners.get("first", False)


def test_unknown_fields_are_refused_by_the_servers_validation(kubectl: Callable[..., str], stack: Stack) -> None:
    """Field validation asked for by kubectl is the server's: Envoy passes the query and the answer on."""
    assert 'unknown field "spec.nope"' in refusal(stack, "create", "-f", "-", text=instance("one", nope=1))
    assert kubectl("create", "--dry-run=server", "-f", "-", text=instance("one")).endswith("(server dry run)\n")
    assert "NotFound" in refusal(stack, "get", "si", "one")


def test_explain_reads_the_servers_own_schema(kubectl: Callable[..., str]) -> None:
    """The OpenAPI v3 document is found in the index and comes from the backend."""
    assert "clusterServiceClassExternalName\t<string>" in kubectl("explain", "serviceinstance.spec")


def test_get_watch_prints_each_event_as_it_happens(kubectl: Callable[..., str], stack: Stack) -> None:
    """A watch shows what there is, then creations, changes and deletions, until it is ended."""
    kubectl("create", "-f", "-", text=instance("first"))
    with stack.kubectl_running("get", "si", "--watch", "--output-watch-events", "--no-headers") as watch:

        def lines() -> list[list[str]]:
            return [line.split()[:2] for line in watch.log.read_text().splitlines()]

        expected = [["ADDED", "first"]]
        until(lambda: lines() == expected, "the watch shows what there is")
        for arguments, event in (
            (["create", "-f", "-"], "ADDED"),
            (["label", "si", "second", "x=y"], "MODIFIED"),
            (["delete", "si", "second"], "DELETED"),
        ):
            kubectl(*arguments, text=instance("second"))
            expected.append([event, "second"])
            until(lambda expected=expected: lines() == expected, f"the watch shows {event}: {lines()}")
        assert watch.running


def test_wait_ends_when_somebody_else_writes_the_status(kubectl: Callable[..., str], stack: Stack) -> None:
    """`kubectl wait` is a watch that ends by itself."""
    kubectl("create", "-f", "-", text=instance("one"))
    with stack.kubectl_running("wait", "--for=condition=Ready", "si/one", "--timeout=30s") as waiting:
        ready = '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
        kubectl("patch", "si", "one", "--subresource=status", "--type=merge", "-p", ready)
        until(lambda: not waiting.running, "wait ends")
        assert waiting.log.read_text() == "serviceinstance.servicecatalog.k8s.io/one condition met\n"


def test_alice_gets_what_rbac_grants_and_no_more(
    kubectl: Callable[..., str], stack: Stack, audit: Callable[[], list[dict[str, Any]]]
) -> None:
    """Reading instances is granted; what is not is refused by the front door, and the server never hears of it."""
    kubectl("create", "-f", str(SAMPLE))

    assert "demo-instance" in kubectl("get", "si", user="alice")
    assert "demo-instance" in kubectl("get", "si", "--all-namespaces", user="alice")
    assert "serviceinstances" in kubectl("api-resources", user="alice")
    assert "FIELD: spec" in kubectl("explain", "si.spec", user="alice")
    group = 'in API group "servicecatalog.k8s.io"'
    instances, brokers = "serviceinstances.servicecatalog.k8s.io", "clusterservicebrokers.servicecatalog.k8s.io"
    refused = {
        ("delete", "si", "demo-instance"): f'{instances} "demo-instance" is forbidden: User "alice" cannot delete'
        f' resource "serviceinstances" {group} in the namespace "default"',
        (
            "delete",
            "--raw",
            f"/apis/{VERSION}/namespaces/default/serviceinstances",
        ): f'{instances} is forbidden: User "alice" cannot deletecollection'
        f' resource "serviceinstances" {group} in the namespace "default"',
        ("label", "si", "demo-instance", "x=y"): f'{instances} "demo-instance" is forbidden: User "alice" cannot patch'
        f' resource "serviceinstances" {group} in the namespace "default"',
        ("get", "csb"): f'{brokers} is forbidden: User "alice" cannot list resource "clusterservicebrokers" {group}'
        " at the cluster scope",
    }
    for arguments, message in refused.items():
        assert refusal(stack, *arguments, user="alice") == f"Error from server (Forbidden): {message}"
    mine = [event for event in audit() if event["user"].get("username") == "alice"]
    assert {event["verb"] for event in mine} <= {"get", "list"}
    assert {tuple(event["user"]["groups"]) for event in mine} == {("developers", "system:authenticated")}


def test_what_is_not_served_is_named_as_kube_apiserver_would(kubectl: Callable[..., str], stack: Stack) -> None:
    """From discovery kubectl knows that there is no such type; a raw path is a NotFound."""
    assert refusal(stack, "get", "nope") == 'error: the server doesn\'t have a resource type "nope"'
    assert refusal(stack, "get", "--raw", "/apis/nope.example.com/v1/x") == (
        "Error from server (NotFound): the server could not find the requested resource"
    )
