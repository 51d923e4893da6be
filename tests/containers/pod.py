"""A Pod of a manifest, run by Docker as a kubelet would: one network namespace, its volumes, its security contexts.

In: the objects of a folder of manifests, and what stands for what only a cluster has (images, Secrets, tokens). Out:
running containers. Law: what the manifest denies a container it is denied here, and a field that is not understood
fails the test.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from containers.daemon import Docker

IMAGE = "isthmus:latest"

_SIZES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


@dataclass(frozen=True)
class Stand:
    """What stands for what only a cluster has: the token of the account, its authority, Secrets and programs.

    `programs` are what the images of other containers than Isthmus would run, by the container's name.
    """

    token: str
    authority: bytes
    hosts: Mapping[str, str]
    programs: Mapping[str, tuple[str, ...]]
    secrets: Mapping[str, Mapping[str, bytes]]


class Pod:
    """Containers of a pod, by their names in the manifest."""

    def __init__(self, docker: Docker, network: str, objects: list[dict[str, Any]], stand: Stand, folder: Path) -> None:
        """`objects` are the pod itself, as a Pod, and what it mounts."""
        (pod,) = (each for each in objects if each["kind"] == "Pod")
        self._docker = docker
        self._spec = pod["spec"]
        self._maps = {each["metadata"]["name"]: each.get("data", {}) for each in objects if each["kind"] == "ConfigMap"}
        self._stand = stand
        self._folder = folder
        self._name = f"{pod['metadata']['name']}-{uuid.uuid4().hex[:8]}"
        self._network = network

    @property
    def address(self) -> str:
        """Its IP address, which the other containers of the network reach, and this machine as a kubelet would."""
        network = f'{{{{(index .NetworkSettings.Networks "{self._network}").IPAddress}}}}'
        return self._docker.run("inspect", "--format", network, self._container("pause")).strip()

    def start(self) -> None:
        """Starts the network, then every container in the order of the manifest."""
        hosts = [f"--add-host={name}:{address}" for name, address in self._stand.hosts.items()]
        pause = ("run", "--detach", "--name", self._container("pause"), "--network", self._network, *hosts)
        self._docker.run(*pause, "--read-only", "--cap-drop=ALL", IMAGE, "sleep", "infinity")
        for container in (*self._spec.get("initContainers", ()), *self._spec["containers"]):
            self._docker.run(*self._command(container))

    def stop(self) -> None:
        """Removes all of them."""
        names = [each["name"] for each in (*self._spec.get("initContainers", ()), *self._spec["containers"])]
        for name in (*names, "pause"):
            self._docker.run("rm", "--force", self._container(name))

    def log(self, container: str) -> str:
        """What a container has printed on its standard output."""
        return self._docker.run("logs", self._container(container))

    def runs(self, container: str) -> bool:
        """Whether a container has not ended."""
        name = self._container(container)
        return self._docker.run("inspect", "--format", "{{.State.Running}}", name).strip() == "true"

    def last_words(self, container: str) -> str:
        """The end of all that a container has printed."""
        name = self._container(container)
        logs = subprocess.run(
            ["docker", "logs", "--tail=40", name],
            env=self._docker.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=30,
            check=False,
        )
        return logs.stdout

    def inside(self, container: str, *command: str) -> str:
        """What a command prints that is run in a container; it must succeed."""
        return self._docker.run("exec", self._container(container), *command)

    def _container(self, name: str) -> str:
        return f"{self._name}-{name}"

    def _command(self, container: dict[str, Any]) -> list[str]:
        user, context = self._spec["securityContext"], container["securityContext"]
        assert user["runAsNonRoot"] is True
        assert context["allowPrivilegeEscalation"] is False
        options = [
            f"--user={user['runAsUser']}:{user['runAsGroup']}",
            *(["--read-only"] if context["readOnlyRootFilesystem"] else []),
            *(f"--cap-drop={name}" for name in context["capabilities"]["drop"]),
            "--security-opt=no-new-privileges:true",
            f"--memory={_size(container['resources']['limits']['memory'])}",
            *(f"--env={each['name']}={each['value']}" for each in container.get("env", ())),
        ]
        for mount in container.get("volumeMounts", ()):
            (volume,) = (each for each in self._spec["volumes"] if each["name"] == mount["name"])
            options += self._mount(volume, mount)
        own = self._stand.programs.get(container["name"])
        command = [*(own if own is not None else container["command"]), *container.get("args", ())]
        if own is not None:
            options.append(f"--volume={Path(__file__).parent}:/tests:ro")
        name = self._container(container["name"])
        network = f"--network=container:{self._container('pause')}"
        return ["run", "--detach", "--name", name, network, *options, IMAGE, *command]

    def _mount(self, volume: dict[str, Any], mount: dict[str, Any]) -> list[str]:
        path, group = mount["mountPath"], self._spec["securityContext"]["fsGroup"]
        folder = self._folder / volume["name"]
        if (empty := volume.get("emptyDir")) is not None:
            if empty.get("medium") == "Memory":
                return ["--tmpfs", f"{path}:mode=1777,size={_size(empty['sizeLimit'])}"]
            folder.mkdir()
            os.chown(folder, 0, group)
            folder.chmod(0o2777)
            return [f"--volume={folder}:{path}"]
        mode, files = self._files(volume)
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
            os.chown(folder / name, 0, group)
            (folder / name).chmod(mode)
        return [f"--volume={folder}:{path}:ro"]

    def _files(self, volume: dict[str, Any]) -> tuple[int, dict[str, bytes]]:
        """The mode and content of a volume's files."""
        if "configMap" in volume:
            return 0o644, {name: text.encode() for name, text in self._maps[volume["configMap"]["name"]].items()}
        if "secret" in volume:
            secret = volume["secret"]
            return secret["defaultMode"], dict(self._stand.secrets[secret["secretName"]])
        files = {}
        for source in volume["projected"]["sources"]:
            if "serviceAccountToken" in source:
                files[source["serviceAccountToken"]["path"]] = self._stand.token.encode()
            else:
                assert source["configMap"]["name"] == "kube-root-ca.crt"
                (item,) = source["configMap"]["items"]
                files[item["path"]] = self._stand.authority
        return volume["projected"]["defaultMode"], files


@contextmanager
def running(docker: Docker, network: str, objects: list[dict[str, Any]], stand: Stand) -> Iterator[Pod]:
    """A pod that has been started; nothing of it is left afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="isthmus-pod-"))
    folder.chmod(0o755)
    pod = Pod(docker, network, objects, stand, folder)
    try:
        pod.start()
        yield pod
    finally:
        pod.stop()
        shutil.rmtree(folder)


def _size(quantity: str) -> int:
    return int(quantity[:-2]) * _SIZES[quantity[-2:]]
