"""The query parameters of lists and watches.

In go query parameters; out come ListOptions whose parts go together.
The law: combinations that kube-apiserver forbids are forbidden here, in its words, so a client meets no surprise.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from servicecatalog.decode import parse_count, parse_flag
from servicecatalog.selectors import Selector, parse_selector
from servicecatalog.status import Cause, bad_request, forbidden_value, invalid_options, unsupported_value

EXACT = "Exact"
NOT_OLDER_THAN = "NotOlderThan"


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What a list or watch is about.

    `limit` 0 is no limit. `resource_version` None is "the most recent". `timeout_seconds` 0 leaves the length of a
    watch to the server. `initial_events` None leaves it to the resource version, as before watch lists existed.
    """

    selector: Selector
    limit: int
    continue_token: str
    resource_version: int | None
    resource_version_match: str
    bookmarks: bool
    initial_events: bool | None
    timeout_seconds: int


def parse_list_options(query: Mapping[str, str], *, watch: bool) -> ListOptions:
    """Read the options.

    Raises:
        StatusError: 400 for a value that cannot be read, 422 for values that do not go together.
    """
    causes = list(_causes(query, watch=watch))
    if causes:
        raise invalid_options("ListOptions", causes)
    if query.get("continue") and query.get("resourceVersion", "") not in ("", "0"):
        raise bad_request("specifying resource version is not allowed when using continue")
    initial = query.get("sendInitialEvents")
    return ListOptions(
        selector=parse_selector(query.get("labelSelector", ""), query.get("fieldSelector", "")),
        limit=parse_count("limit", query.get("limit", "")) or 0,
        continue_token=query.get("continue", ""),
        resource_version=parse_count("resource version", query.get("resourceVersion", "")),
        resource_version_match=query.get("resourceVersionMatch", ""),
        bookmarks=parse_flag(query.get("allowWatchBookmarks")),
        initial_events=None if initial is None else parse_flag(initial),
        timeout_seconds=parse_count("timeoutSeconds", query.get("timeoutSeconds", "")) or 0,
    )


def _causes(query: Mapping[str, str], *, watch: bool) -> Iterator[Cause]:
    match = query.get("resourceVersionMatch", "")
    initial = query.get("sendInitialEvents")
    field = "resourceVersionMatch"
    if watch:
        if match and initial is None:
            yield forbidden_value(
                field, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            )
        if initial is not None and match != NOT_OLDER_THAN:
            yield forbidden_value(field, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
        return
    if initial is not None:
        yield forbidden_value("sendInitialEvents", "sendInitialEvents is forbidden for list")
    if not match:
        return
    if match not in (EXACT, NOT_OLDER_THAN):
        yield unsupported_value(field, match, (EXACT, NOT_OLDER_THAN))
    if query.get("continue"):
        yield forbidden_value(field, "resourceVersionMatch is forbidden when continue is provided")
    elif not query.get("resourceVersion"):
        yield forbidden_value(field, "resourceVersionMatch is forbidden unless resourceVersion is provided")
    elif match == EXACT and query["resourceVersion"] == "0":
        yield forbidden_value(field, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
