"""Status of proxies, as the StatusService and the page /proxies say it.

In: `Proxy` values, and how their clock stands to the time of day. Out: the response, and its JSON. Law: equal values
and equal clocks are equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from controlplane.api.v1 import status_pb2
from controlplane.model.proxy import Proxy, ProxyType


def response(proxies: Iterable[Proxy], epoch: float) -> status_pb2.ListProxiesResponse:
    """How far each proxy is; `epoch` is what to add to their times to get seconds since 1970."""
    return status_pb2.ListProxiesResponse(
        proxies=(
            status_pb2.ProxyStatus(
                node_id=proxy.node_id,
                node_cluster=proxy.cluster,
                version=proxy.version,
                peer=proxy.peer,
                protocol=proxy.protocol,
                connected_at=_timestamp(proxy.connected_at, epoch),
                offered_generation=proxy.offered_generation,
                acked_generation=proxy.acked_generation,
                state=proxy.state.value,
                types=(_type(kind, epoch) for kind in proxy.types),
                group=proxy.group,
            )
            for proxy in proxies
        )
    )


def as_json(message: Message) -> str:
    """A response as JSON, with every field even where it has nothing to say."""
    return MessageToJson(message, always_print_fields_with_no_presence=True)


def _type(kind: ProxyType, epoch: float) -> status_pb2.ProxyTypeStatus:
    return status_pb2.ProxyTypeStatus(
        type_url=kind.type_url,
        state=kind.state.value,
        wildcard=kind.wildcard,
        names=kind.names,
        behind=kind.behind,
        sent_nonce=kind.sent_nonce,
        sent_at=_timestamp(kind.sent_at, epoch),
        acked_nonce=kind.acked_nonce,
        acked_at=_timestamp(kind.acked_at, epoch),
        error=kind.error,
        rejected=(
            status_pb2.RejectedResource(name=resource.name, version=resource.version, reason=resource.reason)
            for resource in kind.rejected
        ),
        withheld=kind.withheld,
    )


def _timestamp(time: float | None, epoch: float) -> Timestamp | None:
    if time is None:
        return None
    stamp = Timestamp()
    # Nobody needs more than milliseconds, and more digits only look exact.
    stamp.FromMilliseconds(round((time + epoch) * 1000))
    return stamp
