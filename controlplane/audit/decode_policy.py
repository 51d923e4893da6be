"""Reading a Policy of audit.k8s.io/v1.

In: the text of a YAML file. Out: an `AuditPolicy`, and the Problems of fields that mean nothing. Law: a policy that
kube-apiserver refuses is refused here, in its words; a field it does not know is shown and left out, as there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Final, TypeAlias

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from controlplane.audit.policy import STAGES, AuditPolicy, GroupResources, Level, Rule
from controlplane.errors import SettingsError
from controlplane.model.problem import Origin, Problem

API_VERSION: Final = "audit.k8s.io/v1"

_LEVELS: Final = tuple(level.value for level in Level)
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SUBDOMAIN_RULE: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_SUBDOMAIN_LENGTH: Final = 253


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="allow", alias_generator=to_camel)


# In Kubernetes' JSON, null is the same as nothing.
_Texts: TypeAlias = Annotated[list[str], BeforeValidator(lambda value: [] if value is None else value)]
_Text: TypeAlias = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]


class _GroupResources(_Read):
    group: _Text = ""
    resources: _Texts = []
    resource_names: _Texts = []


class _Rule(_Read):
    level: _Text = ""
    users: _Texts = []
    user_groups: _Texts = []
    verbs: _Texts = []
    resources: Annotated[list[_GroupResources], BeforeValidator(lambda value: [] if value is None else value)] = []
    namespaces: _Texts = []
    # to_camel would write nonResourceUrls.
    nonResourceURLs: _Texts = []  # noqa: N815 - the field's name in the file
    omit_stages: _Texts = []
    omit_managed_fields: bool | None = None


class _Policy(_Read):
    api_version: _Text = ""
    kind: _Text = ""
    metadata: object = None
    rules: Annotated[list[_Rule], BeforeValidator(lambda value: [] if value is None else value)] = []
    omit_stages: _Texts = []
    omit_managed_fields: bool | None = None


def load_policy(text: str, path: str) -> tuple[AuditPolicy, tuple[Problem, ...]]:
    """The policy in the YAML `text` read from `path`, and a Problem for each field that is not known.

    Raises:
        SettingsError: when it is no Policy of audit.k8s.io/v1, has no rule or one that kube-apiserver refuses.
    """
    read = _read(text, path)
    defects = list(_defects(read))
    if defects:
        shown = defects[0] if len(defects) == 1 else f"[{', '.join(defects)}]"
        raise SettingsError(f"{path}: {shown}; mend the audit policy")
    if not read.rules:
        raise SettingsError(f"{path}: loaded illegal policy with 0 rules; write a rule such as {{level: Metadata}}")
    without = bool(read.omit_managed_fields)
    policy = AuditPolicy(tuple(_rule(each, without=without) for each in read.rules), frozenset(read.omit_stages))
    return policy, tuple(_problem(path, field) for field in _unknown(read, ""))


def _read(text: str, path: str) -> _Policy:
    try:
        document = yaml.safe_load(text)
    # A date that there is none and too many digits are ValueErrors, endless brackets a RecursionError.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: is not YAML ({error}); mend the audit policy") from error
    if not isinstance(document, dict) or (document.get("apiVersion"), document.get("kind")) != (API_VERSION, "Policy"):
        raise SettingsError(f"{path}: holds no audit policy; write apiVersion: {API_VERSION} and kind: Policy")
    try:
        return _Policy.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = _path(first["loc"])
        raise SettingsError(f"{path}: {field}: {first['msg'].lower()}; mend the audit policy") from error


def _path(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")


def _rule(read: _Rule, *, without: bool) -> Rule:
    """A rule; what it does not say of managed fields, the policy says: whether bodies go `without`."""
    resources = (
        GroupResources(each.group, tuple(each.resources), tuple(each.resource_names)) for each in read.resources
    )
    return Rule(
        level=Level(read.level),
        users=frozenset(read.users),
        user_groups=frozenset(read.user_groups),
        verbs=frozenset(read.verbs),
        resources=tuple(resources),
        namespaces=frozenset(read.namespaces),
        non_resource_urls=tuple(read.nonResourceURLs),
        omit_stages=frozenset(read.omit_stages),
        omit_managed_fields=without if read.omit_managed_fields is None else read.omit_managed_fields,
    )


def _defects(policy: _Policy) -> Iterator[str]:
    """Every defect, in the words and the order of k8s.io/apiserver's audit validation."""
    yield from _stage_defects(policy.omit_stages, "omitStages")
    for index, rule in enumerate(policy.rules):
        field = f"rules[{index}]"
        if not rule.level:
            yield f"{field}.level: Required value"
        elif rule.level not in _LEVELS:
            supported = ", ".join(f'"{level}"' for level in _LEVELS)
            yield f'{field}.level: Unsupported value: "{rule.level}": supported values: {supported}'
        for number, url in enumerate(rule.nonResourceURLs):
            yield from _url_defects(url, f"{field}.nonResourceURLs[{number}]")
        for each in rule.resources:
            yield from _resource_defects(each, f"{field}.resources")
        yield from _stage_defects(rule.omit_stages, f"{field}.omitStages")
        if rule.nonResourceURLs and (rule.resources or rule.namespaces):
            reason = "rules cannot apply to both regular resources and non-resource URLs"
            yield f"{field}.nonResourceURLs: Invalid value: {_listed(rule.nonResourceURLs)}: {reason}"


def _url_defects(url: str, field: str) -> Iterator[str]:
    if url == "*":
        return
    if not url.startswith("/"):
        yield f"{field}: Invalid value: \"{url}\": non-resource URL rules must begin with a '/' character"
    if "*" in url[:-1]:
        reason = "non-resource URL wildcards '*' must be the final character of the rule"
        yield f'{field}: Invalid value: "{url}": {reason}'


def _resource_defects(listed: _GroupResources, field: str) -> Iterator[str]:
    if listed.group not in {"", "*"}:
        reasons = []
        if len(listed.group) > _SUBDOMAIN_LENGTH:
            reasons.append(f"must be no more than {_SUBDOMAIN_LENGTH} bytes")
        if not _SUBDOMAIN.fullmatch(listed.group):
            reasons.append(_SUBDOMAIN_RULE)
        if reasons:
            yield f'{field}.group: Invalid value: "{listed.group}": {",".join(reasons)}'
    if listed.resource_names and not listed.resources:
        reason = "using resourceNames requires at least one resource"
        yield f"{field}.resourceNames: Invalid value: {_listed(listed.resource_names)}: {reason}"


def _stage_defects(stages: list[str], field: str) -> Iterator[str]:
    for index, stage in enumerate(stages):
        if stage not in STAGES:
            yield f'{field}[{index}]: Invalid value: "{stage}": allowed stages are {",".join(STAGES)}'


def _listed(values: list[str]) -> str:
    return "[" + ",".join(f'"{value}"' for value in values) + "]"


def _unknown(read: _Read, field: str) -> Iterator[str]:
    for name in read.model_extra or ():
        yield f"{field}{name}"
    for name in type(read).model_fields:
        value = getattr(read, name)
        for index, each in enumerate(value if isinstance(value, list) else ()):
            if isinstance(each, _Read):
                yield from _unknown(each, f"{field}{name}[{index}].")


def _problem(path: str, field: str) -> Problem:
    return Problem(
        Origin(path), "audit policy", field, "unknown field, which has no effect", "mend its name or remove it"
    )
