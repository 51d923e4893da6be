"""Traces of requests.

In: the section `tracing`. Out: a frozen value. Law: without it, or with a rate of zero, nothing is traced and nothing
is connected to.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from controlplane.settings.address import Address
from controlplane.settings.section import Section


class Tracing(Section):
    """Which requests are traced, and who is told of them: a TracingConfiguration of kube-apiserver."""

    endpoint: Address = Address(host="localhost", port=4317)
    """HOST:PORT of a collector that takes OTLP over gRPC without TLS, as Envoy and the control plane reach it."""
    sampling_rate_per_million: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """How many of a million requests are traced; what clients say about that does not count."""
    allow_plaintext: bool = False
    """Whether the collector may be on another machine, because the network is private."""

    @field_validator("endpoint", mode="before")
    @classmethod
    def _parse(cls, value: object) -> object:
        return Address.parse(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _guarded(self) -> Tracing:
        if not self.endpoint.loopback and not self.allow_plaintext:
            raise ValueError(
                f"endpoint is {self.endpoint}, which is told of requests without encryption; run a collector on this "
                "machine, or set allowPlaintext: true where the network is private"
            )
        return self
