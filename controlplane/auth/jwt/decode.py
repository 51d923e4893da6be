"""An AuthenticationConfiguration file, read as strictly as kube-apiserver 1.36 reads it.

In: its text. Out: the configuration, or every reason why it is none. Law: a key that means nothing, a value of another
type and a key that is there twice refuse the whole file; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import yaml

from controlplane.auth.jwt.configuration import (
    Anonymous,
    AuthenticationConfiguration,
    ClaimMapping,
    ClaimRule,
    ExtraMapping,
    Issuer,
    JwtIssuer,
    UserRule,
)
from controlplane.auth.jwt.validation import validate
from controlplane.model.problem import Origin, Problem

GROUP: Final = "apiserver.config.k8s.io"
KIND: Final = "AuthenticationConfiguration"
VERSIONS: Final = (f"{GROUP}/v1", f"{GROUP}/v1beta1", f"{GROUP}/v1alpha1")

_MAPPING: Final = {"claim": str, "prefix": str, "expression": str}
_SHAPE: Final[Mapping[str, Any]] = {
    "apiVersion": str,
    "kind": str,
    "jwt": [
        {
            "issuer": {
                "url": str,
                "discoveryURL": str,
                "certificateAuthority": str,
                "audiences": [str],
                "audienceMatchPolicy": str,
                "egressSelectorType": str,
            },
            "claimValidationRules": [{"claim": str, "requiredValue": str, "expression": str, "message": str}],
            "claimMappings": {
                "username": _MAPPING,
                "groups": _MAPPING,
                "uid": {"claim": str, "expression": str},
                "extra": [{"key": str, "valueExpression": str}],
            },
            "userValidationRules": [{"expression": str, "message": str}],
        }
    ],
    "anonymous": {"enabled": bool, "conditions": [{"path": str}]},
}


def decode(
    text: str, path: str, disallowed_issuers: Collection[str] = ()
) -> tuple[AuthenticationConfiguration | None, tuple[Problem, ...]]:
    """The configuration in `text`, or None and what is wrong with it, all of it.

    `path` is the file's, for the problems. `disallowed_issuers` are those of service accounts, which no entry of `jwt`
    may claim.
    """
    problems = _Problems(path)
    content = _load(text, problems)
    shaped = _shaped(content, _SHAPE, "", problems) if not problems.found else None
    if shaped is None or problems.found:
        return None, tuple(problems.found)
    _check_kind(shaped, problems)
    for defect in validate(shaped, frozenset(disallowed_issuers)):
        problems.add(defect.field, defect.message, defect.remedy)
    return (None, tuple(problems.found)) if problems.found else (_built(shaped), ())


class _Problems:
    def __init__(self, path: str) -> None:
        self._origin = Origin(path)
        self.found: list[Problem] = []

    def add(self, field: str, message: str, remedy: str) -> None:
        self.found.append(Problem(self._origin, KIND, field, message, remedy))


class _StrictLoader(yaml.SafeLoader):
    """YAML in which a key is there once, and what looks like a date is the string that Go's reader makes of it."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as PyYAML declares it
        first: [(tag, form) for tag, form in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        """The mapping of `node`; ConstructorError for a key that is there twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                message = f'key "{name}" already set in map'
                raise yaml.constructor.ConstructorError(None, None, message, key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def _load(text: str, problems: _Problems) -> object:
    try:
        content = yaml.load(text, _StrictLoader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}" if error.problem_mark is not None else ""
        problems.add(line, f"it cannot be read as YAML: {error.problem}", "correct the line")
        return None
    except (yaml.YAMLError, RecursionError, ValueError):
        problems.add("", "it cannot be read as YAML", "write one YAML document")
        return None
    if content is None:
        problems.add("", "it is empty", f"write a {KIND} of {VERSIONS[0]}")
    return content


def _shaped(value: object, shape: Any, field: str, problems: _Problems) -> Any:  # noqa: ANN401 - JSON of a known shape
    """`value` where it has the `shape`, without the keys that are null; what has another is a problem."""
    if isinstance(shape, Mapping):
        if not isinstance(value, Mapping):
            return _mistyped(value, "a mapping", field, problems)
        for key in value:
            if key not in shape:
                inner = f"{field}.{key}" if field else str(key)
                problems.add(inner, f'unknown field "{inner}"', f"write one of {', '.join(shape)}")
        return {
            key: _shaped(value[key], inner, f"{field}.{key}" if field else key, problems)
            for key, inner in shape.items()
            if value.get(key) is not None
        }
    if isinstance(shape, list):
        if not isinstance(value, list):
            return _mistyped(value, "a list", field, problems)
        return [_shaped(item, shape[0], f"{field}[{index}]", problems) for index, item in enumerate(value)]
    if not isinstance(value, shape):
        return _mistyped(value, "true or false" if shape is bool else "a string", field, problems)
    return value


def _mistyped(value: object, wanted: str, field: str, problems: _Problems) -> None:
    words = {
        dict: "a mapping",
        list: "a list",
        str: "a string",
        bool: "true or false",
        int: "a number",
        type(None): "null",
    }
    problems.add(field, f"it is {words.get(type(value), type(value).__name__)}", f"write {wanted}")


def _check_kind(content: Mapping[str, Any], problems: _Problems) -> None:
    version, kind = content.get("apiVersion", ""), content.get("kind", "")
    if version not in VERSIONS or kind != KIND:
        message = f'no kind "{kind}" is registered for version "{version}"'
        problems.add("apiVersion", message, f"write apiVersion: {VERSIONS[0]} and kind: {KIND}")


def _built(content: Mapping[str, Any]) -> AuthenticationConfiguration:
    anonymous = content.get("anonymous")
    return AuthenticationConfiguration(
        jwt=tuple(_issuer(entry) for entry in content.get("jwt", ())),
        anonymous=None
        if anonymous is None
        else Anonymous(
            anonymous.get("enabled", False), tuple(entry.get("path", "") for entry in anonymous.get("conditions", ()))
        ),
    )


def _issuer(entry: Mapping[str, Any]) -> JwtIssuer:
    issuer, mappings = entry["issuer"], entry["claimMappings"]
    return JwtIssuer(
        issuer=Issuer(
            url=issuer["url"],
            audiences=tuple(issuer["audiences"]),
            discovery_url=issuer.get("discoveryURL", ""),
            certificate_authority=issuer.get("certificateAuthority", ""),
        ),
        username=ClaimMapping(**mappings["username"]),
        groups=ClaimMapping(**mappings.get("groups", {})),
        uid=ClaimMapping(**mappings.get("uid", {})),
        extra=tuple(ExtraMapping(extra["key"], extra["valueExpression"]) for extra in mappings.get("extra", ())),
        claim_rules=tuple(
            ClaimRule(
                claim=rule.get("claim", ""),
                required_value=rule.get("requiredValue", ""),
                expression=rule.get("expression", ""),
                message=rule.get("message", ""),
            )
            for rule in entry.get("claimValidationRules", ())
        ),
        user_rules=tuple(
            UserRule(rule["expression"], rule.get("message", "")) for rule in entry.get("userValidationRules", ())
        ),
    )
