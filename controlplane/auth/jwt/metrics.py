"""What operators see of issuers: how long their tokens take to judge, and when their keys were fetched last.

In: a registry and a clock. Out: metrics in it, under kube-apiserver's names and labels. Law: an issuer is told by the
SHA-256 of its URL, and there are series only of issuers that are configured now.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Histogram

_BUCKETS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PREFIX: Final = "apiserver_authentication_jwt_authenticator"
_RESULTS: Final = ("success", "failure")


class JwtMetrics:
    """apiserver_authentication_jwt_authenticator_*; `clock` gives Unix seconds."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._hashes: dict[str, str] = {}
        self._key_sets: dict[str, str] = {}
        self._seconds = Histogram(
            f"{_PREFIX}_latency_seconds",
            "Time to judge a token of an issuer that was not judged a moment ago.",
            ["result", "jwt_issuer_hash"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._fetched = Gauge(
            f"{_PREFIX}_jwks_fetch_last_timestamp_seconds",
            "When keys of an issuer were fetched last, by result.",
            ["result", "jwt_issuer_hash"],
            registry=registry,
        )
        self._key_set = Gauge(
            f"{_PREFIX}_jwks_fetch_last_key_set_info",
            "The SHA-256 of the key set that was fetched last.",
            ["jwt_issuer_hash", "hash"],
            registry=registry,
        )

    def follow(self, issuers: Iterable[str]) -> None:
        """From now on these are the issuers there are; nothing more is told of any other."""
        wanted = {issuer: _hash(issuer.encode()) for issuer in issuers}
        for issuer in self._hashes.keys() - wanted.keys():
            told = self._hashes[issuer]
            for result in _RESULTS:
                self._seconds.remove(result, told)
                self._fetched.remove(result, told)
            if issuer in self._key_sets:
                self._key_set.remove(told, self._key_sets.pop(issuer))
        self._hashes = wanted

    def judged(self, issuer: str, seconds: float, *, good: bool) -> None:
        """A token of the issuer was judged within `seconds`."""
        if (told := self._hashes.get(issuer)) is not None:
            self._seconds.labels("success" if good else "failure", told).observe(seconds)

    def fetched(self, issuer: str, key_set: bytes | None) -> None:
        """A key set of the issuer was fetched; None: it could not be, or could not be used."""
        if (told := self._hashes.get(issuer)) is None:
            return
        self._fetched.labels("failure" if key_set is None else "success", told).set(self._clock())
        digest, before = _hash(key_set or b""), self._key_sets.get(issuer)
        if digest in ("", before):
            return
        if before is not None:
            self._key_set.remove(told, before)
        self._key_set.labels(told, digest).set(1)
        self._key_sets[issuer] = digest


def _hash(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}" if content else ""
