"""Conditions that are shown and not stored."""

from __future__ import annotations

from controlplane.configapi.conditions import with_conditions
from controlplane.model.apiservice import Condition, ConditionStatus

GOOD = Condition(ConditionStatus.TRUE, "Passed", "all checks passed")
BAD = Condition(ConditionStatus.FALSE, "EndpointsNotFound", "none")
LOCAL = {"type": "Available", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z", "reason": "Local"}


def test_an_object_without_any_is_itself() -> None:
    """The identical object, so nothing is copied for kinds that have none."""
    obj = {"metadata": {}}

    assert with_conditions(obj, ()) is obj


def test_what_is_computed_counts() -> None:
    """It replaces what is stored of its type, stands beside the other types, and the object given keeps its own."""
    obj = {"status": {"conditions": [LOCAL, {"type": "Other", "status": "True"}], "x": 1}}
    shown = with_conditions(obj, (("Available", BAD), ("Programmed", GOOD)))

    assert {"x": 1} == {key: value for key, value in shown["status"].items() if key != "conditions"}
    assert [
        {"type": "Available", "status": "False", "reason": "EndpointsNotFound", "message": "none"},
        {"type": "Other", "status": "True"},
        {"type": "Programmed", "status": "True", "reason": "Passed", "message": "all checks passed"},
    ] == shown["status"]["conditions"]
    assert LOCAL == obj["status"]["conditions"][0]


def test_a_time_is_kept_while_it_is_the_time_of_what_is_shown() -> None:
    """The stored time of a status that still holds."""
    obj = {"status": {"conditions": [LOCAL]}}

    assert "lastTransitionTime" in with_conditions(obj, (("Available", GOOD),))["status"]["conditions"][0]
    assert "lastTransitionTime" not in with_conditions(obj, (("Available", BAD),))["status"]["conditions"][0]
