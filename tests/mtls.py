"""Certificates for faces with TLS: what the control plane and its clients show each other.

In: a folder. Out: files there, and the sections of the settings that name them. Law: files are replaced by renaming, as
whoever renews certificates does.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pki import CertificateAuthority

ALLOWED = ("envoys.example.org", "spiffe://example.org/envoy")
SERVER_NAME = "isthmus.example.org"


class Mtls:
    """Two authorities, one for the control plane and one for its clients, and a certificate of each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.planes = CertificateAuthority("control planes")
        self.clients = CertificateAuthority("clients")
        self.write_authorities([self.planes], [self.clients])
        self.write_certificates()

    def rotate(self) -> None:
        """Replaces both authorities and every certificate, so that no connection is refused at any moment."""
        planes, clients = CertificateAuthority("control planes 2"), CertificateAuthority("clients 2")
        self.write_authorities([self.planes, planes], [self.clients, clients])
        self.planes, self.clients = planes, clients
        self.write_certificates()

    def retire(self) -> None:
        """Takes the authorities from before `rotate` out of the files."""
        self.write_authorities([self.planes], [self.clients])

    def write_authorities(
        self, planes: Iterable[CertificateAuthority], clients: Iterable[CertificateAuthority]
    ) -> None:
        """Writes whom clients believe, and whom the control plane believes."""
        self.replace("planes-ca.crt", b"".join(authority.certificate for authority in planes))
        self.replace("clients-ca.crt", b"".join(authority.certificate for authority in clients))

    def write_certificates(self) -> None:
        """Writes a new certificate for the control plane, and one for an Envoy that is allowed."""
        self.write_pair("plane", self.planes.issue("isthmus", dns_names=[SERVER_NAME], client=False))
        self.write_pair("envoy", self.clients.issue("envoy", uris=["spiffe://example.org/envoy"], server=False))

    def write_pair(self, name: str, pair: tuple[bytes, bytes]) -> None:
        """Writes a certificate and its key."""
        self.replace(f"{name}.key", pair[1])
        self.replace(f"{name}.crt", pair[0])

    def replace(self, name: str, content: bytes) -> None:
        """Writes a file by renaming."""
        temporary = self.folder / f"{name}.tmp"
        temporary.write_bytes(content)
        temporary.rename(self.folder / name)

    def tls(self) -> dict[str, object]:
        """The section `tls` of a face."""
        return {
            "certificateFile": str(self.folder / "plane.crt"),
            "privateKeyFile": str(self.folder / "plane.key"),
            "clientCAFile": str(self.folder / "clients-ca.crt"),
            "allowedNames": list(ALLOWED),
            "serverName": SERVER_NAME,
        }

    def envoy(self, name: str = "envoy") -> dict[str, object]:
        """The section `envoy`, for the Envoy that shows the certificate called `name`."""
        return {
            "certificateFile": str(self.folder / f"{name}.crt"),
            "privateKeyFile": str(self.folder / f"{name}.key"),
            "caFile": str(self.folder / "planes-ca.crt"),
            "resourcesDir": str(self.folder / f"{name}-resources"),
        }
