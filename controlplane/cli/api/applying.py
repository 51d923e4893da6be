"""Applying objects in batches, although a batch is all or nothing.

In: manifests in the order in which they are to be there. Out: what became of each. Law: an object that is refused
keeps no other from being applied; an error that is about no object ends everything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from controlplane.api.v1 import config_pb2
from controlplane.cli.api.batches import batches
from controlplane.cli.api.manifests import Manifest
from controlplane.cli.api.waiting import Waiting
from controlplane.configapi.client import ApiError, ConfigClient

_TOO_LARGE: Final = "RESOURCE_EXHAUSTED"
_NOBODY: Final = "UNAUTHENTICATED"
# Each refusal costs a call with all that is left of the batch; from here on objects go one by one.
_REFUSALS: Final = 3


@dataclass(frozen=True, slots=True)
class Applied:
    """What is there now, or would be."""

    manifest: Manifest
    written: config_pb2.Written


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an object was not applied."""

    manifest: Manifest
    error: ApiError


@dataclass(frozen=True, slots=True)
class Applying:
    """How objects are applied: as the manager, by force against other managers, to see what would be (`dry_run`).

    `atomic`: all of them, or none.
    """

    manager: str
    force: bool = False
    dry_run: bool = False
    validation: config_pb2.FieldValidation = config_pb2.FIELD_VALIDATION_UNSPECIFIED
    atomic: bool = False

    def run(self, client: ConfigClient, manifests: Sequence[Manifest], waiting: Waiting) -> Iterator[Applied | Refused]:
        """What became of the objects, batch by batch; with `atomic`, the one that was refused is all that comes.

        Raises:
            ApiError: when it is no object that is refused; what came before is applied, of the rest that is not known.
        """
        work = deque([(tuple(manifests), 0)] if self.atomic else [(batch, 0) for batch in batches(manifests)])
        while work:
            batch, refusals = work.popleft()
            try:
                answer = client.batch_apply(self._request(batch, waiting))
            except ApiError as error:
                bad = _refused(error, batch)
                if bad is None and error.code == _TOO_LARGE and len(batch) > 1 and not self.atomic:
                    middle = len(batch) // 2
                    work.extendleft([(batch[middle:], refusals), (batch[:middle], refusals)])
                    continue
                if bad is None:
                    raise
                yield Refused(batch[bad], error)
                if not self.atomic:
                    rest = batch[:bad] + batch[bad + 1 :]
                    work.extendleft((each, refusals + 1) for each in reversed(_parts(rest, refusals + 1)))
                continue
            waiting.answered(answer.rollout)
            yield from (Applied(manifest, written) for manifest, written in zip(batch, answer.written, strict=True))

    def _request(self, batch: Sequence[Manifest], waiting: Waiting) -> config_pb2.BatchApplyRequest:
        options = config_pb2.WriteOptions(
            field_manager=self.manager,
            dry_run=self.dry_run,
            field_validation=self.validation,
            wait=None if self.dry_run else waiting.duration,
        )
        return config_pb2.BatchApplyRequest(
            json=[manifest.text for manifest in batch], options=options, force=self.force
        )


def _parts(rest: tuple[Manifest, ...], refusals: int) -> list[tuple[Manifest, ...]]:
    if refusals < _REFUSALS:
        return [rest] if rest else []
    return [(manifest,) for manifest in rest]


def _refused(error: ApiError, batch: Sequence[Manifest]) -> int | None:
    """The object that an error is about; None when it is about none of them."""
    if error.code == _NOBODY:
        return None
    index = error.metadata.get("index", "")
    if index.isdigit() and int(index) < len(batch):
        return int(index)
    return 0 if error.code == _TOO_LARGE and len(batch) == 1 else None
