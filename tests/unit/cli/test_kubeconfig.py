"""The kubeconfig."""

import base64

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
