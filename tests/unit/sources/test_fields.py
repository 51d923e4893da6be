from __future__ import annotations

import pytest

from controlplane.model.problem import Origin
from controlplane.sources.fields import Complaints, Fields, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (5, "5"),
        ("a", '"a"'),
        ('a"\\\n', '"a\\"\\\\\\u000a"'),
        ("\x1b[2J\ud800é", '"\\u001b[2J\\ud800é"'),
        ("x" * 401, f'"{"x" * 400}..."'),
        ({"a": 1}, "a mapping"),
        ([1], "a list"),
    ],
)
def test_a_value_is_shown_short_and_on_one_line(value: object, text: str) -> None:
    """Messages show values as YAML has them, never a whole container, a long text or a line break."""
    assert text == shown(value)


def test_reading_goes_on_after_a_defect() -> None:
    """A field that cannot be read gives its default and a Problem, and those after it are read."""
    complaints = Complaints(Origin("a.yaml", 1), "")
    fields = Fields({"a": 1, "b": ["x", 2, "y"], "c": {"k": "v", "n": None}}, "spec", complaints)

    values = [fields.text("a"), fields.texts("b"), fields.pairs("c")]
    complained = [problem.field for problem in complaints.problems]

    assert values == ["", ("x", "y"), (("k", "v"), ("n", ""))]
    assert complained == ["spec.a", "spec.b[1]"]
