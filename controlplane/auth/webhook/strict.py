"""Reading a configuration file of the Kubernetes API strictly, with the sentences of kube-apiserver.

In: YAML or JSON text. Out: typed values, and one line for every defect met on the way. Law: reading never stops at a
defect of a field, and a field nobody asks for is a defect.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import yaml

_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART: Final = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_SUBDOMAIN: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


class NotYamlError(ValueError):
    """The text is no YAML document; the error's text says where and why."""


class _Loader(yaml.SafeLoader):
    """Refuses a mapping in which a key is written twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        written = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = next((key for place, key in enumerate(written) if key in written[:place]), None)
        if twice is not None:
            raise NotYamlError(f'key "{twice}" already set in map (line {node.start_mark.line + 1})')
        return super().construct_mapping(node, deep=deep)


def document(text: str) -> object:
    """The one YAML document in `text`.

    Raises:
        NotYamlError: when it is not one, or a key is written twice.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except NotYamlError:
        raise
    # A date that there is none and too many digits are ValueErrors, endless brackets a RecursionError.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise NotYamlError(" ".join(str(error).split())) from error


class Defects:
    """The lines about one file, in the order in which its defects were met."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, field: str, sentence: str, remedy: str) -> None:
        """Adds a line: kube-apiserver's sentence about the field, and what to do."""
        self.lines.append(f"{field}: {sentence}; {remedy}" if field else f"{sentence}; {remedy}")

    def required(self, field: str, remedy: str, detail: str = "") -> None:
        """The field is not set."""
        self.add(field, f"Required value: {detail}" if detail else "Required value", remedy)

    def invalid(self, field: str, value: object, detail: str, remedy: str) -> None:
        """The field's value is out of the question."""
        self.add(field, f"Invalid value: {_shown(value)}: {detail}", remedy)

    def duplicate(self, field: str, value: object, remedy: str) -> None:
        """The value is there already."""
        self.add(field, f"Duplicate value: {_shown(value)}", remedy)

    def unsupported(self, field: str, value: object, supported: Iterable[str]) -> None:
        """The value is none of those that there are."""
        listed = ", ".join(_shown(each) for each in supported)
        self.add(field, f"Unsupported value: {_shown(value)}: supported values: {listed}", "write one of them")


class Fields:
    """One mapping of the file; what is not in `known` is a defect, null is as good as absent."""

    def __init__(self, values: Mapping[Any, Any], path: str, known: Iterable[str], defects: Defects) -> None:
        self._values = values
        self._defects = defects
        self.path = path
        names = frozenset(known)
        for name in values:
            if name not in names:
                defects.add("", f'strict decoding error: unknown field "{self.at(str(name))}"', "remove it")

    def at(self, name: str) -> str:
        """The path of a field."""
        return f"{self.path}.{name}" if self.path else name

    def present(self, name: str) -> bool:
        """Whether the field is there."""
        return self._values.get(name) is not None

    def text(self, name: str) -> str:
        """A string, "" when there is none."""
        value = self._values.get(name)
        if value is None or isinstance(value, str):
            return value or ""
        self._mistyped(name, value, "a string")
        return ""

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false."""
        value = self._values.get(name)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self._mistyped(name, value, "true or false")
        return default

    def seconds(self, name: str, default: float) -> float:
        """A duration as Go writes it ("1m30s", "500ms"), in seconds; `default` also for one of zero, as upstream."""
        text = self.text(name)
        seconds = go_duration(text) if text else 0.0
        if seconds is None:
            self._defects.invalid(self.at(name), text, "invalid duration", "write one such as 500ms, 3s or 5m")
            return default
        return seconds or default

    def mapping(self, name: str, known: Iterable[str]) -> Fields | None:
        """A mapping, None when there is none."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, Mapping):
            return Fields(value, self.at(name), known, self._defects)
        self._mistyped(name, value, "a mapping")
        return None

    def mappings(self, name: str, known: Iterable[str]) -> list[Fields]:
        """A list of mappings."""
        value = self._values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self._mistyped(name, value, "a list")
            return []
        found: list[Fields] = []
        for place, item in enumerate(value):
            if isinstance(item, Mapping):
                found.append(Fields(item, f"{self.at(name)}[{place}]", known, self._defects))
            else:
                self._mistyped(f"{name}[{place}]", item, "a mapping")
        return found

    def _mistyped(self, name: str, value: object, wanted: str) -> None:
        shown = "null" if value is None else type(value).__name__
        self._defects.add(self.at(name), f"Invalid value: {shown}: must be {wanted}", f"write {wanted}")


def go_duration(text: str) -> float | None:
    """The seconds that a duration as Go writes it lasts, None when it is none."""
    sign = -1.0 if text.startswith("-") else 1.0
    unsigned = text[1:] if text[:1] in {"-", "+"} else text
    if unsigned == "0":
        return 0.0
    parts = _PART.findall(unsigned)
    if not parts or "".join(number + unit for number, unit in parts) != unsigned:
        return None
    return sign * sum(float(number) * _UNITS[unit] for number, unit in parts)


def is_subdomain(text: str) -> bool:
    """Whether `text` is a DNS-1123 subdomain."""
    return _SUBDOMAIN.fullmatch(text) is not None


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | int | float) else type(value).__name__
