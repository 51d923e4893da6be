"""Acting as somebody else through the real Envoy, with the real kubectl."""

from __future__ import annotations

import json
from collections.abc import Iterator

import kubectl
import pytest
from backend import Backend
from rbac import grant
from stack import Stack, registration, until

GROUP = "echo.example.com"
THINGS = f"/apis/{GROUP}/v1/namespaces/ns/things"
READ = {"apiGroups": [GROUP], "resources": ["things"], "verbs": ["get", "list"]}
AS_CAROL = {"apiGroups": [""], "resources": ["users"], "resourceNames": ["carol"], "verbs": ["impersonate"]}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A front door."""
    with Stack() as running:
        yield running


@pytest.fixture(scope="module")
def backend(stack: Stack) -> Iterator[Backend]:
    """A backend that carol may read, and helen may only as carol."""
    with Backend(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as running:
        stack.drop("echo.yaml", *registration(GROUP, "v1", running.port, stack.servers.certificate))
        stack.drop("carol.yaml", *grant("reader", READ, users=["carol"]), *grant("desk", AS_CAROL, users=["helen"]))
        until(lambda: stack.status(THINGS, stack.http("carol")) == 200, "the backend is served")
        yield running


def test_the_backend_sees_the_impersonated_user_alone(stack: Stack, backend: Backend) -> None:
    """Name, UID, groups and extras are those asked for, each on its line; nothing tells of impersonation."""
    headers = {
        "Impersonate-User": "dave",
        "Impersonate-Uid": "77",
        "Impersonate-Group": "one,two",
        "Impersonate-Extra-Scopes": "view",
        "Impersonate_User": "eve",
    }

    response = stack.http("admin", "system:masters").request("GET", stack.url + THINGS, headers=headers)

    assert response.status == 403
    stack.drop("dave.yaml", *grant("dave", READ, groups=["one,two"]))
    client = stack.http("admin", "system:masters")
    until(lambda: client.request("GET", stack.url + THINGS, headers=headers).status == 200, "the group may read")
    seen = backend.seen[-1]
    identity = {
        name.lower(): value for name, value in seen.headers if name.lower().startswith(("x-remote", "imperson"))
    }
    assert identity == {
        "x-remote-user": "dave",
        "x-remote-uid": "77",
        "x-remote-group": "system:authenticated",
        "x-remote-extra-scopes": "view",
    }
    assert seen.lines("X-Remote-Group") == ["one,two", "system:authenticated"]


def test_who_may_impersonate_one_user_becomes_nobody_else(stack: Stack, backend: Backend) -> None:
    """A permission for one name is for that name, and adds nothing to one's own rights."""
    helen = stack.http("helen")

    def status(**headers: str) -> int:
        return helen.request("GET", stack.url + THINGS, headers=headers).status

    codes = [status(), status(Impersonate_User="carol"), status(**{"Impersonate-User": "carol"})]
    codes += [status(**{"Impersonate-User": "admin"})]
    codes += [status(**{"Impersonate-User": "carol", "Impersonate-Group": "system:masters"})]
    assert codes == [403, 403, 200, 403, 403]


def test_an_impersonation_is_not_remembered_for_the_one_who_did_it(stack: Stack, backend: Backend) -> None:
    """The same connection is itself again in its next request."""
    helen = stack.http("helen")

    codes = [
        helen.request("GET", stack.url + THINGS, headers=headers).status
        for headers in ({"Impersonate-User": "carol"}, {}, {"Impersonate-User": "carol"}, {})
    ]

    assert codes == [200, 403, 200, 403]


def test_groups_without_a_user_are_a_bad_request(stack: Stack, backend: Backend) -> None:
    """The answer is kube-apiserver's."""
    response = stack.http("carol").request("GET", stack.url + THINGS, headers={"Impersonate-Group": "g"})

    body = json.loads(response.data)
    assert (400, "BadRequest") == (response.status, body["reason"])
    assert body["message"].startswith("requested &user.DefaultInfo{")


def test_kubectl_as_works(stack: Stack, backend: Backend) -> None:
    """`kubectl --as` gets what the other user would get."""
    config = stack.kubeconfig("helen")

    own, other = (kubectl.run(config, "get", "--raw", THINGS, *extra) for extra in ((), ("--as", "carol")))

    assert own.returncode != 0
    assert 'User "helen" cannot list resource "things"' in own.stderr
    assert other.returncode == 0, other.stderr
