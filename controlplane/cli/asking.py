"""What the commands that ask a running control plane have in common.

In: a settings file; rows of text; a response. Out: the face to ask; aligned columns; YAML. Law: one way to name the
control plane, one way to print a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from controlplane.cli import files, sockets
from controlplane.errors import SettingsError
from controlplane.settings.face import AdminFace
from controlplane.settings.load import load

config_option = click.option(
    "--config",
    default=Path(".isthmus/config.yaml"),
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The settings file of the control plane (YAML).",
)


def admin_face(config: Path) -> AdminFace:
    """Where, and with what, the control plane with those settings is asked.

    Raises:
        SettingsError: when it is not asked at all.
        StartError: when somebody else may be listening there.
    """
    face = load(config).admin
    if face is None:
        raise SettingsError(f"{config}: admin is not set, so nobody can ask; set admin.listen to an address")
    sockets.refuse_a_strangers(face.reached_at, config)
    return face


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """The rows as lines whose columns begin at the same place; all rows have the same number of columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "   ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def as_yaml(response: Message) -> str:
    """The response as YAML, with every field even where it has nothing to say."""
    return files.as_yaml(MessageToDict(response, always_print_fields_with_no_presence=True)).rstrip("\n")
