"""The pods of deploy/sidecar as containers of the image, in one network namespace each, with a real kube-apiserver."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
import yaml
from containers import pod, tls
from containers.daemon import Docker
from containers.forward import forwarded
from containers.pod import IMAGE, Pod, Stand
from kube import NAME, KubeApiServer
from pki import CertificateAuthority
from process import PATIENCE, ROOT, until
from rbac import grant

pytestmark = pytest.mark.compose

NETWORK = "isthmus-pods"
GROUP = "my-api.example.com"
THINGS = f"/apis/{GROUP}/v1/things"
READ = {"apiGroups": [GROUP], "resources": ["things"], "verbs": ["get", "list"]}
ACCOUNT = "system:serviceaccount:my-client:my-client"
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
# Envoy, Python and a busy machine.
READY_SECONDS = 90.0
KNOCK = """
import socket, sys
for port in sys.argv[2:]:
    with socket.socket() as knocking:
        knocking.settimeout(5)
        if knocking.connect_ex((sys.argv[1], int(port))) == 0:
            print(port)
"""
ASK = """
import json, sys, urllib.error, urllib.request
path, headers, body = json.loads(sys.argv[1])
request = urllib.request.Request("http://127.0.0.1:8001" + path, body and json.dumps(body).encode(), headers)
try:
    answer = urllib.request.urlopen(request, timeout=30)
except urllib.error.HTTPError as error:
    answer = error
print(json.dumps([answer.status, json.load(answer)]))
"""


def objects(form: str) -> list[dict[str, Any]]:
    """All objects of a form, and instead of the Deployment a Pod as it would make."""
    texts = (path.read_text() for path in sorted((ROOT / "deploy" / "sidecar" / form).glob("*.yaml")))
    found = [each for text in texts for each in yaml.safe_load_all(text)]
    return [
        {"kind": "Pod", "metadata": each["metadata"], "spec": each["spec"]["template"]["spec"]}
        if each["kind"] == "Deployment"
        else each
        for each in found
    ]


@pytest.fixture(scope="module")
def gateway(docker: Docker, kube: KubeApiServer) -> Iterator[str]:
    """A network for pods; its address of this machine is where they reach kube-apiserver."""
    docker.run("network", "create", NETWORK)
    address = docker.run("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", NETWORK).strip()
    with forwarded(address, 443, int(kube.url.rpartition(":")[2])):
        yield address
    docker.run("network", "rm", NETWORK)


def account(kube: KubeApiServer, form: str, *more: dict[str, object]) -> str:
    """The token of the form's service account, which has the rights in the manifests and those given."""
    kinds = {"Namespace", "ServiceAccount", "ClusterRoleBinding", "RoleBinding"}
    kube.apply(*(each for each in objects(form) if each["kind"] in kinds), *more)
    name = f"my-{'api' if form == 'server' else 'client'}"
    return kube.kubectl("create", "token", name, f"--namespace={name}").stdout.strip()


@pytest.fixture(scope="module")
def authority() -> CertificateAuthority:
    """Who has signed what the server's sidecar shows."""
    return CertificateAuthority("my-api")


@pytest.fixture(scope="module")
def server(docker: Docker, kube: KubeApiServer, gateway: str, authority: CertificateAuthority) -> Iterator[Pod]:
    """The pod of an API server in plain HTTP; in its cluster, readers may read things."""
    certificate, key = authority.issue("my-api", dns_names=["my-api.my-api.svc"], client=False)
    stand = Stand(
        token=account(kube, "server", *grant("reads-things", READ, groups=["readers"])),
        authority=kube.serving.certificate,
        hosts={NAME: gateway},
        programs={"api": ("python", "/tests/plain.py")},
        secrets={"my-api-tls": {"tls.crt": certificate, "tls.key": key}},
    )
    with pod.running(docker, NETWORK, objects("server"), stand) as running:
        await_ready(running)
        yield running


@pytest.fixture(scope="module")
def client(docker: Docker, kube: KubeApiServer, gateway: str) -> Iterator[Pod]:
    """The pod of a client."""
    stand = Stand(
        token=account(kube, "client"),
        authority=kube.serving.certificate,
        hosts={NAME: gateway},
        programs={"client": ("sleep", "infinity")},
        secrets={},
    )
    with pod.running(docker, NETWORK, objects("client"), stand) as running:
        await_ready(running)
        yield running


def await_ready(running: Pod) -> None:
    """Returns when the sidecar's readiness probe succeeds; fails with its last words."""
    try:
        until(lambda: not running.runs("isthmus") or ready(running), "the sidecar is ready", READY_SECONDS)
        assert running.runs("isthmus"), "the sidecar has ended"
    except AssertionError as error:
        raise AssertionError(f"{error}\n{running.last_words('isthmus')}") from error


def ready(running: Pod) -> bool:
    """Whether the sidecar's readiness probe succeeds."""
    try:
        answer = urllib3.request("GET", f"http://{running.address}:9090/readyz", retries=False, timeout=PATIENCE)
    except urllib3.exceptions.HTTPError:
        return False
    return answer.status == 200


def front(
    server: Pod, authority: CertificateAuthority, pair: tuple[bytes, bytes] = (b"", b"")
) -> urllib3.HTTPSConnectionPool:
    """A client of the server's front door, with a certificate if one is given."""
    return urllib3.HTTPSConnectionPool(
        server.address,
        8443,
        ssl_context=tls.client(authority.certificate, *pair),
        server_hostname="my-api.my-api.svc",
        assert_hostname="my-api.my-api.svc",
        retries=False,
        timeout=PATIENCE,
    )


def arrived(server: Pod) -> list[dict[str, Any]]:
    """The requests for the group that the plain server has seen."""
    lines = [json.loads(line) for line in server.log("api").splitlines()]
    return [line for line in lines if line["path"].startswith(f"/apis/{GROUP}/")]


