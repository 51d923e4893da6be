"""When a store forgets.

In: a store, an age and a number. Out: compactions, without end. Law: what is older than the age is forgotten soon
after, unless it is in force; and what is within both bounds is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from controlplane.store.interface import Store, UnavailableError

_LOOKS = 10


async def keep_compacting(
    store: Store, *, age_seconds: float, revisions: int, sleep: Callable[[float], Awaitable[None]]
) -> None:
    """Forgets what is older than `age_seconds`, and all but the newest `revisions`; runs until cancelled.

    Times are counted from the start of this call: the history of an earlier run is kept as long as if it were new.
    """
    seen: deque[int] = deque(maxlen=_LOOKS + 1)
    while True:
        with suppress(UnavailableError):
            last = await store.revision()
            seen.append(last)
            aged = seen[0] if len(seen) > _LOOKS else 0
            if (oldest := max(aged, last - revisions)) > 0:
                await store.compact(oldest)
        await sleep(age_seconds / _LOOKS)
