"""The forms that Kubernetes prescribes for names, and the sentences that say so.

In: a text. Out: "" when it has the form, else what it must be. Law: the same forms as k8s.io/apimachinery's validation.
"""

from __future__ import annotations

import re
from typing import Final

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_VERSION: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LABEL_LIMIT: Final = 63
_SUBDOMAIN_LIMIT: Final = 253


def dns1123_label(text: str) -> str:
    """What is wrong with `text` as an RFC 1123 label (at most 63 characters), "" when nothing is."""
    if len(text) > _LABEL_LIMIT:
        return f"must be no more than {_LABEL_LIMIT} characters"
    if _LABEL.fullmatch(text):
        return ""
    return "must be lower case letters, digits and '-', beginning and ending with a letter or digit (RFC 1123 label)"


def dns1035_label(text: str) -> str:
    """What is wrong with `text` as an RFC 1035 label (at most 63 characters), "" when nothing is."""
    if len(text) > _LABEL_LIMIT:
        return f"must be no more than {_LABEL_LIMIT} characters"
    if _VERSION.fullmatch(text):
        return ""
    return (
        "must be lower case letters, digits and '-', beginning with a letter and ending with a letter or digit "
        "(RFC 1035 label)"
    )


def dns1123_subdomain(text: str) -> str:
    """What is wrong with `text` as an RFC 1123 subdomain (at most 253 characters), "" when nothing is."""
    if len(text) > _SUBDOMAIN_LIMIT:
        return f"must be no more than {_SUBDOMAIN_LIMIT} characters"
    if all(_LABEL.fullmatch(part) for part in text.split(".")):
        return ""
    return (
        "must be lower case letters, digits, '-' and '.', each part beginning and ending with a letter or digit "
        "(RFC 1123 subdomain)"
    )


def path_segment(text: str) -> str:
    """What is wrong with `text` as one segment of a URL path, "" when nothing is."""
    if text in (".", ".."):
        return f"may not be '{text}'"
    for character in "/%":
        if character in text:
            return f"may not contain '{character}'"
    return ""
