"""`isthmus status`: what is registered, whether it is served, and what could not be taken over.

In: a settings file, and a running control plane. Out: a table, or JSON. Law: the table is for people and may change;
the JSON is the StatusService's response and changes only as that does.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import click
from google.protobuf.json_format import MessageToJson

from controlplane.admin.client import fetch
from controlplane.api.v1 import status_pb2
from controlplane.cli.asking import admin_address, aligned, config_option
from controlplane.model.problem import Origin, Problem


@click.command("status")
@config_option
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(config: Path, output: Literal["table", "json"]) -> None:
    """Show what is registered and what is wrong with the rest."""
    response = fetch(admin_address(config))
    if output == "json":
        click.echo(MessageToJson(response, always_print_fields_with_no_presence=True))
        return
    click.echo(table(response.api_services))
    for problem in response.problems:
        click.echo(_sentence(problem), err=True)


def table(apis: Iterable[status_pb2.ApiServiceStatus]) -> str:
    """APIServices in columns, as `kubectl get apiservices` has them, with where requests go."""
    rows = [("NAME", "SERVICE", "AVAILABLE", "ENDPOINTS")]
    for api in apis:
        available = api.available if api.available == "True" else f"{api.available} ({api.reason})"
        rows.append((api.name, api.service, available, ",".join(api.endpoints) or "<none>"))
    return aligned(rows)


def _sentence(problem: status_pb2.Problem) -> str:
    origin = Origin(problem.path, problem.document)
    return str(Problem(origin, problem.subject, problem.field, problem.message, problem.remedy))
