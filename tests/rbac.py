"""Rights as manifests, for Isthmus and for kube-apiserver alike.

In: rules and whom they are for. Out: a ClusterRole and its ClusterRoleBinding. Law: nobody gets a right that the test
does not name.
"""

from __future__ import annotations

from collections.abc import Iterable


def grant(
    name: str, *rules: dict[str, list[str]], users: Iterable[str] = (), groups: Iterable[str] = ()
) -> list[dict[str, object]]:
    """A ClusterRole of that name with the rules, bound to the users and groups in every namespace."""
    rbac = "rbac.authorization.k8s.io"
    subjects = [{"apiGroup": rbac, "kind": "User", "name": user} for user in users]
    subjects += [{"apiGroup": rbac, "kind": "Group", "name": group} for group in groups]
    return [
        {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": list(rules)},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": name},
            "subjects": subjects,
        },
    ]
