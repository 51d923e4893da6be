"""Secrets cannot be seen."""

import copy
import pickle

import pytest

from controlplane.model.credentials import Credentials, KeyPair, Secret

PAIR = KeyPair(b"chain", Secret(b"-----BEGIN PRIVATE KEY-----"))


@pytest.mark.parametrize(
    "show", [repr, str, lambda thing: f"{thing}", lambda thing: f"{thing!r}", lambda thing: f"{thing:>9}"]
)
def test_no_way_of_printing_shows_a_key(show: object) -> None:
    """Alone or inside what holds it, a key prints as [redacted]."""
    assert callable(show)
    for thing in (PAIR.private_key, str(PAIR), str(Credentials(PAIR))):
        assert "PRIVATE" not in show(thing)
        assert "[redacted]" in show(thing)


def test_a_secret_cannot_be_pickled() -> None:
    """Nothing writes a key to a file by accident."""
    with pytest.raises(TypeError):
        pickle.dumps(PAIR.private_key)
    with pytest.raises(TypeError):
        copy.copy(PAIR.private_key)
