from __future__ import annotations

from importlib.resources import files

import yaml


def test_the_bootstrap_policy_grants_what_kube_apiserver_grants_from_the_start() -> None:
    """Four ClusterRoles and their bindings to kube-apiserver's groups are shipped with the package."""
    documents = list(yaml.safe_load_all(files("controlplane.auth").joinpath("bootstrap_policy.yaml").read_text()))

    bound = {
        document["roleRef"]["name"]: [subject["name"] for subject in document["subjects"]]
        for document in documents
        if document["kind"] == "ClusterRoleBinding"
    }
    roles = {document["metadata"]["name"] for document in documents if document["kind"] == "ClusterRole"}
    expected = {
        "cluster-admin": ["system:masters"],
        "system:discovery": ["system:authenticated"],
        "system:basic-user": ["system:authenticated"],
        "system:public-info-viewer": ["system:authenticated", "system:unauthenticated"],
    }
    assert expected == bound
    assert set(expected) == roles


def test_every_rule_of_the_bootstrap_policy_grants_something() -> None:
    """Each rule has verbs, and either resources with their groups or non-resource URLs."""
    documents = list(yaml.safe_load_all(files("controlplane.auth").joinpath("bootstrap_policy.yaml").read_text()))

    rules = [rule for document in documents for rule in document.get("rules", ())]
    shapes = {frozenset(rule) for rule in rules if all(rule.values())}
    assert {frozenset({"verbs", "apiGroups", "resources"}), frozenset({"verbs", "nonResourceURLs"})} == shapes
    assert len(rules) == 6
