"""YAML that Envoy and Python read alike."""

import pytest
import yaml

from controlplane.cli.files import as_yaml


@pytest.mark.parametrize("word", ["n", "N", "y", "Y", "no", "on", "null", "1e3", "0x1f", ""])
def test_words_that_some_reader_takes_for_something_else_are_quoted(word: str) -> None:
    """A node called n stays a string for Envoy, whose YAML reader takes a bare n for false."""
    text = as_yaml({"id": word})

    assert f"id: '{word}'\n" == text
    assert {"id": word} == yaml.safe_load(text)


def test_keys_keep_their_order() -> None:
    """What a person reads first stays first."""
    assert as_yaml({"b": 1, "a": [2]}) == "b: 1\na:\n- 2\n"
