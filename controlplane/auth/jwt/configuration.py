"""What an AuthenticationConfiguration (apiserver.config.k8s.io) says of issuers, their users, and anonymous requests.

Law: frozen data that can be sent to another process; expressions are texts that are known to compile.
"""

from __future__ import annotations

from dataclasses import dataclass

from controlplane.auth.jwt.keys import VerificationKey


@dataclass(frozen=True, slots=True)
class Issuer:
    """Where tokens come from and whom they must be meant for; one of `audiences` must be in a token.

    `discovery_url` is "" where the well-known address under `url` serves; `certificate_authority` is PEM, "" for the
    system's roots.
    """

    url: str
    audiences: tuple[str, ...]
    discovery_url: str = ""
    certificate_authority: str = ""


@dataclass(frozen=True, slots=True)
class ClaimRule:
    """A claim with the value it must have, or an expression on `claims` that must hold."""

    claim: str = ""
    required_value: str = ""
    expression: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class ClaimMapping:
    """A claim with a prefix, or an expression on `claims`; neither: nothing is mapped."""

    claim: str = ""
    prefix: str = ""
    expression: str = ""


@dataclass(frozen=True, slots=True)
class ExtraMapping:
    """The expression on `claims` that gives the values of one extra."""

    key: str
    expression: str


@dataclass(frozen=True, slots=True)
class UserRule:
    """An expression on `user` that must hold."""

    expression: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class JwtIssuer:
    """One entry of `jwt`: an issuer and what is made of its tokens.

    With `keys`, which no file of kube-apiserver's can hold, nothing is fetched from the issuer.
    """

    issuer: Issuer
    username: ClaimMapping
    groups: ClaimMapping = ClaimMapping()
    uid: ClaimMapping = ClaimMapping()
    extra: tuple[ExtraMapping, ...] = ()
    claim_rules: tuple[ClaimRule, ...] = ()
    user_rules: tuple[UserRule, ...] = ()
    keys: tuple[VerificationKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Whether requests without credentials are let in as system:anonymous; `paths` are the only ones, none: all are."""

    enabled: bool = False
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuthenticationConfiguration:
    """All of it; `anonymous` is None where the file leaves it to the settings."""

    jwt: tuple[JwtIssuer, ...] = ()
    anonymous: Anonymous | None = None
