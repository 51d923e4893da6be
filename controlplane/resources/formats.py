"""The forms that Kubernetes prescribes for names, labels and ports, and the sentences that say so.

In: a text or number. Out: what is wrong with it, nothing when it holds. Law: forms and sentences of
k8s.io/apimachinery's validation, so that a client sees the same error from here as from kube-apiserver.
"""

from __future__ import annotations

import re
from typing import Final

Defects = tuple[str, ...]

_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_1035: Final = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_CONFIG_KEY: Final = "[-._a-zA-Z0-9]+"
_LABEL_LIMIT: Final = 63
_SUBDOMAIN_LIMIT: Final = 253
_PORT_NAME_LIMIT: Final = 15
_PORT_LIMIT: Final = 65535
_ALPHANUMERIC: Final = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)


def dns1123_label(text: str) -> Defects:
    """An RFC 1123 label: at most 63 lower case letters, digits and dashes."""
    found = _length(text, _LABEL_LIMIT)
    if re.fullmatch(_LABEL, text):
        return found
    if re.fullmatch(_SUBDOMAIN, text):
        return (*found, "must not contain dots")
    message = (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
        "with an alphanumeric character"
    )
    return (*found, _unmatched(message, _LABEL, "my-name", "123-abc"))


def dns1123_subdomain(text: str, unit: str = "characters") -> Defects:
    """An RFC 1123 subdomain: labels joined by dots, at most 253 characters."""
    found = _length(text, _SUBDOMAIN_LIMIT, unit)
    if re.fullmatch(_SUBDOMAIN, text):
        return found
    message = (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
        "and end with an alphanumeric character"
    )
    return (*found, _unmatched(message, _SUBDOMAIN, "example.com"))


def dns1035_label(text: str) -> Defects:
    """An RFC 1035 label: as an RFC 1123 one, but beginning with a letter."""
    found = _length(text, _LABEL_LIMIT)
    if re.fullmatch(_LABEL_1035, text):
        return found
    message = (
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
        "character, and end with an alphanumeric character"
    )
    return (*found, _unmatched(message, _LABEL_1035, "my-name", "abc-123"))


def path_segment(text: str) -> Defects:
    """One segment of a URL path."""
    if text in (".", ".."):
        return (f"may not be '{text}'",)
    return path_segment_prefix(text)


def path_segment_prefix(text: str) -> Defects:
    """The beginning of one segment of a URL path."""
    return tuple(f"may not contain '{character}'" for character in "/%" if character in text)


def prefix_of(text: str) -> str:
    """What stands for a generateName when its form is judged: it may end with a dash."""
    return f"{text[:-2]}a" if len(text) > 1 and text.endswith("-") else text


def qualified_name(text: str) -> Defects:
    """A label key: a name, with an optional DNS subdomain before a slash."""
    parts = text.split("/")
    if len(parts) > 2:
        return (
            "a valid label key "
            + _unmatched(_ALPHANUMERIC, _QUALIFIED, "MyName", "my.name", "123-abc")
            + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
        )
    found: list[str] = []
    name = parts[-1]
    if len(parts) > 1:
        prefix = parts[0]
        wrong = dns1123_subdomain(prefix, "bytes") if prefix else ("must be non-empty",)
        found.extend(f"prefix part {defect}" for defect in wrong)
    if not name:
        found.append("name part must be non-empty")
    elif len(name.encode()) > _LABEL_LIMIT:
        found.append(f"name part must be no more than {_LABEL_LIMIT} bytes")
    if not re.fullmatch(_QUALIFIED, name):
        found.append("name part " + _unmatched(_ALPHANUMERIC, _QUALIFIED, "MyName", "my.name", "123-abc"))
    return tuple(found)


def label_value(text: str) -> Defects:
    """A label's value: empty, or a name of at most 63 characters."""
    found = _length(text, _LABEL_LIMIT, "bytes")
    if not text or re.fullmatch(_QUALIFIED, text):
        return found
    message = f"a valid label must be an empty string or {_ALPHANUMERIC.removeprefix('must ')}"
    return (*found, _unmatched(message, f"({_QUALIFIED})?", "MyValue", "my_value", "12345"))


def config_key(text: str) -> Defects:
    """A key of a Secret's data."""
    found = list(_length(text, _SUBDOMAIN_LIMIT))
    if not re.fullmatch(_CONFIG_KEY, text):
        message = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        found.append(_unmatched(message, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name"))
    if text in (".", ".."):
        found.append(f"must not be '{text}'")
    elif text.startswith(".."):
        found.append("must not start with '..'")
    return tuple(found)


def port_number(number: int) -> Defects:
    """A port: 1 to 65535."""
    return () if 1 <= number <= _PORT_LIMIT else (f"must be between 1 and {_PORT_LIMIT}, inclusive",)


def port_name(text: str) -> Defects:
    """A port's name (RFC 6335): at most 15 lower case letters, digits and single dashes."""
    found: list[str] = []
    if len(text) > _PORT_NAME_LIMIT:
        found.append(f"must be no more than {_PORT_NAME_LIMIT} characters")
    if not re.fullmatch("[-a-z0-9]+", text):
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", text):
        found.append("must contain at least one letter (a-z)")
    if "--" in text:
        found.append("must not contain consecutive hyphens")
    if text.startswith("-") or text.endswith("-"):
        found.append("must not begin or end with a hyphen")
    return tuple(found)


def _length(text: str, limit: int, unit: str = "characters") -> Defects:
    # Upstream counts bytes in either case, and says so only where its rules are newer.
    return (f"must be no more than {limit} {unit}",) if len(text.encode()) > limit else ()


def _unmatched(message: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{message} (e.g. {shown}regex used for validation is '{pattern}')"
