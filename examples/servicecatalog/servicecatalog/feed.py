"""Waking up watches.

In go announcements that the store was written to; out come wake-ups.
The law: a waiter that took its ticket before it read the store is woken by every write after that read.
"""

import asyncio


class Feed:
    """One announcement reaches every ticket handed out before it; after `close` no one waits any more."""

    def __init__(self) -> None:
        self._next = asyncio.Event()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the server is stopping."""
        return self._closed

    def ticket(self) -> asyncio.Event:
        """The event that the next announcement sets."""
        return self._next

    def announce(self) -> None:
        """Wake everyone who holds a ticket."""
        spent, self._next = self._next, asyncio.Event()
        spent.set()
        if self._closed:
            self._next.set()

    def close(self) -> None:
        """Wake everyone, now and for ever."""
        self._closed = True
        self.announce()
