"""A sidecar before a plain API server that a real kube-apiserver aggregates: it trusts and asks what that one says."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import kubectl
import pytest
import urllib3
import yaml
from kube import KubeApiServer
from plain_server import GROUP, THINGS, VERSION, PlainServer
from process import ROOT, until
from rbac import grant
from sidecar import Sidecar

SERVICE = {"name": "my-api", "namespace": "default"}
NAME = f"{VERSION}.{GROUP}"
READ = {"apiGroups": [GROUP], "resources": ["things"], "verbs": ["get", "list"]}


@pytest.fixture(scope="module")
def server() -> Iterator[PlainServer]:
    """The plain API server."""
    with PlainServer() as running:
        yield running


@pytest.fixture(scope="module")
def account(kube: KubeApiServer) -> Iterator[str]:
    """The token of a service account that has what deploy/sidecar gives one, and no more."""
    objects = list(yaml.safe_load_all((ROOT / "deploy" / "sidecar" / "server" / "rbac.yaml").read_text()))
    kube.apply(*objects)
    yield kube.kubectl("create", "token", "my-api", "--namespace=my-api").stdout.strip()
    # Without a controller a namespace that is deleted never ends.
    rights = [each for each in objects if each["kind"] != "Namespace"]
    kube.kubectl("delete", "-f", "-", text=yaml.safe_dump_all(rights))


@pytest.fixture(scope="module")
def sidecar(kube: KubeApiServer, server: PlainServer, account: str) -> Iterator[Sidecar]:
    """The sidecar, registered with kube-apiserver."""
    made = Sidecar(serves="my-api.default.svc")
    (made.root / "token").write_text(account)
    config = made.root / "kubeconfig"
    config.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "it",
                "clusters": [
                    {"name": "it", "cluster": {"server": kube.url, "certificate-authority": str(kube.ca_file)}}
                ],
                "users": [{"name": "it", "user": {"tokenFile": "token"}}],
                "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            }
        )
    )
    options = (*made.before(server.address), f"--kubeconfig={config}")
    with made.add(*options) as running:
        kube.apply(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": SERVICE,
                # An address of this machine alone is refused, but not a name that means it.
                "spec": {"type": "ExternalName", "externalName": "localhost"},
            },
            {
                "apiVersion": "apiregistration.k8s.io/v1",
                "kind": "APIService",
                "metadata": {"name": NAME},
                "spec": {
                    "group": GROUP,
                    "version": VERSION,
                    "groupPriorityMinimum": 1000,
                    "versionPriority": 10,
                    "service": {**SERVICE, "port": made.port},
                    "caBundle": base64.b64encode(made.servers.certificate).decode(),
                },
            },
            *grant("plain-readers", READ, groups=["plain-readers"]),
        )
        kube.kubectl("wait", "--for=condition=Available", f"apiservice/{NAME}", "--timeout=30s")
        until(lambda: kube.kubectl("get", "things").returncode == 0, "kube-apiserver serves it")
        yield running
    for kind, name in (("apiservice", NAME), ("service", SERVICE["name"])):
        kube.kubectl("delete", kind, name)


def as_user(kube: KubeApiServer, root: Path, name: str, *groups: str) -> Path:
    """A kubeconfig of kube-apiserver, not of the sidecar."""
    certificate, key = root / f"kube-{name}.crt", root / f"kube-{name}.key"
    pair = kube.clients.issue(name, organizations=groups, server=False)
    certificate.write_bytes(pair[0])
    key.write_bytes(pair[1])
    path = root / f"{name}.kubeconfig"
    kubectl.write_config(path, kube.url, kube.serving.certificate, certificate, key)
    return path


def direct(sidecar: Sidecar, kube: KubeApiServer, name: str, *groups: str) -> urllib3.PoolManager:
    """A client of the sidecar with a certificate that kube-apiserver believes."""
    client = sidecar.http()
    pair = sidecar.save(f"direct-{name}", kube.clients.issue(name, organizations=groups, server=False))
    client.connection_pool_kw["ssl_context"].load_cert_chain(*pair)
    return client


def test_the_user_of_kube_apiserver_arrives(sidecar: Sidecar, server: PlainServer, kube: KubeApiServer) -> None:
    """What kube-apiserver says in request headers is believed and passed on, one line a group."""
    alice = as_user(kube, sidecar.root, "alice", "plain-readers", "odd,group")

    got = kubectl.run(alice, "get", "things", "-o", "name")

    assert (got.stdout, got.stderr) == (f"thing.{GROUP}/only\n", "")
    seen = server.of("alice")[-1]
    assert seen.lines("X-Remote-Group") == ["plain-readers", "odd,group", "system:authenticated"]
    assert any(name.lower().startswith("x-remote-extra-") for name, _ in seen.headers)


def test_kube_apiserver_says_who_may(sidecar: Sidecar, server: PlainServer, kube: KubeApiServer) -> None:
    """Who comes to the sidecar itself has the rights that kube-apiserver's RBAC gives, and is told so in its words."""
    reader = direct(sidecar, kube, "hank", "plain-readers")
    eve = direct(sidecar, kube, "eve")

    allowed = reader.request("GET", sidecar.url + THINGS)
    refused = eve.request("GET", sidecar.url + THINGS)

    assert (allowed.status, refused.status) == (200, 403)
    assert refused.json()["message"] == (
        f'things.{GROUP} is forbidden: User "eve" cannot list resource "things" in API group "{GROUP}" at the '
        "cluster scope"
    )
    assert (len(server.of("hank")), server.of("eve")) == (1, [])


def test_its_front_proxies_alone_speak_for_others(sidecar: Sidecar, server: PlainServer, kube: KubeApiServer) -> None:
    """A user's own certificate is that user, whatever the headers say; another authority's is nobody."""
    client = direct(sidecar, kube, "gina", "plain-readers")
    stranger = sidecar.http("front-proxy-client")
    forged = {"X-Remote-User": "root", "X-Remote-Group": "system:masters"}

    assert client.request("GET", sidecar.url + THINGS, headers=forged).status == 200
    assert server.seen[-1].lines("X-Remote-User") == ["gina"]
    assert stranger.request("GET", sidecar.url + THINGS, headers=forged).status == 401


def test_its_tokens_are_good_here(sidecar: Sidecar, server: PlainServer, kube: KubeApiServer) -> None:
    """A client that comes without kube-apiserver is known by a token of it; without rights that helps nothing."""
    kube.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "direct", "namespace": "default"}})
    token = kube.kubectl("create", "token", "direct").stdout.strip()
    client = sidecar.http()

    refused = client.request("GET", sidecar.url + THINGS, headers={"Authorization": f"Bearer {token}"})

    assert refused.status == 403
    assert 'User "system:serviceaccount:default:direct"' in refused.json()["message"]
    assert client.request("GET", sidecar.url + THINGS, headers={"Authorization": f"Bearer {token}x"}).status == 401


def test_discovery_through_kube_apiserver_is_whole(sidecar: Sidecar, kube: KubeApiServer) -> None:
    """The group is in kube-apiserver's list, and its resource in kubectl's."""
    listed = kube.kubectl("api-resources", f"--api-group={GROUP}", "-o", "name")

    assert listed.stdout == f"things.{GROUP}\n"


def test_anonymous_probes_of_health_are_answered(sidecar: Sidecar) -> None:
    """A kubelet's probe has no credential; kube-apiserver's bootstrap rights let it ask for health."""
    client = sidecar.http()

    assert client.request("GET", f"{sidecar.url}/healthz").status == 200
    assert client.request("GET", f"{sidecar.url}/metrics").status == 403
