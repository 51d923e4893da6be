"""The watchable value."""

import asyncio

from controlplane.aio import Watchable


async def test_a_waiter_wakes_with_the_latest_value() -> None:
    """Values in between may be missed, the last never is."""
    watchable = Watchable("a")
    waiter = asyncio.ensure_future(watchable.changed("a"))
    await asyncio.sleep(0)

    watchable.publish("b")
    watchable.publish("c")

    assert await waiter == "c"


async def test_a_value_already_newer_is_given_at_once() -> None:
    """Who has seen an older value does not wait."""
    watchable = Watchable("a")
    watchable.publish("b")

    assert await watchable.changed("a") == "b"


async def test_the_identical_object_wakes_nobody() -> None:
    """Publishing what is there already is no change."""
    value = object()
    watchable = Watchable(value)
    waiter = asyncio.ensure_future(watchable.changed(value))
    await asyncio.sleep(0)

    watchable.publish(value)
    await asyncio.sleep(0)

    assert not waiter.done()
    waiter.cancel()


async def test_a_cancelled_waiter_leaves_nothing_behind() -> None:
    """Cancelled streams do not pile up waiters."""
    watchable = Watchable("a")
    waiter = asyncio.ensure_future(watchable.changed("a"))
    await asyncio.sleep(0)

    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)

    assert not watchable._waiters


def test_listeners_are_told_of_every_publication_while_they_listen() -> None:
    """A listener is called at each new value, not at the identical object, and not after it stopped listening."""
    watchable, told = Watchable("first"), []
    with watchable.telling(lambda: told.append(watchable.value)):
        watchable.publish("second")
        watchable.publish(watchable.value)
    watchable.publish("third")

    assert ["second"] == told
