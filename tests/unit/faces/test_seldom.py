"""What is told again and again is told once a minute."""

from controlplane.faces.seldom import Seldom


def test_the_same_is_told_once_a_minute() -> None:
    """The second time within the minute is passed over, another thing is not."""
    now = 0.0
    seldom = Seldom(lambda: now)

    assert (seldom.again("a"), seldom.again("a"), seldom.again("b")) == (True, False, True)
    now = 59.0
    assert not seldom.again("a")
    now = 60.0
    assert seldom.again("a")
    assert not seldom.again("a")


def test_what_is_remembered_is_bounded() -> None:
    """A client that shows another name each time fills no memory: the oldest is forgotten, and told anew."""
    seldom = Seldom(lambda: 0.0)
    for number in range(1001):
        assert seldom.again(number)

    assert seldom.again(0)
    assert not seldom.again(1000)
