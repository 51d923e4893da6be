from __future__ import annotations

import pytest
from pydantic import ValidationError

from controlplane.settings.tracing import Tracing


def test_the_defaults_trace_nothing() -> None:
    """The endpoint is OTLP's own on this machine, as kube-apiserver has it."""
    section = Tracing()

    assert ("localhost:4317", 0) == (str(section.endpoint), section.sampling_rate_per_million)


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ({"endpoint": "10.0.0.9:4317"}, "told of requests without encryption"),
        ({"endpoint": "collector"}, "is no address"),
        ({"samplingRatePerMillion": 1_000_001}, "less than or equal to 1000000"),
        ({"samplingRatePerMillion": -1}, "greater than or equal to 0"),
    ],
)
def test_what_does_not_hold_is_refused(written: dict[str, object], sentence: str) -> None:
    """With the reason; a collector elsewhere needs the word of whoever knows the network."""
    with pytest.raises(ValidationError, match=sentence):
        Tracing.model_validate(written)


def test_a_collector_elsewhere_is_taken_by_word() -> None:
    """`allowPlaintext` says that the network is private."""
    written = {"endpoint": "10.0.0.9:4317", "allowPlaintext": True}

    assert "10.0.0.9:4317" == str(Tracing.model_validate(written).endpoint)
