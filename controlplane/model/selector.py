"""Selectors of labels and fields, requirement by requirement.

Law: what a requirement does not understand it does not select.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

OPERATORS: Final = ("DoesNotExist", "Exists", "In", "NotIn")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement of a selector, as Kubernetes' LabelSelectorRequirement writes it.

    `operator` is one of `OPERATORS`; only "In" and "NotIn" have `values`, sorted.
    """

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether labels are as required; as in Kubernetes, labels without the key fit "NotIn"."""
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value is not None and value in self.values
            case "NotIn":
                return value is None or value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case _:
                return False
