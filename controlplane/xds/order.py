"""What xDS types mean for a stream: the order in which they are sent, and what may be said about missing ones.

Law: these tables are the only place where the protocol machine treats one type unlike another.
"""

from __future__ import annotations

from typing import Final

from controlplane.model.resource import (
    CLUSTER,
    ENDPOINTS,
    EXTENSION_CONFIG,
    LISTENER,
    ROUTE,
    RUNTIME,
    SCOPED_ROUTE,
    SECRET,
    VIRTUAL_HOST,
)

UPSERT_ORDER: Final = (
    CLUSTER,
    ENDPOINTS,
    SECRET,
    EXTENSION_CONFIG,
    LISTENER,
    SCOPED_ROUTE,
    ROUTE,
    VIRTUAL_HOST,
    RUNTIME,
)
"""What is leaned on comes before what leans on it; types that are not listed, of which nothing is known, come last."""

MOST_UNLISTED: Final = 16
"""So many of those may one client subscribe to: whatever a client calls a type is kept."""

RETIRED_LAST: Final = (CLUSTER, ENDPOINTS, SECRET)
"""Types whose removals wait until nothing that the client holds leans on them; in this order."""

WHOLE_WORLD: Final = frozenset({LISTENER, CLUSTER, SCOPED_ROUTE})
"""Types that a first request without names subscribes to as a whole, and whose absence from a state-of-the-world
response deletes them."""

GUARDED: Final = (CLUSTER, LISTENER, SCOPED_ROUTE)
"""Types of which a client is not to lose too many at once: without them it serves nothing, and each asks for all."""

REMOVED_FIRST: Final = frozenset({SCOPED_ROUTE})
"""Where a client comes back with names that are gone, these go before anything new comes: Envoy refuses two scopes of
one key, and under other names they may have the same."""

NEVER_REMOVED: Final = frozenset({EXTENSION_CONFIG})
"""A filter configuration that a listener still names must not be taken from under it; Envoy unsubscribes by itself."""

SILENT_WHEN_MISSING: Final = frozenset({ROUTE, EXTENSION_CONFIG})
"""Told that a route configuration does not exist, Envoy's start-up hangs, even past the fetch timeout."""

ALONE: Final = frozenset({SECRET, EXTENSION_CONFIG})
"""Sent one a response: Envoy does not name the secret it rejects, and acknowledges the same bytes when they come
again, so the guilty one could not be found afterwards."""

CHUNK_RESOURCES: Final = 500
CHUNK_BYTES: Final = 3 * 1024 * 1024
"""A response stays well below gRPC's default limit of 4 MiB, and a slow client sees progress."""
