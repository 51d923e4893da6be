"""A folder of manifests, and what its source says of it.

In: files. Out: the source's batches and reports, and what is in force after them. Law: nobody sees a half-written file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from listening import Listener

from controlplane.model.change import Change, Delete, ObjectKey, Synced, Upsert
from controlplane.model.rbac import Role
from controlplane.sources.files import FilesSource

ROLE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: %s}
rules: [{apiGroups: [""], resources: [pods], verbs: [%s]}]
"""
API_SERVICE = """\
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.g%(n)d.example.com}
spec:
  group: g%(n)d.example.com
  version: v1
  groupPriorityMinimum: 1000
  versionPriority: 15
  service: {namespace: default, name: backend, port: 8443}
"""


def key(name: str) -> ObjectKey:
    """The key of a Role made of `ROLE`."""
    return ObjectKey("Role", "default", name)


def put(file: Path, text: str) -> None:
    """Writes a file the way that leaves no half-written one to be seen."""
    spare = file.with_name(f".{file.name}")
    spare.write_text(text)
    spare.rename(file)


class FilesListener(Listener):
    """What is said of a folder of Roles, played: `held` is the first verb of each that there is."""

    def __init__(self, folder: Path, **options: Any) -> None:  # noqa: ANN401 - what FilesSource takes
        super().__init__(lambda report: FilesSource(folder, report, **options))
        self.held: dict[ObjectKey, str] = {}
        self.changes: list[Change] = []

    async def next(self) -> tuple[Change, ...]:
        """The next batch."""
        batch = await super().next()
        self.changes += batch
        for change in batch:
            match change:
                case Upsert(key, Role(rules=rules)):
                    self.held[key] = rules[0].verbs[0]
                case Delete(key):
                    del self.held[key]
        return batch

    async def until_synced(self) -> None:
        """Takes everything that is there at the start."""
        while Synced("files") not in self.changes:
            await self.next()
