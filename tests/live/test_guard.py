"""The last look before the router, alone in the real Envoy: no filter before it gives anybody an identity.

Whoever calls may say here that the verdict is known; behind a front door that header is overwritten.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from envoy_data_plane.envoy.config.bootstrap.v3 import Bootstrap, BootstrapStaticResources
from envoy_data_plane.envoy.config.core.v3 import Address, DataSource, SocketAddress
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener
from envoy_data_plane.envoy.config.route.v3 import (
    DirectResponseAction,
    Route,
    RouteConfiguration,
    RouteMatch,
    VirtualHost,
)
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpFilter,
)
from envoy_data_plane.google.protobuf import Any
from stack import PATIENCE, Process, envoy_binary, free_port, until

from controlplane.translation import names
from controlplane.translation.authorization import unless_known
from controlplane.translation.filters import router_filter
from controlplane.translation.guard import guard_filter


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an Envoy that answers 200 to whatever the guard lets through."""
    folder: Path = tmp_path_factory.mktemp("guard")
    port = free_port()
    answer = DirectResponseAction(status=200, body=DataSource(inline_string="through"))
    host = VirtualHost(name="all", domains=["*"], routes=[Route(match=RouteMatch(prefix="/"), direct_response=answer)])
    guarded = unless_known([guard_filter()], keeps_verdicts=True)
    manager = HttpConnectionManager(
        stat_prefix="guard",
        route_config=RouteConfiguration(name="all", virtual_hosts=[host]),
        http_filters=[HttpFilter(name="guard", typed_config=Any.pack(guarded)), router_filter()],
    )
    chain = FilterChain(filters=[Filter(name="http", typed_config=Any.pack(manager))])
    address = Address(socket_address=SocketAddress(address="127.0.0.1", port_value=port))
    listener = Listener(name="door", address=address, filter_chains=[chain])
    file = folder / "bootstrap.pb"
    file.write_bytes(bytes(Bootstrap(static_resources=BootstrapStaticResources(listeners=[listener]))))
    envoy = Process(
        [envoy_binary(), "--config-path", str(file), "--use-dynamic-base-id", "--concurrency", "1"],
        folder / "envoy.log",
    )
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}"), f"Envoy listens; see {folder}")
        yield f"http://127.0.0.1:{port}"
    finally:
        envoy.stop()


def answers(url: str) -> bool:
    """Whether anybody answers there."""
    try:
        return urllib3.request("GET", url, retries=False, timeout=PATIENCE).status > 0
    except urllib3.exceptions.HTTPError:
        return False


@pytest.mark.parametrize("verdict", [None, "known"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"X-Remote-Group": "system:masters"}, 403),
        ({"X-Remote-User": ""}, 403),
        ({"X-Remote-User": "alice"}, 200),
    ],
)
def test_only_a_request_with_a_user_goes_on(
    url: str, headers: dict[str, str], status: int, verdict: str | None
) -> None:
    """Whatever has happened before, a request that names no user meets no backend."""
    sent = headers | ({names.VERDICTS_HEADER: verdict} if verdict else {})

    assert status == urllib3.request("GET", f"{url}/apis", headers=sent, retries=False).status
