"""The audit log of a control plane, and its policy, which follows the file that says it.

In: settings, and policies with the files they were made with. Out: a recorder and a writer. Law: the audit policy in
force is one whose whole file was found good.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Self

from prometheus_client import CollectorRegistry

from controlplane.aio import Watchable
from controlplane.audit.decode_policy import load_policy
from controlplane.audit.metrics import AuditMetrics
from controlplane.audit.policy import AuditPolicy
from controlplane.audit.recorder import Recorder
from controlplane.audit.rotation import opened
from controlplane.audit.writer import Writer
from controlplane.auth.requestinfo import Unreadable, request_info
from controlplane.errors import SettingsError
from controlplane.model.identity import RequestInfo
from controlplane.model.policy import Policy
from controlplane.model.problem import Problem
from controlplane.settings.audit import Audit


def read_policy(section: Audit, read: Callable[[Path], bytes]) -> tuple[AuditPolicy, tuple[Problem, ...]]:
    """The policy in the file that the settings name, and faults of it that do no harm.

    Raises:
        SettingsError: when the file cannot be read or used.
    """
    path = section.policy_file
    try:
        text = read(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or "not there") if isinstance(error, OSError) else "it is not text"
        raise SettingsError(
            f"audit.policyFile: {path} cannot be read ({reason}); mend the file or the setting"
        ) from error
    return load_policy(text, str(path))


class Auditing:
    """An audit log; `recorder` takes what Envoy tells, `writer` writes while it is entered."""

    def __init__(self, section: Audit, policy: AuditPolicy, registry: CollectorRegistry) -> None:
        metrics = AuditMetrics(registry)
        self._section = section
        self._policy = Watchable(policy)
        self.writer = Writer(opened(section.log, time.time), metrics)
        self.recorder = Recorder(self._policy, _asked_for, self.writer.put, metrics, lambda: str(uuid.uuid4()))

    @classmethod
    def of(cls, section: Audit, registry: CollectorRegistry) -> Self:
        """An audit log by the policy as it is in its file now.

        Raises:
            SettingsError: when the file cannot be read or used.
        """
        return cls(section, read_policy(section, Path.read_bytes)[0], registry)

    async def follow(self, policies: Watchable[Policy]) -> None:
        """Takes over the file of each policy, until it is cancelled; its source has found it good."""
        policy = policies.value
        while True:
            before, policy = policy, await policies.changed(policy)
            if policy.files is not before.files:
                self._policy.publish(read_policy(self._section, policy.files.bytes_of)[0])


def _asked_for(method: str, target: str) -> RequestInfo:
    """What a request asked for, as far as it can be read: one that cannot be is refused, and audited all the same."""
    info = request_info(method, target)
    if isinstance(info, Unreadable):
        return RequestInfo(is_resource_request=False, path=target.partition("?")[0], verb=method.lower())
    return info
