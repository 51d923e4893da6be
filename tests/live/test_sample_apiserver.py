"""The real sample-apiserver behind Envoy: it delegates authorization to a real kube-apiserver that is not behind it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import kubectl
import pytest
import yaml
from kube import KubeApiServer, SampleApiServer
from rbac import grant
from stack import Stack, registration, until

GROUP = SampleApiServer.GROUP
EVERYTHING = {"apiGroups": [GROUP], "resources": ["flunders"], "verbs": ["*"]}
READING = {"apiGroups": [GROUP], "resources": ["flunders"], "verbs": ["get", "list", "watch"]}
FORBIDDEN = (
    "Error from server (Forbidden): flunders.wardle.example.com is forbidden: "
    'User "{}" cannot list resource "flunders" in API group "wardle.example.com" in the namespace "default"'
)

Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def stack(kube: KubeApiServer, sample: SampleApiServer) -> Iterator[Stack]:
    """A front door without a core API server, with sample-apiserver registered in both its versions.

    Isthmus lets developers and testers do everything with flunders; kube-apiserver, which sample-apiserver asks, lets
    developers do everything, readers read, and testers nothing.
    """
    kube.apply(*grant("flunder-developers", EVERYTHING, groups=["developers"]))
    kube.apply(*grant("flunder-readers", READING, groups=["team,with,commas"]))
    with Stack(proxies=kube.front_proxy) as running:
        groups = ["developers", "testers", "team,with,commas"]
        rights = grant("flunders", EVERYTHING, groups=groups)
        objects = registration(GROUP, "v1alpha1", sample.port, sample.ca, service="wardle")
        (beta, *_) = registration(GROUP, "v1beta1", sample.port, sample.ca, service="wardle")
        running.drop("wardle.yaml", *objects, beta, *rights)
        admin = running.http("admin", "system:masters")
        for version in SampleApiServer.VERSIONS:
            path = f"/apis/{GROUP}/{version}"
            until(lambda path=path: running.status(path, admin) == 200, f"{path} is served")
        yield running


@pytest.fixture
def as_user(stack: Stack) -> Iterator[Callable[..., Kubectl]]:
    """Runs kubectl as anybody: `as_user(name, *groups)(*arguments)`; flunders are gone afterwards."""

    def become(name: str, *groups: str) -> Kubectl:
        config = stack.kubeconfig(name, *groups)
        return lambda *arguments, text="": kubectl.run(config, *arguments, text=text)

    yield become
    become("admin", "system:masters")("delete", "flunders", "--all")


def flunder(name: str, version: str = "v1alpha1") -> str:
    """The manifest of a Flunder."""
    return yaml.safe_dump(
        {
            "apiVersion": f"{GROUP}/{version}",
            "kind": "Flunder",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {},
        }
    )


def event_of(sample: SampleApiServer, user: str) -> dict[str, Any]:
    """The only audit event about that user's requests to flunders, which is written after the answer was sent."""
    until(lambda: events(sample, user), f"the audit log has a request of {user}")
    (event,) = events(sample, user)
    return event


def events(sample: SampleApiServer, user: str) -> list[dict[str, Any]]:
    """What sample-apiserver wrote in its audit log about that user's requests to flunders."""
    return [
        event
        for event in sample.audit()
        if event["user"].get("username") == user and event.get("objectRef", {}).get("resource") == "flunders"
    ]


def test_two_users_share_flunders(stack: Stack, sample: SampleApiServer, as_user: Callable[..., Kubectl]) -> None:
    """Two developers create, read, change and delete each other's objects, in either version of the API."""
    alice, bob = as_user("alice", "developers"), as_user("bob", "developers", "team-b")

    assert alice("create", "-f", "-", text=flunder("one")).stdout == "flunder.wardle.example.com/one created\n"
    assert bob("apply", "-f", "-", text=flunder("two", "v1beta1")).stdout == "flunder.wardle.example.com/two created\n"
    assert alice("get", "flunders", "-o", "name").stdout.split() == [
        "flunder.wardle.example.com/one",
        "flunder.wardle.example.com/two",
    ]
    assert bob("get", f"flunders.v1beta1.{GROUP}", "one", "-o", "jsonpath={.apiVersion}").stdout == f"{GROUP}/v1beta1"
    patch = '{"metadata":{"labels":{"tier":"gold"}}}'
    assert bob("patch", "flunder", "one", "--type=merge", "-p", patch).returncode == 0
    assert alice("get", "flunders", "-l", "tier=gold", "-o", "name").stdout == "flunder.wardle.example.com/one\n"
    assert "Flunder is an example type" in alice("explain", "flunder").stdout
    assert bob("delete", "flunder", "one").returncode == 0
    missing = alice("get", "flunder", "one")
    assert missing.stderr == 'Error from server (NotFound): flunders.wardle.example.com "one" not found\n'


