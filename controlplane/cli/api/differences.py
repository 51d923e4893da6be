"""What an apply would change, as text.

In: an object as it is, and as it would be. Out: the lines of a unified diff. Law: only what a client can change is
compared; what a Secret holds is in neither object, so that a change of it shows as a change of its sizes, or is said.
"""

from __future__ import annotations

import difflib
from typing import Final

from controlplane.api.v1 import config_pb2
from controlplane.cli.api import printing
from controlplane.cli.api.manifests import Manifest

# The server counts changes, and gives a new object what would be something else each time.
_COUNTED: Final = frozenset({"generation"})
_GIVEN: Final = frozenset({"uid", "creationTimestamp"})


def difference(
    manifest: Manifest,
    live: config_pb2.Object | None,
    merged: config_pb2.Written,
    *,
    managed_fields: bool = False,
) -> tuple[str, ...]:
    """The lines of the diff, none when nothing would change; None for `live`: there is no such object."""
    changed = merged.outcome != config_pb2.Written.OUTCOME_UNCHANGED
    before = [] if live is None else _lines(manifest, live, managed_fields=managed_fields)
    after = _lines(manifest, merged.object, managed_fields=managed_fields, new=live is None)
    if before == after and changed and live is not None and live.secret_sizes:
        before = _lines(manifest, live, managed_fields=managed_fields, mark=" (before)")
        after = _lines(manifest, merged.object, managed_fields=managed_fields, mark=" (after)")
    name = _name(manifest)
    return tuple(difflib.unified_diff(before, after, f"LIVE/{name}", f"MERGED/{name}", lineterm=""))


def _lines(
    manifest: Manifest, item: config_pb2.Object, *, managed_fields: bool, new: bool = False, mark: str = ""
) -> list[str]:
    obj = printing.plain(item, managed_fields=managed_fields)
    if manifest.kind.subresources:
        # It is worked out anew for each answer.
        obj.pop("status", None)
    left_out = _COUNTED | _GIVEN if new else _COUNTED
    obj["metadata"] = {name: value for name, value in obj["metadata"].items() if name not in left_out}
    if item.secret_sizes:
        obj["data"] = {key: f"*** {size} bytes{mark}" for key, size in item.secret_sizes.items()}
    return printing.as_yaml(obj).splitlines()


def _name(manifest: Manifest) -> str:
    kind = manifest.kind
    return ".".join((*filter(None, (kind.group, kind.version)), kind.kind, manifest.namespace, manifest.name))
