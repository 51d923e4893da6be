"""What a subscription itself decides: splitting suspects, giving back memory."""

from __future__ import annotations

import sys

from controlplane.model.resource import CLUSTER, ENDPOINTS
from controlplane.snapshot.snapshot import Resource
from controlplane.xds.subscription import Subscription


def suspects(*names: str) -> tuple[Resource, ...]:
    """Resources of a rejected response."""
    return tuple(Resource.of(CLUSTER, name, b"") for name in names)


def test_names_are_shared_between_subscriptions() -> None:
    """A thousand streams that name the same clusters hold the same strings."""
    one, other = Subscription(ENDPOINTS, {}), Subscription(ENDPOINTS, {})
    one.change(["cluster-" + str(7)])
    other.change(["cluster-" + str(7)])

    assert next(iter(one.names)) is next(iter(other.names))


def test_memory_of_the_cold_start_is_given_back() -> None:
    """Once in step, the dictionaries that held every name of the cold start are gone."""
    table = {resource.name: resource for resource in suspects(*(f"c{number}" for number in range(5000)))}
    subscription = Subscription(CLUSTER, table)
    subscription.change(())
    cold = sys.getsizeof(subscription.behind)
    subscription.queue.clear()
    subscription.sent("1", dict(table))
    subscription.acknowledge("1")

    assert sys.getsizeof({}) == sys.getsizeof(subscription.behind) < cold
    assert sys.getsizeof({}) == sys.getsizeof(subscription.queue)


def test_acknowledgement_of_another_nonce_is_none() -> None:
    """An answer to a response that is not in flight changes nothing."""
    subscription = Subscription(CLUSTER, {})
    subscription.change(())
    subscription.sent("2", {})

    assert (None, None) == (subscription.acknowledge("1"), subscription.reject("1", "bad"))
    assert subscription.in_flight is not None
