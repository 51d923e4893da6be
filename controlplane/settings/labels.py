"""Labels and label selectors, in the form and with the meaning Kubernetes gives them.

In: texts, or a selector from YAML. Out: what is wrong with a text; whether a selector takes an object by its labels.
Law: a selector that exists could take something, and one without requirements takes everything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal

from pydantic import field_validator, model_validator

from controlplane.settings.section import Section

_NAME: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_PREFIX: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_LIMIT: Final = 63
_PREFIX_LIMIT: Final = 253
_NAME_FORM: Final = (
    f"of at most {_NAME_LIMIT} letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"
)


def label_key(text: str) -> str:
    """What is wrong with `text` as the key of a label, "" when nothing is."""
    prefix, slash, name = text.rpartition("/")
    if slash and (len(prefix) > _PREFIX_LIMIT or not _PREFIX.fullmatch(prefix)):
        return f"what is before the '/' must be a DNS name of at most {_PREFIX_LIMIT} lower case characters"
    if len(name) > _NAME_LIMIT or not _NAME.fullmatch(name):
        return f"must be a name {_NAME_FORM}, after a DNS name and '/' if any"
    return ""


def label_value(text: str) -> str:
    """What is wrong with `text` as the value of a label, "" when nothing is; the empty value is good."""
    if text and (len(text) > _NAME_LIMIT or not _NAME.fullmatch(text)):
        return f"must be empty or a text {_NAME_FORM}"
    return ""


class LabelRequirement(Section):
    """One entry of matchExpressions."""

    key: str
    """The label's key."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """What must hold of it; NotIn holds where the label is missing, too."""
    values: tuple[str, ...] = ()
    """What it is compared with, by In and NotIn."""

    @field_validator("key")
    @classmethod
    def _is_key(cls, value: str) -> str:
        if reason := label_key(value):
            raise ValueError(f"{value!r} is no label key: {reason}")
        return value

    @field_validator("values")
    @classmethod
    def _are_values(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if reason := label_value(value):
                raise ValueError(f"{value!r} is no label value: {reason}")
        return values

    @model_validator(mode="after")
    def _has_values(self) -> LabelRequirement:
        compares = self.operator in {"In", "NotIn"}
        if compares and not self.values:
            raise ValueError(f"{self.operator} compares the label {self.key} with values and has none; list them")
        if not compares and self.values:
            raise ValueError(f"{self.operator} asks for the label {self.key} alone; remove values")
        return self

    def fits(self, labels: Mapping[str, str]) -> bool:
        """True when an object with these labels meets the requirement; NotIn holds where the label is missing too."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels


class LabelSelector(Section):
    """A LabelSelector of the Kubernetes API (meta/v1): everything it lists must hold."""

    match_labels: Mapping[str, str] = {}
    """Labels that must have these values."""
    match_expressions: tuple[LabelRequirement, ...] = ()

    @field_validator("match_labels")
    @classmethod
    def _are_labels(cls, labels: Mapping[str, str]) -> Mapping[str, str]:
        for key, value in labels.items():
            if reason := label_key(key):
                raise ValueError(f"{key!r} is no label key: {reason}")
            if reason := label_value(value):
                raise ValueError(f"{value!r} is no label value: {reason}")
        return labels

    @property
    def everything(self) -> bool:
        """True when it takes every object."""
        return not self.match_labels and not self.match_expressions

    def fits(self, labels: Mapping[str, str]) -> bool:
        """True when it takes an object with these labels."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            requirement.fits(labels) for requirement in self.match_expressions
        )
