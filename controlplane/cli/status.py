"""`isthmus status`: what is registered, whether it is served, and what could not be taken over.

In: a settings file, and a running control plane. Out: a table, JSON or YAML. Law: the table is for people and may
change; the rest is the StatusService's response and changes only as that does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import click

from controlplane.admin.client import fetch
from controlplane.admin.proxies import as_json
from controlplane.api.v1 import status_pb2
from controlplane.cli.asking import admin_face, aligned, as_yaml, config_option
from controlplane.model.problem import Origin, Problem


@click.command("status")
@config_option
@click.option("-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True)
def command(config: Path, output: Literal["table", "json", "yaml"]) -> None:
    """Show what is registered and what is wrong with the rest."""
    response = fetch(admin_face(config))
    click.echo(_RENDERERS[output](response))
    if output == "table":
        for problem in response.problems:
            click.echo(_sentence(problem), err=True)


def table(response: status_pb2.GetStatusResponse) -> str:
    """APIServices in columns, as `kubectl get apiservices` has them, and why proxies do not take what serves them."""
    rows = [("NAME", "SERVICE", "AVAILABLE", "PROGRAMMED", "ENDPOINTS")]
    for api in response.api_services:
        available = _cell(api.available, api.reason)
        programmed = _cell(api.programmed, api.programmed_reason)
        rows.append((api.name, api.service, available, programmed, ",".join(api.endpoints) or "<none>"))
    return "\n".join((aligned(rows), *_reasons(response.api_services)))


def _cell(status: str, reason: str) -> str:
    return status if status == "True" else f"{status} ({reason})"


def _reasons(apis: Iterable[status_pb2.ApiServiceStatus]) -> Iterator[str]:
    found: dict[str, list[str]] = {}
    for api in apis:
        if api.programmed == "False":
            found.setdefault(api.programmed_message, []).append(api.name)
    # What all APIs lean on can be rejected for all of them at once.
    for message, names in found.items():
        yield f"{names[0]}{f' and {len(names) - 1:,} more' if len(names) > 1 else ''}: {message}"


def _sentence(problem: status_pb2.Problem) -> str:
    origin = Origin(problem.path, problem.document)
    return str(Problem(origin, problem.subject, problem.field, problem.message, problem.remedy))


_RENDERERS: Final[MappingProxyType[str, Callable[[status_pb2.GetStatusResponse], str]]] = MappingProxyType(
    {"table": table, "json": as_json, "yaml": as_yaml}
)
