"""`isthmus proxies`: which proxies are connected, and whether they hold what they shall.

In: a settings file, and a running control plane. Out: a table, JSON or YAML, once or after every change. Law: the table
is for people and may change; the rest is the StatusService's response and changes only as that does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import click

from controlplane.admin import client
from controlplane.admin.proxies import as_json
from controlplane.api.v1 import status_pb2
from controlplane.cli.asking import admin_face, aligned, as_yaml, config_option
from controlplane.model.resource import CLUSTER, ENDPOINTS, EXTENSION_CONFIG, LISTENER, SCOPED_ROUTE, SECRET

_COLUMNS: Final = MappingProxyType(
    {
        "CDS": CLUSTER,
        "EDS": ENDPOINTS,
        "LDS": LISTENER,
        "SRDS": SCOPED_ROUTE,
        "SDS": SECRET,
        "ECDS": EXTENSION_CONFIG,
    }
)
_NOT_SUBSCRIBED: Final = "-"


@click.command("proxies")
@config_option
@click.option("-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True)
@click.option("--watch", is_flag=True, help="Print again after every change, until Ctrl-C.")
def command(*, config: Path, output: Literal["table", "json", "yaml"], watch: bool) -> None:
    """Show which proxies are connected and whether they hold what they shall."""
    face = admin_face(config)
    render = _RENDERERS[output]
    if not watch:
        click.echo(render(client.proxies(face)))
        return
    shown = ""
    try:
        for response in client.watch_proxies(face):
            text = render(response)
            if text != shown:
                click.echo(f"{_SEPARATORS[output]}\n{text}" if shown else text)
                shown = text
    except KeyboardInterrupt:
        return


def table(response: status_pb2.ListProxiesResponse) -> str:
    """A line a stream with the state of each type, then a line a rejected resource with the proxy's reason."""
    if not response.proxies:
        return "no proxies connected"
    rows = [("NODE", "CLUSTER", "VERSION", *_COLUMNS)]
    for proxy in response.proxies:
        kinds = {kind.type_url: _cell(kind) for kind in proxy.types}
        states = (kinds.get(type_url, _NOT_SUBSCRIBED) for type_url in _COLUMNS.values())
        rows.append((proxy.node_id, proxy.node_cluster or "-", proxy.version or "-", *states))
    # Two streams of one proxy lack the same resource for the same reason.
    return "\n".join((aligned(rows), *dict.fromkeys(_reasons(response.proxies))))


def _cell(kind: status_pb2.ProxyTypeStatus) -> str:
    return f"{kind.state} ({kind.behind} behind)" if kind.state == "STALE" and kind.behind else kind.state


def _reasons(proxies: Iterable[status_pb2.ProxyStatus]) -> Iterable[str]:
    for proxy in proxies:
        for kind in proxy.types:
            for resource in kind.rejected:
                what = f"{kind.type_url.rpartition('.')[2]} {resource.name} (version {resource.version})"
                yield f"{proxy.node_id}: {what} was rejected: {' '.join(resource.reason.split())}"


_RENDERERS: Final[MappingProxyType[str, Callable[[status_pb2.ListProxiesResponse], str]]] = MappingProxyType(
    {"table": table, "json": as_json, "yaml": as_yaml}
)
_SEPARATORS: Final = MappingProxyType({"table": "", "json": "", "yaml": "---"})
