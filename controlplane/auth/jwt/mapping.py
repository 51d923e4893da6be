"""The user that an issuer's token names, by claims and prefixes or by CEL expressions.

In: a `JwtIssuer`, made ready once, and verified claims. Out: a user, or why there is none.
Law: what cannot be evaluated, and whatever a rule does not say yes to, is refused, in kube-apiserver's order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from controlplane.auth.cel import Bound, Environment, Expression, Failure, Value
from controlplane.auth.evidence import Failed
from controlplane.auth.jwt.claims import credential_id, user_info
from controlplane.auth.jwt.configuration import JwtIssuer
from controlplane.auth.records import Kind, Record
from controlplane.model.identity import UserInfo

USER: Final = Record(
    "kubernetes.UserInfo",
    (("username", Kind.STRING), ("uid", Kind.STRING), ("groups", Kind.STRINGS), ("extra", Kind.STRING_LISTS)),
)
_NOT_TEXT: Final = "expression must return a string or a list of strings"


def claims_environment() -> Environment:
    """The environment of expressions on `claims`."""
    return Environment({"claims": Kind.JSON_OBJECT}, escapes=True)


def user_environment() -> Environment:
    """The environment of expressions on `user`."""
    return Environment({"user": USER}, escapes=True)


class UserMapping:
    """What makes users of one issuer's claims.

    Raises:
        ValueError: from the constructor, when an expression of the configuration does not compile.
    """

    def __init__(self, configuration: JwtIssuer) -> None:
        self._of_claims, self._of_user = claims_environment(), user_environment()
        self._configuration = configuration
        self._expressions = {
            text: _compiled(self._of_claims, text)
            for text in (
                *(mapping.expression for mapping in (configuration.username, configuration.groups, configuration.uid)),
                *(extra.expression for extra in configuration.extra),
                *(rule.expression for rule in configuration.claim_rules),
            )
            if text
        }
        self._user_rules = [
            (_compiled(self._of_user, rule.expression), rule.message) for rule in configuration.user_rules
        ]

    def user(self, claims: Mapping[str, Any]) -> UserInfo | Failed:
        """The user of verified `claims`, or why they name none that is accepted."""
        try:
            return self._user(claims)
        except _RefusedError as refused:
            return Failed(f"oidc: {refused}")

    def _user(self, claims: Mapping[str, Any]) -> UserInfo | Failed:
        bound = _ready(self._of_claims.bind({"claims": claims})) if self._expressions else None
        settings = self._configuration
        name = self._username(claims, bound)
        groups = self._groups(claims, bound)
        uid = self._uid(claims, bound)
        extra: dict[str, tuple[str, ...]] = credential_id(claims)
        for mapping in settings.extra:
            if values := _texts(self._evaluated(mapping.expression, bound)):
                extra[mapping.key] = values
        for rule in settings.claim_rules:
            if rule.claim and _text(claims, rule.claim) != rule.required_value:
                raise _RefusedError(f"required claim {rule.claim} value does not match")
        for rule in settings.claim_rules:
            if rule.expression:
                _demand(self._evaluated(rule.expression, bound), rule.expression, rule.message)
        user = user_info(name, uid, groups, extra)
        if isinstance(user, UserInfo) and self._user_rules:
            self._check(user)
        return user

    def _check(self, user: UserInfo) -> None:
        values = {"username": user.name, "uid": user.uid, "groups": user.groups, "extra": dict(user.extra)}
        bound = _ready(self._of_user.bind({"user": values}))
        for expression, message in self._user_rules:
            _demand(_ready_value(expression.evaluate(bound)), expression.text, message)

    def _username(self, claims: Mapping[str, Any], bound: Bound | None) -> str:
        mapping = self._configuration.username
        if mapping.expression:
            name = self._evaluated(mapping.expression, bound)
            if not isinstance(name, str):
                raise _RefusedError("username claim expression must return a string")
            if not name:
                raise _RefusedError("empty username via CEL expression is not allowed")
            return name
        name = _text(claims, mapping.claim)
        if mapping.claim == "email" and "email_verified" in claims and claims["email_verified"] is not True:
            raise _RefusedError("email not verified")
        return mapping.prefix + name

    def _groups(self, claims: Mapping[str, Any], bound: Bound | None) -> tuple[str, ...]:
        mapping = self._configuration.groups
        if mapping.expression:
            return _texts(self._evaluated(mapping.expression, bound))
        if not mapping.claim or mapping.claim not in claims:
            return ()
        value = claims[mapping.claim]
        listed = [] if value is None else [value] if isinstance(value, str) else value
        # To Go's decoder a null in a list of strings is the empty string.
        texts = ["" if item is None else item for item in listed] if isinstance(listed, list) else [None]
        if not all(isinstance(item, str) for item in texts):
            raise _RefusedError(f'parse groups claim "{mapping.claim}": it is no string or list of strings')
        return tuple(f"{mapping.prefix}{item}" for item in texts)

    def _uid(self, claims: Mapping[str, Any], bound: Bound | None) -> str:
        mapping = self._configuration.uid
        if mapping.claim:
            return _text(claims, mapping.claim)
        if not mapping.expression:
            return ""
        uid = self._evaluated(mapping.expression, bound)
        if not isinstance(uid, str):
            raise _RefusedError("uid claim expression must return a string")
        return uid

    def _evaluated(self, text: str, bound: Bound | None) -> Value:
        if bound is None:
            raise _RefusedError("there are no claims to evaluate")
        return _ready_value(self._expressions[text].evaluate(bound))


class _RefusedError(Exception):
    """Why claims give no user; it never leaves this module."""


def _compiled(environment: Environment, text: str) -> Expression:
    expression = environment.compile(text)
    if isinstance(expression, Expression):
        return expression
    raise ValueError(f"{text!r}: {expression.reason}")


def _ready(bound: Bound | Failure) -> Bound:
    if isinstance(bound, Failure):
        raise _RefusedError(bound.reason)
    return bound


def _ready_value(value: Value | Failure) -> Value:
    if isinstance(value, Failure):
        raise _RefusedError(value.reason)
    return value


def _text(claims: Mapping[str, Any], name: str) -> str:
    """A claim that must be a string; null is the empty one, as Go's decoder has it."""
    if name not in claims:
        raise _RefusedError(f'parse claim "{name}": claim not present')
    value = claims[name]
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _RefusedError(f'parse claim "{name}": it is no string')
    return value


def _texts(value: Value) -> tuple[str, ...]:
    """A string or a list of strings, without the empty ones; null is no string at all."""
    listed = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(listed, list):
        raise _RefusedError(_NOT_TEXT)
    texts = tuple(item for item in listed if isinstance(item, str))
    if len(texts) != len(listed):
        raise _RefusedError(_NOT_TEXT)
    return tuple(text for text in texts if text)


def _demand(value: Value, expression: str, message: str) -> None:
    if not isinstance(value, bool):
        raise _RefusedError("validation expression must return a boolean")
    if not value:
        raise _RefusedError(f"validation expression '{expression}' failed: {message}")
