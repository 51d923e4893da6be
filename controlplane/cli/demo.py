"""The demo API server: where its program is, and its registration.

In: an address and a CA. Out: one manifest file. Law: the file is rewritten only while it is exactly what was generated;
once somebody has changed or deleted it, it is theirs.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import controlplane
from controlplane.cli import files
from controlplane.cli.generated import is_generated, stamped
from controlplane.cli.workspace import Workspace, read_state, write_state
from controlplane.settings.address import Address

GROUP: Final = "servicecatalog.k8s.io"
API_SERVICE: Final = f"v1beta1.{GROUP}"
FIRST_PATH: Final = f"/apis/{GROUP}/v1beta1/clusterservicebrokers"
"""What is asked for to see that everything works."""

_NAME: Final = "servicecatalog"
_FILE: Final = "servicecatalog.yaml"
_NOTICE: Final = "Written by Isthmus; once you change or delete this file it is left alone."


def source() -> Path | None:
    """The folder to import the demo from; None in an installation, which does not carry it."""
    folder = Path(controlplane.__file__).resolve().parents[1] / "examples" / _NAME
    return folder if (folder / _NAME / "__main__.py").is_file() else None


def manifest(address: Address, ca_bundle: bytes) -> bytes:
    """The registration of a demo server at `address` (IP or DNS name) that `ca_bundle` (PEM) verifies, as YAML."""
    where: dict[str, object] = {"name": _NAME, "namespace": _NAME}
    reader = {"name": f"{_NAME}-reader"}
    rbac = "rbac.authorization.k8s.io"
    documents: list[dict[str, object]] = [
        *_service(address, where),
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": API_SERVICE},
            "spec": {
                "group": GROUP,
                "version": "v1beta1",
                "groupPriorityMinimum": 1000,
                "versionPriority": 15,
                # An ExternalName Service has no ports of its own to lead elsewhere.
                "service": {**where, "port": 443 if address.numeric else address.port},
                "caBundle": base64.b64encode(ca_bundle).decode(),
            },
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRole",
            "metadata": reader,
            "rules": [{"apiGroups": [GROUP], "resources": ["*"], "verbs": ["get", "list", "watch"]}],
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": reader,
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", **reader},
            "subjects": [{"apiGroup": rbac, "kind": "Group", "name": "developers"}],
        },
    ]
    # Block style without aliases: a person is to read and change this.
    body = "---\n".join(files.as_yaml(document) for document in documents).encode()
    return stamped(_NOTICE, body)


def _service(address: Address, where: Mapping[str, object]) -> list[dict[str, object]]:
    if not address.numeric:
        spec: dict[str, object] = {"type": "ExternalName", "externalName": address.host}
        return [{"apiVersion": "v1", "kind": "Service", "metadata": where, "spec": spec}]
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": where,
            "spec": {"type": "ClusterIP", "ports": [{"name": "https", "port": 443, "protocol": "TCP"}]},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**where, "labels": {"kubernetes.io/service-name": _NAME}},
            "addressType": "IPv6" if ":" in address.host else "IPv4",
            "endpoints": [{"addresses": [address.host], "conditions": {"ready": True}}],
            "ports": [{"name": "https", "port": address.port, "protocol": "TCP"}],
        },
    ]


def seed(workspace: Workspace, content: bytes) -> bool:
    """Puts the generated `content` into the manifests unless somebody made the file theirs; true when it is there."""
    path = workspace.manifests / _FILE
    state = read_state(workspace)
    if not path.exists() and state.demo_seeded:
        return False
    if path.exists() and not is_generated(path.read_bytes()):
        return False
    if not path.exists() or path.read_bytes() != content:
        files.write(path, content)
    write_state(workspace, replace(state, demo_seeded=True))
    return True


def withdraw(workspace: Workspace) -> None:
    """Removes the manifest if it is the generated one; the next `seed` brings it back."""
    path = workspace.manifests / _FILE
    if path.exists() and is_generated(path.read_bytes()):
        # In this order a stop in between leaves a file that `seed` knows; in the other it would look deleted.
        write_state(workspace, replace(read_state(workspace), demo_seeded=False))
        path.unlink()
