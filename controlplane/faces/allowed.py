"""Whether a client's certificate has a name that is let in.

In: the subject alternative names of a certificate that was verified, and the names the settings allow. Out: yes or no.
Law: no names allowed, or none presented, is no.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from controlplane.settings.tls import ANY_NAME


@dataclass(frozen=True, slots=True)
class Presented:
    """The subject alternative names of a client's certificate that can let it in."""

    dns: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join((*self.dns, *self.uris)) or "no DNS name or URI"


def presented(certificate: Mapping[str, Any] | None) -> Presented:
    """The names in a client's certificate as Python's TLS gives it (`peercert`), None for none."""
    names = (certificate or {}).get("subjectAltName", ())
    dns, uris = (tuple(name for kind, name in names if kind == wanted) for wanted in ("DNS", "URI"))
    return Presented(dns, uris)


def is_allowed(shown: Presented, allowed: Iterable[str]) -> bool:
    """Whether one of the presented names is allowed.

    DNS names are compared without regard to case (RFC 4343), URIs to the letter. `*.example.org` allows any one label
    before `.example.org`; `*` allows any name, and a certificate without one.
    """
    wanted = frozenset(allowed)
    # A URI has a colon and a DNS name has none, so neither can pass for the other.
    dns = {name.lower() for name in wanted if ":" not in name}
    return (
        ANY_NAME in wanted
        or any(_matches(name.lower(), dns) for name in shown.dns if ":" not in name)
        or any(uri in wanted for uri in shown.uris if ":" in uri)
    )


def refusal(section: str, shown: Presented) -> str:
    """The sentence for a client that has none of the names that the face `section` allows."""
    return f"the client's certificate has {shown}; nothing of that is in {section}.tls.allowedNames"


def _matches(name: str, wanted: set[str]) -> bool:
    label, _, rest = name.partition(".")
    return name in wanted or bool(label and rest and f"*.{rest}" in wanted)
