"""Front proxies whose word counts for who asks, and the headers in which they say it.

In: the section `authentication.requestHeader`. Out: a frozen value. Law: no header that means anything else can be
named, because every one that is named is taken from every request.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from controlplane.settings.section import Section

# A token of RFC 9110 that begins with a letter or digit.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$%&'*+.^_`|~-]*")
_TAKEN: Final = frozenset(
    (
        *(
            "audit-id",
            "authorization",
            "baggage",
            "cache-control",
            "connection",
            "cookie",
            "date",
            "expect",
            "forwarded",
        ),
        *(
            "host",
            "http2-settings",
            "keep-alive",
            "origin",
            "pragma",
            "proxy-authorization",
            "proxy-connection",
            "range",
        ),
        *("referer", "te", "traceparent", "tracestate", "trailer", "transfer-encoding", "upgrade", "user-agent", "via"),
        *("x-client-trace-id", "x-request-id"),
    )
)
_TAKEN_PREFIXES: Final = (
    *("accept", "access-control-", "content-", "grpc-", "if-", "impersonate-", "sec-"),
    *("x-envoy-", "x-forwarded-client-cert", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port"),
    *("x-forwarded-proto", "x-forwarded-scheme", "x-isthmus-"),
)


def _name(value: str) -> str:
    name = _spelled(value)
    if _plain(name) in _TAKEN or _plain(name).startswith(_TAKEN_PREFIXES):
        raise ValueError(f"{value!r} has another meaning already; choose a header of its own, such as X-Remote-User")
    return name


def _prefix(value: str) -> str:
    prefix = _plain(name := _spelled(value))
    if any(taken.startswith(prefix) or prefix.startswith(taken) for taken in _TAKEN_PREFIXES) or any(
        taken.startswith(prefix) for taken in _TAKEN
    ):
        raise ValueError(f"{value!r} begins headers that have another meaning; choose a longer one: X-Remote-Extra-")
    return name


def _spelled(value: str) -> str:
    name = value.strip()
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{value!r} is no header name; write letters, digits and hyphens, such as X-Remote-User")
    return name.lower()


def _plain(name: str) -> str:
    # Removed is the name in every spelling with "-" or "_".
    return name.replace("_", "-")


HeaderName = Annotated[str, AfterValidator(_name)]
HeaderPrefix = Annotated[str, AfterValidator(_prefix)]


class RequestHeader(Section):
    """kube-apiserver's --requestheader-* options; names of headers are lower case here, however they were written."""

    client_ca_file: Path = Field(alias="clientCAFile")
    """PEM: who may have signed a front proxy's client certificate."""
    allowed_names: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Common names, one of which a front proxy's certificate must have; none: every certificate of that authority."""
    username_headers: Annotated[tuple[HeaderName, ...], Field(min_length=1)] = ("x-remote-user",)
    """The first of them that is there and not empty is the user's name."""
    uid_headers: tuple[HeaderName, ...] = ()
    """The first of them that is there and not empty is the user's UID."""
    group_headers: tuple[HeaderName, ...] = ("x-remote-group",)
    """Each line of each of them is a group."""
    extra_headers_prefix: tuple[HeaderPrefix, ...] = ("x-remote-extra-",)
    """What follows one of them in a header's name is the key of an extra."""