def values(request: dict[str, Any], name: str) -> list[str]:
    """All lines of a header."""
    return [value for header, value in request["headers"] if header.lower() == name]


def open_ports(docker: Docker, address: str, *ports: int) -> list[int]:
    """Those ports of an address that another container of the network can connect to, and so can this machine."""
    command = ("python", "-c", KNOCK, address, *map(str, ports))
    found = [int(port) for port in docker.run("run", "--rm", f"--network={NETWORK}", IMAGE, *command).split()]
    here = []
    for port in ports:
        with socket.socket() as knocking:
            knocking.settimeout(PATIENCE)
            here += [port] if knocking.connect_ex((address, port)) == 0 else []
    assert found == here
    return found


def asked(client: Pod, path: str, body: object = None, **headers: str) -> tuple[int, dict[str, Any]]:
    """What the client gets from its local endpoint."""
    given = json.dumps([path, {"Content-Type": "application/json", **headers}, body])
    status, answer = json.loads(client.inside("client", "python", "-c", ASK, given))
    return status, answer


def test_identity_arrives(server: Pod, kube: KubeApiServer, authority: CertificateAuthority) -> None:
    """The server is told whose certificate the cluster believes, and nothing that the client has made up."""
    alice = kube.clients.issue("alice", organizations=["readers"], server=False)
    forged = {"X-Remote-User": "root", "X-Remote-Group": "system:masters", "Authorization": "Basic eDp5"}

    assert front(server, authority, alice).request("GET", THINGS, headers=forged).status == 200

    seen = arrived(server)[-1]
    assert values(seen, "x-remote-user") == ["alice"]
    assert values(seen, "x-remote-group") == ["readers", "system:authenticated"]
    assert values(seen, "authorization") == []


def test_a_front_proxy_speaks_for_others(server: Pod, kube: KubeApiServer, authority: CertificateAuthority) -> None:
    """The kube-apiserver that aggregates it is believed, and whom it names is judged."""
    proxy = front(server, authority, kube.front_proxy.issue("front-proxy-client", server=False))

    allowed = proxy.request("GET", THINGS, headers={"X-Remote-User": "bob", "X-Remote-Group": "readers"})
    refused = proxy.request("GET", THINGS, headers={"X-Remote-User": "eve"})

    assert (allowed.status, refused.status) == (200, 403)
    assert values(arrived(server)[-1], "x-remote-user") == ["bob"]


def test_what_is_not_allowed_does_not_arrive(server: Pod, kube: KubeApiServer, authority: CertificateAuthority) -> None:
    """No credential, no right, no such API: the plain server sees none of them."""
    alice = front(server, authority, kube.clients.issue("alice", organizations=["readers"], server=False))
    mallory = front(server, authority, kube.clients.issue("mallory", server=False))
    nobody = front(server, authority)
    before = server.log("api")

    assert alice.request("DELETE", f"{THINGS}/only").status == 403
    assert alice.request("GET", "/apis/other.example.com/v1/things").status in {403, 404}
    assert mallory.request("GET", THINGS).status == 403
    assert nobody.request("GET", THINGS).status == 403
    assert nobody.request("GET", THINGS, headers={"Authorization": "Bearer x"}).status == 401
    assert server.log("api") == before


def test_the_server_is_reached_through_the_sidecar_only(server: Pod, docker: Docker) -> None:
    """Of the pod's address the front door and the probes' port are open; the server's port is the pod's own."""
    assert open_ports(docker, server.address, 8080, 8443, 9090) == [8443, 9090]
    assert server.inside("api", "python", "-c", "import socket; socket.create_connection(('127.0.0.1', 8080), 5)") == ""


def test_a_client_without_a_credential_acts_as_the_account(client: Pod) -> None:
    """kube-apiserver sees the sidecar's token, whatever the client says of itself."""
    forged = {"Authorization": "Bearer mine", "X-Remote-User": "root", "X-Remote-Group": "system:masters"}

    status, answer = asked(client, "/apis/authentication.k8s.io/v1/selfsubjectreviews", REVIEW, **forged)

    assert status == 201
    assert answer["status"]["userInfo"]["username"] == ACCOUNT
    assert client.inside("client", "sh", "-c", "find / -name token -not -path '/proc/*' 2>/dev/null || true") == ""


def test_an_account_without_a_right_is_refused(client: Pod) -> None:
    """What kube-apiserver says reaches the client."""
    status, answer = asked(client, "/api/v1/namespaces/kube-system/secrets")

    assert (status, answer["reason"]) == (403, "Forbidden")
    assert f'User "{ACCOUNT}" cannot list resource "secrets"' in answer["message"]


def test_the_endpoint_is_the_pods_own(client: Pod, docker: Docker) -> None:
    """Nobody else can act with the account's token."""
    assert open_ports(docker, client.address, 8001, 9090) == [9090]


@pytest.mark.parametrize(("form", "container"), [("server", "isthmus"), ("server", "api"), ("client", "isthmus")])
def test_a_container_cannot_do_what_it_was_denied(request: pytest.FixtureRequest, form: str, container: str) -> None:
    """The kernel confirms it: no root, no capability, none to be gained, and no file of the image can be written."""
    running: Pod = request.getfixturevalue(form)
    lines = running.inside(container, "cat", "/proc/1/status").splitlines()
    status = dict(line.split(":\t", 1) for line in lines)
    wrote = running.inside(container, "sh", "-c", "touch /opt/isthmus/x /etc/x /var/lib/isthmus/x 2>&1 || true")

    assert status["Uid"].split() == ["65532"] * 4
    assert {status[name] for name in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert wrote.count("Read-only file system") == 3
