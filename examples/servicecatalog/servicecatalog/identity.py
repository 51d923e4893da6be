"""Who the front proxy says is calling.

In go the common name of the client certificate and the request's headers; out comes a User, or the reason why there
is none.
The law: the certificate speaks for the proxy, the headers for the user, and neither is enough alone. One
X-Remote-Group line is one group, commas included.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from servicecatalog.schemas import JsonObject, JsonValue

USER: Final = "x-remote-user"
UID: Final = "x-remote-uid"
GROUP: Final = "x-remote-group"
EXTRA: Final = "x-remote-extra-"


@dataclass(frozen=True, slots=True)
class User:
    """A caller: name, UID (empty when unknown), groups in order, and extra values by key."""

    name: str
    uid: str
    groups: tuple[str, ...]
    extra: tuple[tuple[str, tuple[str, ...]], ...]

    def body(self) -> JsonObject:
        """The user as an audit event writes it; absent parts are left out."""
        written: JsonObject = {"username": self.name}
        if self.uid:
            written["uid"] = self.uid
        if self.groups:
            written["groups"] = list(self.groups)
        if self.extra:
            written["extra"] = {key: list(values) for key, values in self.extra}
        return written


@dataclass(frozen=True, slots=True)
class Stranger:
    """A caller that is not accepted, and the sentence that says why."""

    reason: str


def common_name(certificate: JsonValue) -> str:
    """The subject's common name of a verified certificate, in the form `ssl` describes it; empty when it has none."""
    for part in (certificate or {}).get("subject", ()):
        for key, value in part:
            if key == "commonName":
                return str(value)
    return ""


def header_text(value: str) -> str:
    """A header value as text that can be written as UTF-8; bytes that are not UTF-8 become U+FFFD."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def authenticate(proxy_name: str, allowed: frozenset[str], headers: Iterable[tuple[str, str]]) -> User | Stranger:
    """The user a trusted proxy names; an empty `allowed` trusts every name the CA has signed."""
    if allowed and proxy_name not in allowed:
        return Stranger(
            f'the client certificate is for "{proxy_name}", which --requestheader-allowed-names does not list'
        )
    name = uid = ""
    groups: list[str] = []
    extra: dict[str, list[str]] = {}
    for raw_key, raw_value in headers:
        key, value = raw_key.lower(), header_text(raw_value)
        if key == USER:
            name = name or value
        elif key == UID:
            uid = uid or value
        elif key == GROUP:
            groups.append(value)
        elif key.startswith(EXTRA):
            extra.setdefault(unquote(key.removeprefix(EXTRA)), []).append(value)
    if not name:
        return Stranger("the front proxy sent no X-Remote-User")
    return User(name, uid, tuple(groups), tuple((key, tuple(values)) for key, values in sorted(extra.items())))
