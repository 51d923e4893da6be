"""How Envoy speaks HTTP with clients.

In: nothing. Out: the protocol options of a connection manager. Law: what one client sends ends none of another's
requests, and none of its own but the one that is at fault.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.core.v3 import Http2ProtocolOptions, HttpProtocolOptions

HEADERS_KIB: Final = 256
"""How large all headers of a request may be together.

Envoy's own limits are 60 KiB and 100 lines. Impersonation takes a line for each group, and Active Directory has users
of a thousand; kube-apiserver takes 1 MiB in any number of lines.
"""
_HEADERS_COUNT: Final = 2000

# Who connects and then says nothing must not take a place from others for an hour, which is Envoy's default. A
# connection with a watch is not idle.
_IDLE: Final = timedelta(seconds=90)

_STREAMS: Final = 1000


def common_options() -> HttpProtocolOptions:
    """What holds for every protocol."""
    return HttpProtocolOptions(max_headers_count=_HEADERS_COUNT, idle_timeout=_IDLE)


def http2_options() -> Http2ProtocolOptions:
    """HTTP/2."""
    return Http2ProtocolOptions(
        max_concurrent_streams=_STREAMS,
        # Else one bad request would end all that share its connection, watches too.
        override_stream_error_on_invalid_http_message=True,
    )