def test_the_servers_audit_log_names_the_end_user(
    stack: Stack, sample: SampleApiServer, as_user: Callable[..., Kubectl]
) -> None:
    """User, every group on its own, and the credential's fingerprint arrive; nobody is taken for the front proxy."""
    dave = as_user("dave", "developers", "team-b", "odd,one")

    assert dave("get", "flunders").returncode == 0

    user = event_of(sample, "dave")["user"]
    assert user["groups"] == ["developers", "team-b", "odd,one", "system:authenticated"]
    (fingerprint,) = user["extra"]["authentication.kubernetes.io/credential-id"]
    assert fingerprint.startswith("X509SHA256=")
    assert events(sample, "front-proxy-client") == []


def test_rights_come_from_a_group_whose_name_has_commas(as_user: Callable[..., Kubectl]) -> None:
    """kube-apiserver, asked by sample-apiserver, finds the binding of the group as it is, not of its parts."""
    reader = as_user("erin", "team,with,commas")

    assert reader("get", "flunders").returncode == 0
    assert "cannot create resource" in reader("create", "-f", "-", text=flunder("no")).stderr


def test_what_isthmus_refuses_never_reaches_the_server(
    sample: SampleApiServer, as_user: Callable[..., Kubectl]
) -> None:
    """A stranger is refused by the front door's RBAC."""
    refused = as_user("mallory", "strangers")("get", "flunders")

    assert refused.stderr.strip() == FORBIDDEN.format("mallory")
    assert events(sample, "mallory") == []


def test_what_the_server_refuses_is_its_own_403(sample: SampleApiServer, as_user: Callable[..., Kubectl]) -> None:
    """A tester passes the front door and is refused by sample-apiserver, in the same words."""
    refused = as_user("carol", "testers")("get", "flunders")

    assert refused.stderr.strip() == FORBIDDEN.format("carol")
    event = event_of(sample, "carol")
    assert event["responseStatus"]["code"] == 403
    assert event["annotations"]["authorization.k8s.io/decision"] == "forbid"
    assert event["user"]["groups"] == ["testers", "system:authenticated"]


def test_the_servers_admission_speaks_to_the_client(stack: Stack, as_user: Callable[..., Kubectl]) -> None:
    """sample-apiserver's own plug-in bans a Flunder whose name a Fischer disallows; Isthmus passes its words on."""
    admin = as_user("admin", "system:masters")
    fischer = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "Fischer", "metadata": {"name": "ban"}}
    banned = yaml.safe_dump({**fischer, "disallowedFlunders": ["banned"]})
    assert admin("create", "-f", "-", text=banned).returncode == 0

    def refused() -> bool:
        answer = admin("create", "--dry-run=server", "-f", "-", text=flunder("banned"))
        return 'Forbidden): error when creating "STDIN": flunders.wardle.example.com "banned"' in answer.stderr

    # The plug-in reads Fischers from a cache of its own.
    until(refused, "the name is banned")

    assert admin("delete", "fischer", "ban").returncode == 0


def test_a_redirect_by_the_server_is_refused(stack: Stack) -> None:
    """A backend sends no client, with its credential, elsewhere; this one redirects from a document's old hash."""
    admin = stack.http("admin", "system:masters")
    url = f"{stack.url}/openapi/v3/apis/{GROUP}/v1beta1"

    answer = admin.request("GET", f"{url}?hash=old", redirect=False)

    assert answer.status == 502
    assert "Location" not in answer.headers
    status = answer.json()
    assert (status["kind"], status["code"]) == ("Status", 502)
    assert status["message"] == "the backend attempted to redirect this request, which is not permitted"
    tag = admin.request("GET", url).headers["ETag"]
    assert admin.request("GET", url, headers={"If-None-Match": tag}).status == 304


def test_a_watch_shows_what_another_user_does(
    stack: Stack, sample: SampleApiServer, as_user: Callable[..., Kubectl]
) -> None:
    """While alice watches, each of bob's doings appears before the next is done."""
    bob = as_user("bob", "developers")
    arguments = ["get", "flunders", "--watch", "--output-watch-events", "--no-headers"]
    with stack.kubectl_running(*arguments, user="alice") as watch:

        def lines() -> list[list[str]]:
            return [line.split()[:2] for line in watch.log.read_text().splitlines()]

        def watching() -> bool:
            return any(event["verb"] == "watch" for event in events(sample, "alice"))

        until(watching, "the server has answered the watch")
        expected: list[list[str]] = []
        for verb, arguments in (
            ("ADDED", ["create", "-f", "-"]),
            ("MODIFIED", ["label", "flunder", "seen", "x=y"]),
            ("DELETED", ["delete", "flunder", "seen"]),
        ):
            assert bob(*arguments, text=flunder("seen")).returncode == 0
            expected.append([verb, "seen"])
            until(lambda expected=expected: lines() == expected, f"alice sees {verb}: {lines()}")
        assert watch.running
