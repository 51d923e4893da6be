"""The settings of a sidecar, from the command line, a settings file and the cluster.

In: what each of them says. Out: one document, as `settings.load` checks it. Law: the command line comes before the
file, the file before the cluster, and what nobody says is a Unix socket or a folder of the sidecar's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controlplane.cli.workspace import Workspace
from controlplane.settings.address import Address


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; None and () where it says nothing."""

    listen: Address | None = None
    upstream: str | None = None
    http2: bool = False
    allow_remote_upstream: bool = False
    apis: tuple[str, ...] = ()
    certificate_file: Path | None = None
    private_key_file: Path | None = None
    client_ca_file: Path | None = None
    server: str | None = None
    ca_file: Path | None = None
    token_file: Path | None = None
    manifests: Path | None = None


def document(
    options: Options, file: Mapping[str, Any], cluster: Mapping[str, Any], workspace: Workspace
) -> dict[str, Any]:
    """The settings of all of them."""
    faces = ("xds", "authorization", "discovery", "admin", "metrics")
    own: dict[str, Any] = {face: {"listen": f"unix:{workspace.sockets / face}.sock"} for face in faces}
    own["manifests"] = str(workspace.manifests)
    if "configurationFile" in (file.get("authorizers") or {}):
        cluster = {name: section for name, section in cluster.items() if name != "authorizers"}
    return merged(merged(merged(own, cluster), file), said(options))


def said(options: Options) -> dict[str, Any]:
    """The sections that the command line comes to."""
    sections: dict[str, Any] = {}
    pair = {"certificateFile": options.certificate_file, "privateKeyFile": options.private_key_file}
    if options.server is not None:
        core = {"server": options.server, "caFile": options.ca_file}
        client = {"listen": options.listen, "tokenFile": options.token_file, **pair}
        sections = {"core": core, "sidecar": {"client": client}}
    else:
        listen = options.listen or Address()
        door = {"address": listen.host, "port": listen.port, "clientCAFile": options.client_ca_file, **pair}
        server = {
            "upstream": options.upstream,
            "http2": options.http2,
            "allowRemoteUpstream": options.allow_remote_upstream,
            "apis": list(options.apis),
        }
        sections = {"frontDoor": door, "sidecar": {"server": server}}
    found = _spoken({**sections, "manifests": options.manifests})
    return found if isinstance(found, dict) else {}


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Both, section by section; where both have a value that is no section, `over` has its way."""
    both = dict(under)
    for name, value in over.items():
        before = both.get(name)
        both[name] = merged(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return both


def _spoken(value: Any) -> Any:  # noqa: ANN401 -- any part of a settings document
    """The same without what was not said: None, False, 0, and what is empty."""
    if isinstance(value, dict):
        kept = {name: _spoken(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner}
    return str(value.absolute()) if isinstance(value, Path) else str(value) if isinstance(value, Address) else value
