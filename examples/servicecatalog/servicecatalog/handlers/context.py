"""What every handler works with.

In go the parts the server built; out comes one immutable bundle of them.
The law: handlers have no other state; two servers in one process share nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from servicecatalog.audit import AuditSink
from servicecatalog.feed import Feed
from servicecatalog.handlers.documents import Documents
from servicecatalog.registry import Registry
from servicecatalog.store import Store


@dataclass(frozen=True, slots=True)
class Api:
    """The parts of one server.

    `allowed_names` are the common names a front proxy may have; empty trusts every name the CA has signed.
    `bookmark_interval` is in seconds, and so is `watch_timeout`, the length of a watch that names none.
    """

    store: Store
    registry: Registry
    feed: Feed
    documents: Documents
    audit: AuditSink
    now: Callable[[], datetime]
    new_uid: Callable[[], str]
    allowed_names: frozenset[str]
    bookmark_interval: float
    watch_timeout: float
