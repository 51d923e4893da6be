"""Which reported files may be read, and which are still being written.

In: reports of paths, and the time. Out: the paths that are due. Law: a path is due once it has been quiet for
`QUIET_SECONDS`, at once when it is known to be whole, and in any case `PATIENCE_SECONDS` after it was first reported.
"""

from __future__ import annotations

from typing import Final

QUIET_SECONDS: Final = 0.03
PATIENCE_SECONDS: Final = 1.0


class Settling:
    """The paths that were reported and not yet taken; times are in seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._paths: dict[str, tuple[float, float]] = {}

    def note(self, path: str, now: float, *, whole: bool) -> None:
        """Takes a report; `whole` when the file appeared under its name complete.

        A path that is waiting goes on waiting: what appears where something was just removed is perhaps being written.
        """
        first, _ = self._paths.get(path, (now, now))
        at_once = whole and path not in self._paths
        self._paths[path] = (first, now if at_once else min(now + QUIET_SECONDS, first + PATIENCE_SECONDS))

    def next_due(self) -> float | None:
        """When the next path is due; None when none is waiting."""
        return min((due for _, due in self._paths.values()), default=None)

    def take(self, now: float) -> frozenset[str]:
        """The paths that are due; they wait no more."""
        taken = frozenset(path for path, (_, due) in self._paths.items() if due <= now)
        for path in taken:
            del self._paths[path]
        return taken

    def waiting(self) -> frozenset[str]:
        """The paths that are not due yet."""
        return frozenset(self._paths)
