"""Encryption between the control plane and those who connect to it.

In: the sections that name certificate files. Out: frozen values. Law: who may come in is written down; a certificate of
the right authority is not enough by itself, unless the settings say so in words.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Final

from pydantic import Field, field_validator

from controlplane.settings.section import Section

ANY_NAME: Final = "*"
"""The entry of `allowedNames` that lets every certificate of the authority in."""

_DNS_NAME: Final = re.compile(r"(?:\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9_-]*)(?:\.[A-Za-z0-9_][A-Za-z0-9_-]*)*")
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s*]+")


class ServerTls(Section):
    """How a face proves who it is, and whom it lets in (PEM files); a client certificate is always demanded."""

    certificate_file: Path
    """What is shown to clients."""
    private_key_file: Path
    """The key of it, not encrypted."""
    client_ca_file: Path = Field(alias="clientCAFile")
    """Who may have signed a client's certificate."""
    allowed_names: tuple[str, ...]
    """Subject alternative names (DNS names and URIs), one of which a client's certificate must have.

    `*.example.org` stands for any one label before `.example.org`; `*` alone for every certificate of the authority.
    """
    server_name: str = ""
    """The name clients verify the certificate for, a DNS name or an IP address; "": the host they connect to."""

    @field_validator("allowed_names")
    @classmethod
    def _says_who(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError(
                "is empty, so that nobody could come in; name the subject alternative names of the clients' "
                f'certificates, or write ["{ANY_NAME}"] to let every certificate of clientCAFile in'
            )
        for name in value:
            if name != ANY_NAME and not _DNS_NAME.fullmatch(name) and not _URI.fullmatch(name):
                raise ValueError(
                    f"{name!r} is no subject alternative name; write a DNS name (envoy.example.org, *.example.org) or "
                    "a URI (spiffe://example.org/envoy)"
                )
        return value

    @field_validator("server_name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if value and not is_ip(value) and (not _DNS_NAME.fullmatch(value) or value.startswith("*")):
            raise ValueError(f"{value!r} is no DNS name or IP address; write one that is in the certificate")
        return value


class ClientTls(Section):
    """What a client of a face shows there, and which authority it believes there (PEM files)."""

    certificate_file: Path
    """What is shown."""
    private_key_file: Path
    """The key of it, not encrypted."""
    ca_file: Path = Field(alias="caFile")
    """Who may have signed what the other side shows."""


class EnvoyTls(ClientTls):
    """What Envoy shows to faces with `tls`, and believes there; all paths are as the Envoy process sees them."""

    resources_dir: Path
    """The folder in which Envoy finds the two files that `isthmus bootstrap` writes, which name the others."""


def is_ip(name: str) -> bool:
    """Whether it is an IP address and no name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
