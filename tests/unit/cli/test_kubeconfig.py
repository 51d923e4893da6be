"""The kubeconfig."""

import base64

import pytest
import yaml

from controlplane.cli import kubeconfig
from controlplane.model.credentials import KeyPair, Secret

USERS = {
    "admin": KeyPair(b"admin certificate", Secret(b"admin key")),
    "alice": KeyPair(b"alice certificate", Secret(b"alice key")),
}


def test_every_user_gets_a_context_and_the_first_is_current() -> None:
    """Contexts are named like their users, and kubectl starts as the first."""
    document = yaml.safe_load(kubeconfig.render("https://127.0.0.1:8443", b"ca", USERS))

    assert document["current-context"] == "admin"
    assert document["contexts"] == [
        {"name": "admin", "context": {"cluster": "isthmus", "user": "admin"}},
        {"name": "alice", "context": {"cluster": "isthmus", "user": "alice"}},
    ]


def test_certificates_are_embedded() -> None:
    """The file needs no other file beside it."""
    document = yaml.safe_load(kubeconfig.render("https://127.0.0.1:8443", b"ca", USERS))
    (cluster,) = document["clusters"]
    alice = document["users"][1]["user"]

    assert cluster["cluster"]["server"] == "https://127.0.0.1:8443"
    assert base64.b64decode(cluster["cluster"]["certificate-authority-data"]) == b"ca"
    assert base64.b64decode(alice["client-certificate-data"]) == b"alice certificate"
    assert base64.b64decode(alice["client-key-data"]) == b"alice key"


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("127.0.0.1", "https://127.0.0.1:8443"),
        ("0.0.0.0", "https://127.0.0.1:8443"),  # noqa: S104 -- nothing listens here
        ("::", "https://[::1]:8443"),
        ("2001:db8::1", "https://[2001:db8::1]:8443"),
    ],
)
def test_the_front_door_is_reached_at_an_address_clients_can_use(address: str, url: str) -> None:
    """Listening everywhere is reached on the loopback; IPv6 gets its brackets."""
    assert kubeconfig.url(address, 8443) == url
