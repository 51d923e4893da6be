"""The rules for names, label keys and label values.

In goes a text; out comes the sentence that says what is wrong with it, or an empty text.
The law: lengths and alphabets are those of RFC 1123 as Kubernetes applies them.
"""

import re
from typing import Final

_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED: Final = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE: Final = rf"({_QUALIFIED})?"

_SUBDOMAIN_RULE: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    f"and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_LABEL_RULE: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    f"with an alphanumeric character (e.g. 'my-name', regex used for validation is '{_LABEL}')"
)
_KEY_RULE: Final = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    f"character (e.g. 'MyName', regex used for validation is '{_QUALIFIED}')"
)
_VALUE_RULE: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'my_value', regex used for validation is '{_VALUE}')"
)


def name_defect(name: str) -> str:
    """What keeps a text from being an object name (a DNS subdomain of at most 253 characters)."""
    if len(name) > 253:
        return "must be no more than 253 characters"
    return "" if re.fullmatch(_SUBDOMAIN, name) else _SUBDOMAIN_RULE


def prefix_defect(prefix: str) -> str:
    """What keeps a text from being a generateName; a trailing hyphen is allowed there."""
    return name_defect(f"{prefix[:-1]}x" if prefix.endswith("-") else prefix)


def namespace_defect(namespace: str) -> str:
    """What keeps a text from being a namespace (a DNS label of at most 63 characters)."""
    if len(namespace) > 63:
        return "must be no more than 63 characters"
    return "" if re.fullmatch(_LABEL, namespace) else _LABEL_RULE


def label_key_defect(key: str) -> str:
    """What keeps a text from being a label or annotation key (optional DNS prefix, slash, name)."""
    prefix, slash, name = key.rpartition("/")
    if slash and name_defect(prefix):
        return f"prefix part {name_defect(prefix)}"
    if not name:
        return "name part must be non-empty"
    if len(name) > 63:
        return "name part must be no more than 63 characters"
    return "" if re.fullmatch(_QUALIFIED, name) else _KEY_RULE


def label_value_defect(value: str) -> str:
    """What keeps a text from being a label value."""
    if len(value) > 63:
        return "must be no more than 63 characters"
    return "" if re.fullmatch(_VALUE, value) else _VALUE_RULE
