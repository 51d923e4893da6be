from __future__ import annotations

import pytest

from controlplane.model.selector import Requirement


@pytest.mark.parametrize(
    ("requirement", "labels", "fits"),
    [
        (Requirement("a", "In", ("1", "2")), {"a": "2"}, True),
        (Requirement("a", "In", ("1", "2")), {"a": "3"}, False),
        (Requirement("a", "In", ("1",)), {}, False),
        (Requirement("a", "NotIn", ("1",)), {"a": "1"}, False),
        (Requirement("a", "NotIn", ("1",)), {"a": "2"}, True),
        (Requirement("a", "NotIn", ("1",)), {}, True),
        (Requirement("a", "Exists"), {"a": ""}, True),
        (Requirement("a", "Exists"), {"b": ""}, False),
        (Requirement("a", "DoesNotExist"), {"a": ""}, False),
        (Requirement("a", "DoesNotExist"), {}, True),
        (Requirement("a", "Is", ("1",)), {"a": "1"}, False),
    ],
)
def test_labels_fit_as_kubernetes_says(requirement: Requirement, labels: dict[str, str], *, fits: bool) -> None:
    """Each operator selects as in Kubernetes, and an unknown one selects nothing."""
    assert fits is requirement.fits(labels)
