"""What the shell offers when somebody asks it to complete a kind or a name.

In: what is typed so far. Out: words. Law: nothing is ever said on the screen: what cannot be found, or not at once, is
not offered.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from controlplane.api.v1 import config_pb2
from controlplane.cli.api.connection import Flags, chosen
from controlplane.cli.api.kinds import resolve, type_of
from controlplane.configapi.client import connected
from controlplane.errors import IsthmusError
from controlplane.resources.kinds import KINDS, Kind

_PATIENCE_SECONDS: Final = 2.0
_MOST: Final = 500


def objects_argument(metavar: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the kinds and names that are typed, as `objects`."""
    return click.argument("objects", nargs=-1, metavar=metavar, shell_complete=words)


def words(context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """Kinds for the first word, and names of objects after it; after TYPE/ names, too."""
    before = tuple(context.params.get("objects") or ())
    kinds = [kind.plural for kind in KINDS.values()]
    if "/" in typed:
        kind, _, _ = typed.partition("/")
        offered = [f"{kind}/{name}" for name in _names(context, kind)]
    elif before and "/" in before[0]:
        offered = [f"{kind}/" for kind in kinds]
    elif before:
        offered = _names(context, before[0])
    else:
        *first, _ = typed.rpartition(",")
        offered = [f"{''.join(first)}{kind}" for kind in kinds]
    return [word for word in offered if word.startswith(typed)]


def _names(context: click.Context, typed: str) -> list[str]:
    given = {name: value for name in Flags.__slots__ if (value := context.params.get(name))}
    try:
        server, namespace = chosen(Flags(**given), os.environ, Path.home())
        everywhere = bool(context.params.get("all_namespaces"))
        with connected(server, timeout=_PATIENCE_SECONDS) as client:
            return [
                item.reference.name
                for kind in resolve(typed)
                for page in itertools.islice(client.pages(_request(kind, "" if everywhere else namespace.name)), 1)
                for item in page.objects
            ]
    except (IsthmusError, click.ClickException):
        return []


def _request(kind: Kind, namespace: str) -> config_pb2.ListRequest:
    return config_pb2.ListRequest(type=type_of(kind), namespace=namespace if kind.namespaced else "", page_size=_MOST)
