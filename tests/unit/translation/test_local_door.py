"""The local endpoint beside a client: what is in its way, and what is not."""

from __future__ import annotations

import pytest
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.http.lua.v3 import lua_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2

from controlplane.model.apiservice import ServiceReference
from controlplane.model.credentials import Credentials, KeyPair, Secret
from controlplane.model.resource import CLUSTER, EXTENSION_CONFIG, LISTENER, SECRET, ResourceName
from controlplane.model.topology import Backend, BackendKey, Endpoint, Topology
from controlplane.settings.address import Address
from controlplane.translation import names
from controlplane.translation.local_door import LocalDoor, local_listener
from controlplane.translation.redirects import redirects_filter
from controlplane.translation.translate import Translator, everything

TCP = Address(host="127.0.0.1", port=8001)
UNIX = Address(path="/run/kube.sock")


def listener_of(listen: Address, *, shows_token: bool = True) -> listener_pb2.Listener:
    """The listener."""
    resource = local_listener(LocalDoor(listen, "-- scope", "-- local", shows_token=shows_token))
    return listener_pb2.Listener.FromString(resource.body)


def manager_of(listener: listener_pb2.Listener) -> http_connection_manager_pb2.HttpConnectionManager:
    """Its connection manager."""
    ((found,),) = (chain.filters for chain in listener.filter_chains)
    manager = http_connection_manager_pb2.HttpConnectionManager()
    assert found.typed_config.Unpack(manager)
    return manager


@pytest.mark.parametrize(
    ("listen", "shows_token", "first", "last"),
    [
        (TCP, True, ["isthmus.local_hosts"], ["isthmus.credential"]),
        (TCP, False, ["isthmus.local_hosts"], []),
        (UNIX, True, [], ["isthmus.credential"]),
    ],
)
def test_the_filters_are_these(listen: Address, shows_token: bool, first: list[str], last: list[str]) -> None:
    """Nobody is authorized; the token is written after the client's own credential was removed."""
    found = [each.name for each in manager_of(listener_of(listen, shows_token=shows_token)).http_filters]

    common = ["isthmus.local", redirects_filter().name, "isthmus.alpn", "isthmus.strip"]
    assert [*first, *common, *last, "envoy.filters.http.router"] == found


def test_it_is_on_loopback_without_tls() -> None:
    """The address is the one of the settings, and there is no certificate."""
    listener = listener_of(TCP)

    assert (listener.address.socket_address.address, listener.address.socket_address.port_value) == ("127.0.0.1", 8001)
    assert not listener.filter_chains[0].HasField("transport_socket")


def test_a_socket_is_for_its_owner_and_group() -> None:
    """Others may not connect."""
    pipe = listener_of(UNIX).address.pipe

    assert (pipe.path, oct(pipe.mode)) == ("/run/kube.sock", "0o660")


def test_the_token_comes_before_the_listener() -> None:
    """The listener refers to it, so that it is sent first."""
    door = LocalDoor(TCP, "", "", shows_token=True)

    assert local_listener(door).references == {ResourceName(SECRET, names.BEARER_TOKEN_SECRET)}


def test_scripts_are_one_source() -> None:
    """The script calls what scope.lua returns."""
    found = manager_of(listener_of(UNIX)).http_filters[0]
    lua = lua_pb2.Lua()
    assert found.typed_config.Unpack(lua)

    expected = "local select_route = (function()\n-- scope\nend)()\n-- local"
    assert lua.default_source_code.inline_string == expected


def test_a_translator_of_a_local_door_asks_nobody() -> None:
    """There is neither a filter nor a cluster of authorization; the token is a secret, and no certificate is shown."""
    core = Backend(
        BackendKey(ServiceReference("", "core", 443), "system"), "k", (Endpoint("10.0.0.1", 443),), dns=False
    )
    credentials = Credentials(None, front_proxy=KeyPair(b"c", Secret(b"k")), bearer_token=Secret(b"swordfish"))
    topology = Topology(1, core=core, credentials=credentials)
    door = LocalDoor(TCP, "", "", shows_token=True)
    translator = Translator(door, Address(path="/run/authorization"), Address(path="/run/discovery"))

    made = (*translator.fixed(topology).upserts, *translator.translate(topology, everything(topology)).upserts)

    keys = {resource.key for resource in made}
    assert {key.name for key in keys if key.type_url == EXTENSION_CONFIG} == set()
    assert {key.name for key in keys if key.type_url == LISTENER} == {names.LISTENER}
    assert ResourceName(CLUSTER, names.AUTHORIZATION_CLUSTER) not in keys
    assert {key.name for key in keys if key.type_url == SECRET} == {
        names.FRONT_PROXY_SECRET,
        names.BEARER_TOKEN_SECRET,
    }
    assert translator.front_door("10.0.0.1", 1) is None
