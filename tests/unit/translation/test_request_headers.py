from __future__ import annotations

import re

import pytest
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.transport_sockets.tls.v3 import secret_pb2

from controlplane.model.credentials import Credentials, KeyPair, Secret
from controlplane.translation.filters import Scripts
from controlplane.translation.listeners import FrontDoor, listener_resource
from controlplane.translation.request_headers import RequestHeaders
from controlplane.translation.secrets import secret_resources

HEADERS = RequestHeaders("-- script", ("x-remote-user", "gate.user"), ("gate_group",), ("x-remote-extra-", "gate-e-"))


@pytest.mark.parametrize(
    "name",
    [
        "x-remote-user",
        "x_remote_user",
        "x-remote_user",
        "x-remote-uid",
        "x_remote-anything",
        "gate.user",
        "gate-group",
        "gate_group",
        "gate-e-x",
        "gate_e_",
        "gate_e-x_y",
    ],
)
def test_every_spelling_is_removed(name: str) -> None:
    """Configured names, names that begin as configured, and X-Remote-*, with "-" and "_" for one another."""
    assert re.fullmatch(HEADERS.removed, name)


@pytest.mark.parametrize(
    "name", ["x-remote", "gate-user", "gatexuser", "gate-groups", "gate-e", "a-gate-group", "accept"]
)
def test_other_headers_stay(name: str) -> None:
    """What only resembles one is somebody else's."""
    assert re.fullmatch(HEADERS.removed, name) is None


def test_x_remote_is_removed_where_other_names_are_configured() -> None:
    """No configuration leaves standing what a backend would believe."""
    others = RequestHeaders("", ("gate-user",))

    assert re.fullmatch(others.removed, "x-remote-extra-scopes")


def test_the_script_is_told_the_names() -> None:
    """As lists of Lua ahead of it."""
    lines = HEADERS.reader.splitlines()

    assert lines == [
        'local usernames = {"x-remote-user", "gate.user"}',
        'local names = {"gate_group"}',
        'local prefixes = {"x-remote-extra-", "gate-e-"}',
        "-- script",
    ]


def manager(headers: RequestHeaders | None) -> http_connection_manager_pb2.HttpConnectionManager:
    """The connection manager of a front door."""
    scripts = Scripts("", "", "", "")
    door = FrontDoor("127.0.0.1", 8443, scripts, asks_for_client_certificates=True, request_headers=headers)
    listener = listener_pb2.Listener.FromString(listener_resource(door).body)
    found = http_connection_manager_pb2.HttpConnectionManager()
    listener.filter_chains[0].filters[0].typed_config.Unpack(found)
    return found


def test_they_are_read_once_and_then_removed() -> None:
    """The reader comes first, the removal right behind it, and both ahead of all that decides or is kept."""
    names = [each.name for each in manager(HEADERS).http_filters]

    assert names[:3] == ["isthmus.request_headers", "isthmus.strip_request_headers", "isthmus.arrival"]


def test_without_front_proxies_nothing_is_read() -> None:
    """There is neither filter, and X-Remote-* go before there is any."""
    without, with_them = manager(None), manager(HEADERS)

    assert without.http_filters[0].name == "isthmus.arrival"
    early = [each.early_header_mutation_extensions[0].typed_config.value for each in (without, with_them)]
    assert [b"remote" in each for each in early] == [True, False]
    assert [b"isthmus|envoy" in each for each in early] == [True, True]


@pytest.mark.parametrize(
    ("users", "proxies", "bundle"),
    [(b"users", b"proxies", b"users\nproxies"), (b"users", b"", b"users"), (b"", b"proxies", b"proxies")],
)
def test_envoy_verifies_against_both_authorities(users: bytes, proxies: bytes, bundle: bytes) -> None:
    """They are one bundle, of however many there are."""
    credentials = Credentials(KeyPair(b"chain", Secret(b"key")), users, request_header_ca=proxies)
    (_, resource) = secret_resources(credentials)
    secret = secret_pb2.Secret.FromString(resource.body)

    assert (secret.name, secret.validation_context.trusted_ca.inline_bytes) == ("client-ca", bundle)
