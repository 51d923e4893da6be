"""How many streams are let in, and how fast."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from controlplane.xds.admission import LONGEST_WAIT, Admission, TokenBucket


def test_a_burst_of_one_seconds_worth_is_let_in_at_once() -> None:
    """After quiet, as many as the rate enter without waiting, and the next waits for its token."""
    bucket = TokenBucket(1000)

    assert [bucket.take(5.0, 1.0) for _ in range(1000)] == [0.0] * 1000
    assert bucket.take(5.0, 1.0) == 0.001


def test_two_thousand_at_once_are_all_let_in_within_a_second() -> None:
    """The defaults take back a fleet of 2,000 Envoys that lost its control plane; the one after them is refused."""
    admission = Admission(4000, 1000)
    waits = [admission.enter(0.0) for _ in range(2000)]

    assert all(isinstance(wait, float) and wait <= 1.0 for wait in waits)
    assert admission.enter(0.0) == (
        "more than 1000 new streams a second arrive (xds.maxNewStreamsPerSecond); try again soon"
    )


def test_the_refused_take_no_token() -> None:
    """Clients that are refused a thousand times do not hold up those that wait."""
    bucket = TokenBucket(1)
    assert bucket.take(0.0, 0.0) == 0.0

    assert [bucket.take(0.0, 0.5) for _ in range(1000)] == [None] * 1000
    assert bucket.take(1.0, 0.0) == 0.0


def test_a_stream_over_the_limit_is_refused_until_one_ends() -> None:
    """The limit is on streams that are open, and who is refused does not count."""
    admission = Admission(2, 1000)
    assert [admission.enter(0.0), admission.enter(0.0)] == [0.0, 0.0]

    assert admission.enter(0.0) == "2 streams are open, which is the limit (xds.maxStreams); try again, or elsewhere"
    admission.leave()
    assert admission.enter(0.0) == 0.0


def test_a_clock_that_stands_still_or_goes_back_gives_no_tokens() -> None:
    """Only time that has passed fills the bucket."""
    bucket = TokenBucket(1)
    bucket.take(10.0, 0.0)

    assert bucket.take(9.0, 0.0) is None


@given(
    rate=st.integers(1, 50),
    steps=st.lists(st.tuples(st.floats(0, 2), st.integers(1, 40)), max_size=20),
)
def test_no_span_lets_in_more_than_its_rate_and_one_burst(rate: int, steps: list[tuple[float, int]]) -> None:
    """Whatever the arrivals, between any two entries lie no more than the rate allows for that time and one second."""
    bucket, now, entered = TokenBucket(rate), 0.0, list[float]()
    for pause, arrivals in steps:
        now += pause
        waits = (bucket.take(now, LONGEST_WAIT) for _ in range(arrivals))
        entered += [now + wait for wait in waits if wait is not None]

    assert entered == sorted(entered)
    for first, start in enumerate(entered):
        for last in range(first, len(entered)):
            assert last - first + 1 <= rate * (entered[last] - start) + rate + 1e-6


@given(
    limit=st.integers(1, 5),
    steps=st.lists(st.booleans(), max_size=60),
)
def test_streams_never_exceed_the_limit(limit: int, steps: list[bool]) -> None:
    """In any order of arrivals and ends, those who entered and have not left are at most the limit."""
    admission, inside = Admission(limit, 1000), 0
    for arrives in steps:
        if arrives:
            inside += not isinstance(admission.enter(0.0), str)
        elif inside:
            admission.leave()
            inside -= 1
        assert inside <= limit
