"""What Envoy does with a question whose addressee is gone.

In: nothing. Out: a retry policy for a gRPC service with several endpoints. Law: only what cannot change anything by
being asked twice has it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.core.v3 import BackoffStrategy, RetryPolicy, RetryPolicyRetryHostPredicate
from envoy_data_plane.envoy.extensions.retry.host.previous_hosts.v3 import PreviousHostsPredicate
from envoy_data_plane.google.protobuf import Any

# A connection that cannot be made, one that breaks before or within the answer, and an answer of UNAVAILABLE.
_RETRY_ON: Final = "connect-failure,refused-stream,reset,unavailable"
_RETRIES: Final = 3
# Nothing is overloaded when a process is gone: the next one is asked at once.
_FIRST_PAUSE: Final = timedelta(milliseconds=1)
# Hosts are chosen at random, the least busy of four: and nobody is less busy than who is dead.
_OTHER_HOSTS: Final = 200


def another_host(patience: timedelta) -> RetryPolicy:
    """Asks again, and somebody else where there is one; `patience` is how long the answer is waited for in all."""
    previous = RetryPolicyRetryHostPredicate(
        name="envoy.retry_host_predicates.previous_hosts", typed_config=Any.pack(PreviousHostsPredicate())
    )
    return RetryPolicy(
        retry_on=_RETRY_ON,
        num_retries=_RETRIES,
        # Envoy takes the longest pause for the time-out of each attempt, too. One that is busy is not to be given up:
        # all would be asked again and again by those that are waiting already.
        retry_back_off=BackoffStrategy(base_interval=_FIRST_PAUSE, max_interval=patience),
        retry_host_predicate=[previous],
        host_selection_retry_max_attempts=_OTHER_HOSTS,
    )
