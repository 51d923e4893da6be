"""What kube-apiserver 1.36 demands of an AuthenticationConfiguration beyond its shape.

In: the content of a file, of known shape. Out: defects, with kube-apiserver's fields and sentences and a remedy each.
Law: an empty answer means that everything in the content can be carried out here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509

from controlplane.auth.cel import Environment, Expression, Returns
from controlplane.auth.certificate import UNREADABLE
from controlplane.auth.jwt.mapping import claims_environment, user_environment
from controlplane.model.names import dns1123_subdomain

_MOST_ISSUERS: Final = 64
_MATCH_ANY: Final = "MatchAny"
_PATH: Final = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")
_USER_INFO: Final = re.compile(r"//[^/@]*@")
# urlsplit drops or takes what Go's parser refuses: control characters, spaces before the path, escapes of nothing.
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f]|%(?![0-9A-Fa-f]{2})|^ |^[^/]*//[^/]* ")
_RESERVED: Final = ("k8s.io", "kubernetes.io")
_KEEP_ONE: Final = "keep one of them"
_EMAIL: Final = (
    "claims.email_verified must be used in claimMappings.username.expression or claimMappings.extra[*].valueExpression "
    "or claimValidationRules[*].expression when claims.email is used in claimMappings.username.expression"
)


@dataclass(frozen=True, slots=True)
class Defect:
    """What is wrong with one field."""

    field: str
    message: str
    remedy: str


def validate(content: Mapping[str, Any], disallowed_issuers: frozenset[str]) -> Iterator[Defect]:
    """Every defect of `content`, in the order of the file."""
    entries = content.get("jwt", ())
    if len(entries) > _MOST_ISSUERS:
        yield Defect("jwt", f"Too many: {len(entries)}: must have at most {_MOST_ISSUERS} items", "write fewer issuers")
        return
    urls: set[str] = set()
    discovery_urls: set[str] = set()
    for index, entry in enumerate(entries):
        field, issuer = f"jwt[{index}]", entry.get("issuer", {})
        yield from _Authenticator(field, entry, disallowed_issuers).defects()
        for name, seen in (("url", urls), ("discoveryURL", discovery_urls)):
            value = issuer.get(name, "")
            if value and value in seen:
                yield _duplicate(f"{field}.issuer.{name}", value)
            seen.add(value)
    anonymous = content.get("anonymous", {})
    if anonymous.get("conditions") and not anonymous.get("enabled", False):
        message = "Invalid value: enabled should be set to true when conditions are defined"
        yield Defect("anonymous.conditions", message, "set anonymous.enabled: true or remove the conditions")


class _Authenticator:
    """The rules for one entry of `jwt`; which claims its expressions use is gathered on the way."""

    def __init__(self, field: str, entry: Mapping[str, Any], disallowed_issuers: frozenset[str]) -> None:
        self._field = field
        self._entry = entry
        self._disallowed = disallowed_issuers
        self._claims = claims_environment()
        self._uses_email = False
        self._uses_email_verified = False

    def defects(self) -> Iterator[Defect]:
        """Every defect of the entry."""
        yield from _issuer_defects(self._entry.get("issuer", {}), f"{self._field}.issuer", self._disallowed)
        yield from self._claim_rules(f"{self._field}.claimValidationRules")
        yield from self._mappings(self._entry.get("claimMappings", {}), f"{self._field}.claimMappings")
        yield from self._user_rules(f"{self._field}.userValidationRules")

    def _claim_rules(self, field: str) -> Iterator[Defect]:
        claims: set[str] = set()
        expressions: set[str] = set()
        for index, rule in enumerate(self._entry.get("claimValidationRules", ())):
            at = f"{field}[{index}]"
            claim, expression = rule.get("claim", ""), rule.get("expression", "")
            if claim and expression:
                yield _invalid(at, claim, "claim and expression can't both be set", _KEEP_ONE)
            elif claim:
                if rule.get("message"):
                    yield _invalid(
                        f"{at}.message", rule["message"], "may not be specified when claim is set", "remove it"
                    )
                if claim in claims:
                    yield _duplicate(f"{at}.claim", claim)
                claims.add(claim)
            elif expression:
                value = rule.get("requiredValue")
                if value:
                    sentence = "may not be specified when expression is set"
                    yield _invalid(f"{at}.requiredValue", value, sentence, "remove it")
                if expression in expressions:
                    yield _duplicate(f"{at}.expression", expression)
                    continue
                expressions.add(expression)
                yield from self._expression(expression, f"{at}.expression", Returns.BOOL, verifies_email=True)
            else:
                yield _required(at, "claim or expression is required")

    def _mappings(self, mappings: Mapping[str, Any], field: str) -> Iterator[Defect]:
        username = mappings.get("username", {})
        yield from self._prefixed(username, f"{field}.username", needed=True)
        yield from self._prefixed(mappings.get("groups", {}), f"{field}.groups", needed=False)
        uid = mappings.get("uid", {})
        if uid.get("claim") and uid.get("expression"):
            yield _invalid(f"{field}.uid", "", "claim and expression can't both be set", _KEEP_ONE)
        elif uid.get("expression"):
            yield from self._expression(uid["expression"], f"{field}.uid.expression")
        keys: set[str] = set()
        for index, extra in enumerate(mappings.get("extra", ())):
            at, key = f"{field}.extra[{index}]", extra.get("key", "")
            yield from _key_defects(key, f"{at}.key")
            if key in keys:
                yield _duplicate(f"{at}.key", key)
                continue
            keys.add(key)
            if not extra.get("valueExpression"):
                yield _required(f"{at}.valueExpression")
                continue
            yield from self._expression(extra["valueExpression"], f"{at}.valueExpression", verifies_email=True)
        if self._uses_email and not self._uses_email_verified:
            remedy = "add the claim validation rule claims.?email_verified.orValue(true) == true"
            yield _invalid(f"{field}.username.expression", username["expression"], _EMAIL, remedy)

    def _prefixed(self, mapping: Mapping[str, str], field: str, *, needed: bool) -> Iterator[Defect]:
        claim, expression = mapping.get("claim", ""), mapping.get("expression", "")
        if claim and expression:
            yield _invalid(field, "", "claim and expression can't both be set", _KEEP_ONE)
        elif expression:
            if "prefix" in mapping:
                sentence = "may not be specified when expression is set"
                yield _invalid(f"{field}.prefix", mapping["prefix"], sentence, "write it into the expression")
            yield from self._expression(expression, f"{field}.expression", verifies_email=needed, names_user=needed)
        elif claim and "prefix" not in mapping:
            sentence = "prefix is required when claim is set. It can be set to an empty string to disable prefixing"
            yield _required(f"{field}.prefix", sentence)
        elif not claim and needed:
            yield _required(field, "claim or expression is required")

    def _user_rules(self, field: str) -> Iterator[Defect]:
        seen: set[str] = set()
        environment = user_environment()
        for index, rule in enumerate(self._entry.get("userValidationRules", ())):
            at, expression = f"{field}[{index}].expression", rule.get("expression", "")
            if not expression:
                yield _required(at)
            elif expression in seen:
                yield _duplicate(at, expression)
            else:
                seen.add(expression)
                yield from _compiled(environment, expression, at, Returns.BOOL)[1]

    def _expression(
        self,
        text: str,
        field: str,
        returns: Returns = Returns.ANY,
        *,
        verifies_email: bool = False,
        names_user: bool = False,
    ) -> list[Defect]:
        expression, defects = _compiled(self._claims, text, field, returns)
        if expression is not None:
            self._uses_email |= names_user and expression.selects("claims", "email")
            self._uses_email_verified |= verifies_email and expression.selects("claims", "email_verified")
        return defects


def _compiled(
    environment: Environment, text: str, field: str, returns: Returns
) -> tuple[Expression | None, list[Defect]]:
    expression = environment.compile(text, returns)
    if isinstance(expression, Expression):
        return expression, []
    remedy = "write an expression that comes to true or false" if returns is Returns.BOOL else "correct the expression"
    return None, [_invalid(field, text, expression.reason, remedy)]


def _issuer_defects(issuer: Mapping[str, Any], field: str, disallowed: frozenset[str]) -> Iterator[Defect]:
    url, discovery_url = issuer.get("url", ""), issuer.get("discoveryURL", "")
    if not url:
        yield _required(f"{field}.url")
    else:
        yield from _url_defects(url, f"{field}.url", disallowed)
    if discovery_url:
        if url and url.rstrip("/") == discovery_url.rstrip("/"):
            sentence = "discoveryURL must be different from URL"
            yield _invalid(
                f"{field}.discoveryURL", _USER_INFO.sub("//[redacted]@", discovery_url), sentence, "remove it"
            )
        yield from _url_defects(discovery_url, f"{field}.discoveryURL", frozenset())
    yield from _audience_defects(issuer, field)
    if authority := issuer.get("certificateAuthority", ""):
        try:
            x509.load_pem_x509_certificates(authority.encode())
        except UNREADABLE:
            sentence = "data does not contain any valid RSA or ECDSA certificates"
            yield _invalid(f"{field}.certificateAuthority", "<omitted>", sentence, "write PEM certificates")
    if selector := issuer.get("egressSelectorType", ""):
        sentence = "Isthmus has no egress selector: it connects to issuers directly"
        remedy = "remove it, and name a proxy in HTTPS_PROXY if there is one on the way"
        yield _invalid(f"{field}.egressSelectorType", selector, sentence, remedy)


def _url_defects(url: str, field: str, disallowed: frozenset[str]) -> Iterator[Defect]:
    shown = _USER_INFO.sub("//[redacted]@", url)
    if url in disallowed:
        sentence = f"URL must not overlap with disallowed issuers: {sorted(disallowed)}"
        yield _invalid(field, shown, sentence, "choose another issuer, or remove it from serviceAccounts.issuers")
    if _UNFIT.search(url):
        yield _invalid(field, shown, "invalid character or escape in URL", "write https://HOST/PATH")
        return
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError as error:
        yield _invalid(field, shown, str(error), "write https://HOST/PATH")
        return
    checks = (
        (parts.scheme != "https", "URL scheme must be https"),
        ("@" in parts.netloc, "URL must not contain a username or password"),
        (bool(parts.query), "URL must not contain a query"),
        (bool(parts.fragment), "URL must not contain a fragment"),
        (parts.scheme == "https" and not usable, "URL must have a host"),
    )
    for wrong, sentence in checks:
        if wrong:
            yield _invalid(field, shown, sentence, "write https://HOST/PATH")


def _audience_defects(issuer: Mapping[str, Any], field: str) -> Iterator[Defect]:
    listed, policy = issuer.get("audiences", ()), issuer.get("audienceMatchPolicy", "")
    if not listed:
        yield _required(f"{field}.audiences", f"at least one {field}.audiences is required")
        return
    seen: set[str] = set()
    for index, audience in enumerate(listed):
        at = f"{field}.audiences[{index}]"
        if not audience:
            yield _required(at)
        if audience in seen:
            yield _duplicate(at, audience)
        seen.add(audience)
    if len(listed) > 1 and policy != _MATCH_ANY:
        sentence = "audienceMatchPolicy must be MatchAny for multiple audiences"
        yield _invalid(f"{field}.audienceMatchPolicy", policy, sentence, f"write {_MATCH_ANY}")
    if len(listed) == 1 and policy not in ("", _MATCH_ANY):
        sentence = "audienceMatchPolicy must be empty or MatchAny for single audience"
        yield _invalid(f"{field}.audienceMatchPolicy", policy, sentence, "remove it")


def _key_defects(key: str, field: str) -> Iterator[Defect]:
    if not key:
        yield _required(field)
        return
    domain, _, path = key.partition("/")
    if not domain or not path:
        sentence = 'must be a domain-prefixed path (such as "acme.io/foo")'
        yield _invalid(field, key, sentence, "write DOMAIN/PATH")
    else:
        if defect := dns1123_subdomain(domain):
            yield _invalid(field, domain, defect, "write a domain before the first slash")
        if _PATH.fullmatch(path) is None:
            yield _invalid(field, path, f"Invalid path (regex used for validation is '{_PATH.pattern}')", "correct it")
    if key != key.lower():
        yield _invalid(field, key, "must be lowercase", f"write {key.lower()}")
    if domain != key and any(domain == reserved or domain.endswith(f".{reserved}") for reserved in _RESERVED):
        sentence = "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use"
        yield _invalid(field, key, sentence, "choose a domain of your own")


def _invalid(field: str, value: str, sentence: str, remedy: str) -> Defect:
    return Defect(field, f'Invalid value: "{value}": {sentence}', remedy)


def _required(field: str, sentence: str = "") -> Defect:
    return Defect(field, f"Required value: {sentence}" if sentence else "Required value", "write it")


def _duplicate(field: str, value: str) -> Defect:
    return Defect(field, f'Duplicate value: "{value}"', _KEEP_ONE)
