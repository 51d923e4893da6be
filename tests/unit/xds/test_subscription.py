"""What a subscription itself decides: splitting suspects, giving back memory."""

from __future__ import annotations

import sys

import pytest

from controlplane.model.resource import CLUSTER, ENDPOINTS
from controlplane.snapshot.snapshot import Resource
from controlplane.xds.held import Behind
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

    assert sys.getsizeof(Behind()) == sys.getsizeof(subscription.behind) < cold
    assert sys.getsizeof({}) == sys.getsizeof(subscription.queue)


def test_acknowledgement_of_another_nonce_is_none() -> None:
    """An answer to a response that is not in flight changes nothing."""
    subscription = Subscription(CLUSTER, {})
    subscription.change(())
    subscription.sent("2", {})

    assert (None, None) == (subscription.acknowledge("1"), subscription.reject("1", "bad"))
    assert subscription.in_flight is not None


@pytest.mark.parametrize(
    ("type_url", "subscribe"),
    [(CLUSTER, ()), (CLUSTER, ("*", "c1")), (ENDPOINTS, ("c2", "c1", "c0")), (ENDPOINTS, ("c1", "missing", "c1"))],
)
def test_claims_compared_as_a_whole_mean_what_they_mean_one_by_one(type_url: str, subscribe: tuple[str, ...]) -> None:
    """A client in full step is taken on in the same state whether the table's versions were at hand or not."""
    table = {resource.name: resource for resource in suspects("c0", "c1", "c2")}
    versions = {name: resource.version for name, resource in table.items()}
    one, other = Subscription(type_url, table), Subscription(type_url, table)
    one.change(subscribe, (), dict(versions))
    other.change(subscribe, (), dict(versions), versions)

    assert [(one.wildcard, one.names, one.behind, one.queue, one.forced, one.reply_due)] == [
        (other.wildcard, other.names, other.behind, other.queue, other.forced, other.reply_due)
    ]
