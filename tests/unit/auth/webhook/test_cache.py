from __future__ import annotations

from controlplane.auth.webhook.cache import Kept


def test_an_answer_is_kept_until_its_moment() -> None:
    """It is there before the moment, and not at it."""
    kept: Kept[str] = Kept(2)
    kept.put(b"k", "v", 10.0)

    actual = [kept.get(b"k", 9.9), kept.get(b"k", 10.0), kept.get(b"k", 9.9)]

    assert ["v", None, None] == actual


def test_what_was_not_asked_for_the_longest_goes_first() -> None:
    """There are never more answers than the most, and asking keeps one."""
    kept: Kept[str] = Kept(2)
    for key in (b"1", b"2"):
        kept.put(key, "v", 10.0)
    kept.get(b"1", 0.0)

    kept.put(b"3", "v", 10.0)

    assert ["v", None, "v"] == [kept.get(key, 0.0) for key in (b"1", b"2", b"3")]
    assert 2 == len(kept)
