"""The count of what a client does not hold as it shall."""

from __future__ import annotations

from controlplane.xds.held import Behind, Claim


def counted(behind: Behind) -> tuple[list[str], int]:
    """The names leaving, and how many are lacking."""
    return list(behind.leaving), behind.lacking


def test_name_is_counted_by_what_is_held_and_listed() -> None:
    """Held and not listed it leaves, listed and not held it is lacking, both is neither."""
    behind = Behind()
    behind.put("lacking", None, listed=True)
    behind.put("leaving", Claim("1"), listed=False)
    behind.put("outdated", Claim("1"), listed=True)

    assert counted(behind) == (["leaving"], 1)
    assert list(behind) == ["lacking", "leaving", "outdated"]


def test_name_that_is_put_again_is_counted_once() -> None:
    """The last word counts, whatever was said before."""
    behind = Behind()
    behind.put("a", None, listed=True)
    behind.put("a", None, listed=True)
    behind.put("b", Claim("1"), listed=False)
    behind.put("b", None, listed=True)
    behind.put("a", Claim("1"), listed=False)

    assert counted(behind) == (["a"], 1)


def test_dropped_name_is_not_counted() -> None:
    """Neither what was there nor what never was."""
    behind = Behind()
    behind.put("a", None, listed=True)
    behind.put("b", Claim("1"), listed=False)
    for name in ("a", "b", "c"):
        behind.drop(name)

    assert (counted(behind), behind) == (([], 0), {})
