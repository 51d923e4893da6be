"""The part of a control plane that decides about requests: its rulings, and the source of the files they rest on.

In: settings, policies, and somebody to tell of Problems. Out: rulings that follow the policies, and a source. Law: what
the source lets through is described once more from the very bytes it read.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry

from controlplane.aio import Watchable
from controlplane.auditing import read_policy
from controlplane.auth.description import Description, described
from controlplane.auth.ruling import RulingMetrics, Rulings
from controlplane.egress.proxying import proxies
from controlplane.model.auth_files import AuthFiles
from controlplane.model.policy import Policy
from controlplane.model.problem import Problem
from controlplane.settings.settings import Settings
from controlplane.sources.auth_files import AuthFilesSource


def rulings(settings: Settings, policies: Watchable[Policy], registry: CollectorRegistry) -> Rulings:
    """What decides by the policies; its metrics are made in `registry`."""
    # The key lives as long as the process: the table of hashes is of no use to anybody else.
    key = secrets.token_bytes(32)

    def describe(files: AuthFiles) -> Description:
        return _described(settings, key, files.bytes_of)[0]

    metrics = RulingMetrics.of(registry, time.time)
    return Rulings(policies, describe, metrics, clock=time.time, key=key, proxies=proxies(os.environ))


def auth_files(settings: Settings, report: Callable[[tuple[Problem, ...]], None]) -> AuthFilesSource:
    """The source of the files that settings name, that of the audit policy among them."""

    def examine(read: Callable[[Path], bytes]) -> tuple[Problem, ...]:
        problems = _described(settings, secrets.token_bytes(32), read)[1]
        return problems if settings.audit is None else (*problems, *read_policy(settings.audit, read)[1])

    return AuthFilesSource(examine, report)


def asks_others(settings: Settings) -> bool:
    """Whether a decision may wait for another server: for reviews, or for an issuer's keys."""
    authentication, authorizers = settings.authentication, settings.authorizers
    others = (authentication.webhook, authentication.configuration_file, authentication.service_accounts)
    return any(other is not None for other in (*others, authorizers.webhook, authorizers.configuration_file))


def _described(
    settings: Settings, key: bytes, read: Callable[[Path], bytes]
) -> tuple[Description, tuple[Problem, ...]]:
    describe = partial(described, settings.authentication, settings.authorizers)
    return describe(read, environment=os.environ, key=key)
