"""Where registrations come from: each source is an async iterator of Changes.

What lives here: a watched folder of manifests (`files`), the front door's certificate files (`credentials`), the pure
readers of manifests behind them (`documents`, `decode`, `folder`), and the offline check of manifests (`check`).
What may not: anything that knows the registry, Envoy, or another source. A source says everything it holds, then
`Synced`, then what changes; what is wrong with its objects it reports as Problems, and goes on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from controlplane.model.change import Change

__all__ = ["Source"]


class Source(Protocol):
    """One origin of Changes."""

    @property
    def name(self) -> str:
        """The name in its `Synced`: one word, the same for as long as the program runs."""

    def changes(self) -> AsyncIterator[Sequence[Change]]:
        """Batches of Changes without end: all that there is, one `Synced`, then each change when it happens."""
