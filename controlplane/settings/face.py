"""The listening faces of a control plane.

In: the sections that say where a face listens. Out: frozen values. Law: nothing is reached by other machines without
encryption unless the settings say so in words.
"""

from __future__ import annotations

from pydantic import field_validator, model_validator

from controlplane.settings.address import Address
from controlplane.settings.section import Section


class Face(Section):
    """One listening face of the control plane, and the address at which Envoy reaches it when that differs."""

    listen: Address
    advertise: Address | None = None
    allow_plaintext: bool = False

    @field_validator("listen", "advertise", mode="before")
    @classmethod
    def _parse(cls, value: object) -> object:
        return Address.parse(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _guarded(self) -> Face:
        if not self.listen.loopback and not self.allow_plaintext:
            raise ValueError(
                f"listen is {self.listen}, which other machines reach without encryption; "
                "use a Unix socket or a loopback address, or set allowPlaintext: true where the network is private"
            )
        return self

    @property
    def reached_at(self) -> Address:
        """The address Envoy connects to."""
        return self.advertise or self.listen
