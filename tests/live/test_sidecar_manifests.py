"""The manifests in deploy/sidecar, judged by a real kube-apiserver, and the settings in them by Isthmus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from kube import KubeApiServer
from process import ROOT

from controlplane.cli.beside import Options, document
from controlplane.cli.workspace import Workspace
from controlplane.settings.load import checked

FOLDER = ROOT / "deploy" / "sidecar"
FORMS = ("server", "client")


def objects(form: str) -> list[dict[str, Any]]:
    """All objects of a form, in the order of the files' names."""
    texts = (path.read_text() for path in sorted((FOLDER / form).glob("*.yaml")))
    return [found for text in texts for found in yaml.safe_load_all(text)]


def pods(form: str) -> list[dict[str, Any]]:
    """The pods of a form, those that a Deployment would make too."""
    found = [each for each in objects(form) if each["kind"] == "Pod"]
    for each in objects(form):
        if each["kind"] == "Deployment":
            meta = {"name": each["metadata"]["name"], "namespace": each["metadata"]["namespace"]}
            found.append(
                {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": each["spec"]["template"]["spec"]}
            )
    return found


@pytest.mark.parametrize("form", FORMS)
def test_kube_apiserver_takes_them(form: str, kube: KubeApiServer) -> None:
    """Each object passes a dry run with strict validation, and each pod the restricted Pod Security Standard."""
    every = objects(form)
    kube.apply(*(each for each in every if each["kind"] == "Namespace"))

    whole = yaml.safe_dump_all([*every, *pods(form)])
    applied = kube.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", text=whole)

    assert (applied.returncode, applied.stderr) == (0, "")
    assert len(applied.stdout.splitlines()) == len(every) + len(pods(form))


@pytest.mark.parametrize("form", FORMS)
def test_isthmus_takes_the_settings(form: str, tmp_path: Path) -> None:
    """The settings file in the ConfigMap is one that the sidecar starts with."""
    (text,) = (each["data"]["sidecar.yaml"] for each in objects(form) if "sidecar.yaml" in each.get("data", {}))
    whole = document(Options(), yaml.safe_load(text), {}, Workspace(tmp_path, tmp_path))

    settings = checked(whole, "sidecar.yaml", tmp_path)

    assert settings.sidecar is not None
    assert (settings.sidecar.server is not None) == (form == "server")


@pytest.mark.parametrize("form", FORMS)
def test_pods_are_locked_down(form: str) -> None:
    """No root, nothing to write to but volumes, no capability, limits, and every probe on a port that is there."""
    for pod in pods(form):
        assert pod["spec"]["automountServiceAccountToken"] is False
        for container in (*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())):
            context = container["securityContext"]
            assert (context["readOnlyRootFilesystem"], context["capabilities"]) == (True, {"drop": ["ALL"]})
            assert {"requests", "limits"} <= set(container["resources"])
            if container["name"] == "isthmus":
                ports = {port["name"] for port in container["ports"]}
                probes = [container[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "liveness", "readiness")]
                assert set(probes) <= ports
