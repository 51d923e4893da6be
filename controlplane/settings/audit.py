"""The audit log.

In: the section `audit`. Out: a frozen value. Law: without it there is no audit log, and Envoy is not asked to tell of
requests.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from controlplane.settings.section import Section

_Limit = Annotated[int, Field(ge=0)]


class AuditLog(Section):
    """Where events are written; the numbers are those of kube-apiserver's --audit-log-* flags, 0: no such limit."""

    path: Path | Literal["-"] = "-"
    """A file, or "-" for standard output."""
    max_size: _Limit = 0
    """Megabytes (of 1024 * 1024 bytes) until a file is full and another is begun."""
    max_backup: _Limit = 0
    """How many full files are kept."""
    max_age: _Limit = 0
    """Days until a full file is removed."""
    compress: bool = False
    """Whether full files are compressed with gzip."""


class Audit(Section):
    """Which requests are audited, by a Policy of audit.k8s.io/v1, and where to."""

    policy_file: Path
    """Which requests are written, and in how much detail."""
    log: AuditLog = AuditLog()
