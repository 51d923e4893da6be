"""The default policy beside a real kube-apiserver's."""

from __future__ import annotations

import json
from importlib import resources

from kube import KubeApiServer
from rbac import grant
from stack import Stack, until

from controlplane.model.change import Object, ObjectKey
from controlplane.sources.manifest import decoded

FILES = ("bootstrap_policy.yaml", "kubernetes_policy.yaml")
LABEL = "kubernetes.io/bootstrapping=rbac-defaults"
KINDS = ("clusterroles", "clusterrolebindings", "roles", "rolebindings")


def shipped() -> dict[ObjectKey, Object]:
    """The objects of both files."""
    found: dict[ObjectKey, Object] = {}
    for name in FILES:
        objects, problems = decoded(resources.files("controlplane.auth").joinpath(name).read_bytes(), name)
        assert problems == ()
        found |= objects
    return found


def test_the_whole_policy_is_kube_apiservers(kube: KubeApiServer) -> None:
    """Every object that a kube-apiserver makes at its first start is shipped as it makes it, and no other."""
    listed = json.loads(kube.kubectl("get", ",".join(KINDS), "-A", "-o", "json", "-l", LABEL).stdout)
    objects, problems = decoded(json.dumps(listed).encode(), "kube-apiserver")

    assert problems == ()
    assert dict(objects) == shipped()


def test_view_gathers_what_is_labelled_for_it() -> None:
    """On request admin, edit and view are there and take up the rules of labelled ClusterRoles."""
    rules = {"apiGroups": ["shop.example.com"], "resources": ["carts"], "verbs": ["get"]}
    role, _ = grant("carts", rules)
    role["metadata"] = {"name": "carts", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}}
    binding = grant("viewers", rules, users=["carol"])[1]
    binding["roleRef"] = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    with Stack(settings={"authorizers": {"defaultPolicy": "kubernetes"}}) as stack:
        stack.drop("carts.yaml", role, binding)
        paths = ("/apis/shop.example.com/v1/carts/c", "/api/v1/namespaces/n/pods/p", "/api/v1/namespaces/n/secrets/s")
        carol = stack.http("carol")

        until(lambda: stack.status(paths[0], carol) != 403, "the role is in force")
        assert [404, 404, 403] == [stack.status(path, carol) for path in paths]
