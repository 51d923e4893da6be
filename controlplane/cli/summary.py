"""What `isthmus up` tells a person once everything answers.

In: what runs and where. Out: text. Law: every command shown works as it stands, pasted into a shell in the folder that
`isthmus up` was started in.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from controlplane.cli import demo
from controlplane.settings.address import Address


@dataclass(frozen=True, slots=True)
class Row:
    """One running program: what to call it, its process id, and where it is reached."""

    name: str
    pid: int
    reached: str


@dataclass(frozen=True, slots=True)
class Front:
    """The front door and the folder that describes it; `sample` is a manifest of demo objects, if there is one.

    `isthmus` is the command as it is typed here, `config_api` where the config API is (None: there is none) and
    `changed` whether a person has made the settings theirs.
    """

    url: str
    folder: Path
    demo: bool
    kubectl: bool
    sample: Path | None
    isthmus: str
    config_api: Address | None
    changed: bool = False


def render(rows: Iterable[Row], front: Front, here: Path) -> str:
    """The summary; paths below the folder `here` are shown relative to it."""
    rows = tuple(rows)
    names = max(len(row.name) for row in rows)
    pids = max(len(str(row.pid)) for row in rows)
    lines = [f"{row.name:<{names}}  pid {row.pid:<{pids}}  {row.reached}" for row in rows]
    kubeconfig = front.folder / "kubeconfig"
    lines += ["", f"kubeconfig: {shown(kubeconfig, here)} (contexts admin, alice)"]
    if front.config_api is not None:
        lines.append(f"config API: {at(front.config_api, here)} (gRPC)")
    if front.changed:
        lines.append(f"settings:   {shown(front.folder / 'config.yaml', here)} (changed by you, and left as it is)")
    commands = [*(_kubectl(front, here) if front.kubectl else _curl(front, here)), *_isthmus(front, here)]
    return "\n".join([*lines, "", "Try:", *(f"  {command}" for command in commands)])


def shown(path: Path, here: Path) -> str:
    """The path as a person in the folder `here` writes it."""
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def at(address: Address, here: Path) -> str:
    """The address as a person in the folder `here` writes it."""
    return shown(Path(address.path), here) if address.path else str(address)


def _isthmus(front: Front, here: Path) -> list[str]:
    # These are the settings that the command looks for by itself.
    settings = shown(front.folder / "config.yaml", here)
    where = "" if settings == ".isthmus/config.yaml" else f" --config {shlex.quote(settings)}"
    return [f"{shlex.quote(front.isthmus)} status{where}"]


def _kubectl(front: Front, here: Path) -> list[str]:
    path = front.folder / "kubeconfig"
    inside = path.is_relative_to(here)
    export = f"export KUBECONFIG={'$PWD/' if inside else ''}{shlex.quote(shown(path, here))}"
    if not front.demo:
        return [export, "kubectl version", "kubectl get --raw /apis", "kubectl --context alice get --raw /apis"]
    second = "kubectl get clusterservicebrokers"
    if front.sample is not None:
        second = f"kubectl apply -f {shlex.quote(shown(front.sample, here))}"
    return [
        export,
        f"kubectl api-resources --api-group={demo.GROUP}",
        second,
        "kubectl --context alice get clusterservicebrokers",
    ]


def _curl(front: Front, here: Path) -> list[str]:
    pki = front.folder / "pki"
    authority = shlex.quote(shown(pki / "serving-ca.crt", here))

    def ask(user: str, path: str) -> str:
        certificate, key = (shlex.quote(shown(pki / f"{user}.{suffix}", here)) for suffix in ("crt", "key"))
        return f"curl --cacert {authority} --cert {certificate} --key {key} {front.url}{path}"

    if not front.demo:
        return [ask("admin", "/version"), ask("admin", "/apis"), ask("alice", "/apis")]
    return [ask("admin", "/apis"), ask("admin", demo.FIRST_PATH), ask("alice", demo.FIRST_PATH)]
