from __future__ import annotations

import hashlib

from prometheus_client import CollectorRegistry, generate_latest

from controlplane.auth.jwt.metrics import JwtMetrics

ISSUER = "https://issuer.example.org"
HASH = f"sha256:{hashlib.sha256(ISSUER.encode()).hexdigest()}"
PREFIX = "apiserver_authentication_jwt_authenticator"


def lines_of(registry: CollectorRegistry) -> set[str]:
    """What is there, without buckets and without when it began."""
    lines = generate_latest(registry).decode().splitlines()
    return {line for line in lines if not line.startswith("#") and "_bucket" not in line and "_created" not in line}


def test_fetches_and_judgements_are_told_by_the_hash_of_the_issuer() -> None:
    """When keys were fetched last by result, which key set it was, and how long tokens take."""
    registry = CollectorRegistry()
    metrics = JwtMetrics(registry, lambda: 1000.0)
    metrics.follow([ISSUER])
    metrics.fetched(ISSUER, b"old")
    metrics.fetched(ISSUER, b"new")
    metrics.fetched(ISSUER, None)
    metrics.judged(ISSUER, 0.5, good=False)

    digest = hashlib.sha256(b"new").hexdigest()
    expected = {
        f'{PREFIX}_jwks_fetch_last_timestamp_seconds{{jwt_issuer_hash="{HASH}",result="success"}} 1000.0',
        f'{PREFIX}_jwks_fetch_last_timestamp_seconds{{jwt_issuer_hash="{HASH}",result="failure"}} 1000.0',
        f'{PREFIX}_jwks_fetch_last_key_set_info{{hash="sha256:{digest}",jwt_issuer_hash="{HASH}"}} 1.0',
        f'{PREFIX}_latency_seconds_count{{jwt_issuer_hash="{HASH}",result="failure"}} 1.0',
        f'{PREFIX}_latency_seconds_sum{{jwt_issuer_hash="{HASH}",result="failure"}} 0.5',
    }
    assert expected == lines_of(registry)


def test_an_issuer_that_is_gone_has_no_series() -> None:
    """What was told of it goes, and whoever still judges its tokens is not heard."""
    registry = CollectorRegistry()
    metrics = JwtMetrics(registry, lambda: 1.0)
    metrics.follow([ISSUER])
    metrics.fetched(ISSUER, b"keys")
    metrics.judged(ISSUER, 0.5, good=True)

    metrics.follow(["https://other.example.org"])
    metrics.fetched(ISSUER, b"others")
    metrics.judged(ISSUER, 0.5, good=True)

    assert lines_of(registry) == set()


def test_an_issuer_that_stays_keeps_its_series() -> None:
    """Another configuration of the same issuer begins nothing anew."""
    registry = CollectorRegistry()
    metrics = JwtMetrics(registry, lambda: 1.0)
    metrics.follow([ISSUER])
    metrics.judged(ISSUER, 0.5, good=True)
    before = lines_of(registry)

    metrics.follow([ISSUER, "https://other.example.org"])

    assert before
    assert before == lines_of(registry)
