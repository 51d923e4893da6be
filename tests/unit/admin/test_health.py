"""What /livez and /readyz answer, compared with kube-apiserver's answers."""

from __future__ import annotations

import pytest

from controlplane.admin.health import Answer, Check, Health, unless


def a_page(*, store: str = "", log: str = "") -> Health:
    """A page with a check that counts and one that does not."""
    return Health("readyz", (Check("store", lambda: store), Check("log", lambda: log, advisory=True)))


def test_all_that_is_well_is_ok() -> None:
    """Without a wish for more, the answer is one word."""
    assert Answer(200, "ok") == a_page().all()


def test_each_check_is_listed_on_request() -> None:
    """In the order they were added, ping first."""
    expected = "[+]ping ok\n[+]store ok\n[+]log ok\nreadyz check passed\n"

    assert Answer(200, expected) == a_page().all(verbose=True)


def test_a_failure_is_500_and_always_told_check_by_check() -> None:
    """Which check it is may be known to everybody, why it fails may not."""
    expected = "[+]ping ok\n[-]store failed: reason withheld\n[+]log ok\nreadyz check failed\n"

    assert Answer(500, expected) == a_page(store="the disk is full").all()


def test_an_excluded_check_counts_as_well() -> None:
    """It is not even looked at."""

    def never() -> str:
        raise AssertionError

    page = Health("livez", (Check("store", never),))

    expected = "[+]ping ok\n[+]store excluded: ok\nlivez check passed\n"
    assert Answer(200, expected) == page.all(verbose=True, exclude=["store"])


def test_what_cannot_be_excluded_is_said() -> None:
    """Names that no check has, in order."""
    expected = (
        '[+]ping ok\n[+]store ok\n[+]log ok\nwarn: some health checks cannot be excluded: no matches for "a","b"\n'
        "readyz check passed\n"
    )

    assert Answer(200, expected) == a_page().all(verbose=True, exclude=["b", "a"])


def test_an_advisory_check_is_shown_and_harms_nothing() -> None:
    """The whole is well; asked for by itself, it fails."""
    page = a_page(log="No space left on device")

    expected = "[+]ping ok\n[+]store ok\n[-]log failed: reason withheld\nreadyz check passed\n"
    assert Answer(200, "ok") == page.all()
    assert Answer(200, expected) == page.all(verbose=True)
    assert Answer(500, "internal server error: No space left on device\n") == page.one("log")


def test_a_single_check_says_why() -> None:
    """Its reason is told to who asks for it by name; a name that no check has is no page."""
    page = a_page(store="the disk is full")

    assert Answer(500, "internal server error: the disk is full\n") == page.one("store")
    assert Answer(200, "ok") == page.one("ping")
    assert page.one("other") is None


def test_two_checks_of_one_name_are_refused() -> None:
    """One of them would never be looked at."""
    with pytest.raises(ValueError, match="readyz has a check ping already"):
        a_page().add(Check("ping", lambda: ""))


def test_a_sentence_is_given_while_something_does_not_hold() -> None:
    """`unless` makes a check of a condition."""
    holds = [False]
    wrong = unless(lambda: holds[0], "not yet")

    assert "not yet" == wrong()
    holds[0] = True
    assert "" == wrong()
