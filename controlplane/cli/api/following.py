"""What happens to objects, from now on.

In: a list, and a client. Out: first what there is, then every change. Law: what was told is not told again, and what
happened while the server was away, or is forgotten there, is told as far as it can still be seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from controlplane.api.v1 import config_pb2
from controlplane.configapi.client import ApiError, ConfigClient

Change: TypeAlias = Literal["ADDED", "MODIFIED", "DELETED"]

_FORGOTTEN: Final = "OUT_OF_RANGE"

_Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to an object, and what it is now; a deleted one as it was last."""

    change: Change
    item: config_pb2.Object


def followed(client: ConfigClient, request: config_pb2.ListRequest) -> Iterator[tuple[Event, ...]]:
    """First all that the list shows, as ADDED; then what happens, without an end.

    Raises:
        ApiError: when the server refuses the list or the watch, or was never there.
    """
    held, version = _listed(client, request)
    yield tuple(Event("ADDED", item) for item in held.values())
    while True:
        try:
            for response in client.watch(_from(request, version)):
                version = response.resource_version or version
                event = _event(held, response)
                if event is not None:
                    yield (event,)
        except ApiError as error:
            if error.code != _FORGOTTEN:
                raise
        before = held
        held, version = _listed(client, request)
        yield between(before, held)


def between(before: Mapping[_Key, config_pb2.Object], after: Mapping[_Key, config_pb2.Object]) -> tuple[Event, ...]:
    """What must have happened, at the least, so that the objects of `before` became those of `after`."""
    gone = [Event("DELETED", item) for key, item in before.items() if key not in after]
    there: list[Event] = []
    for key, item in after.items():
        earlier = before.get(key)
        if earlier is None:
            there.append(Event("ADDED", item))
        elif earlier.uid != item.uid:
            there += [Event("DELETED", earlier), Event("ADDED", item)]
        elif earlier != item:
            there.append(Event("MODIFIED", item))
    return (*gone, *there)


def _listed(client: ConfigClient, request: config_pb2.ListRequest) -> tuple[dict[_Key, config_pb2.Object], str]:
    held: dict[_Key, config_pb2.Object] = {}
    version = ""
    for page in client.pages(request):
        held |= {_key(item): item for item in page.objects}
        version = page.resource_version
    return held, version


def _from(request: config_pb2.ListRequest, version: str) -> config_pb2.WatchRequest:
    return config_pb2.WatchRequest(
        type=request.type,
        namespace=request.namespace,
        label_selector=request.label_selector,
        field_selector=request.field_selector,
        resource_version=version,
    )


def _event(held: dict[_Key, config_pb2.Object], response: config_pb2.WatchResponse) -> Event | None:
    """What is new in a message; of a transaction that is told a second time, what was not told the first time."""
    item, key = response.object, _key(response.object)
    match response.change:
        case config_pb2.WatchResponse.CHANGE_ADDED | config_pb2.WatchResponse.CHANGE_MODIFIED:
            earlier = held.get(key)
            held[key] = item
            if earlier is None:
                return Event("ADDED", item)
            return None if earlier == item else Event("MODIFIED", item)
        case config_pb2.WatchResponse.CHANGE_DELETED:
            return None if held.pop(key, None) is None else Event("DELETED", item)
    return None


def _key(item: config_pb2.Object) -> _Key:
    return item.reference.namespace, item.reference.name
