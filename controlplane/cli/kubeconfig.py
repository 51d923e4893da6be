"""The kubeconfig of the local front door.

In: where it is, its CA, and the users' certificates. Out: the file's text. Law: pure; the text is the only place where
the keys appear, and whoever writes it makes the file private.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping

from controlplane.cli import files
from controlplane.model.credentials import KeyPair

_CLUSTER = "isthmus"


def url(address: str, port: int) -> str:
    """The front door that listens on `address` (an IP address) as a client on the same machine reaches it."""
    listening = ipaddress.ip_address(address)
    if listening.is_unspecified:
        listening = ipaddress.ip_address("127.0.0.1" if listening.version == 4 else "::1")
    return f"https://[{listening}]:{port}" if listening.version == 6 else f"https://{listening}:{port}"


def render(server: str, certificate_authority: bytes, users: Mapping[str, KeyPair]) -> str:
    """A kubeconfig (v1 Config) for `server` (a URL), with one context a user, named alike; the first is current.

    `certificate_authority` is PEM.
    """
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": _CLUSTER,
                "cluster": {"server": server, "certificate-authority-data": _base64(certificate_authority)},
            }
        ],
        "users": [
            {
                "name": name,
                "user": {
                    "client-certificate-data": _base64(pair.certificate_chain),
                    "client-key-data": _base64(pair.private_key.reveal()),
                },
            }
            for name, pair in users.items()
        ],
        "contexts": [{"name": name, "context": {"cluster": _CLUSTER, "user": name}} for name in users],
        "current-context": next(iter(users)),
    }
    return files.as_yaml(document)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
