"""The rules for ClusterRoles, Roles and their bindings.

In: an object in its normal form. Out: what it defaults to, and every rule it breaks. Law: rules and sentences of
kube-apiserver's rbac.authorization.k8s.io/v1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from controlplane.resources import formats, metadata
from controlplane.resources.cause import Cause, forbidden, invalid, required, unsupported
from controlplane.resources.values import JsonObject, same

_GROUP: Final = "rbac.authorization.k8s.io"
_ROLES: Final = ("Role", "ClusterRole")
_SUBJECTS: Final = ("ServiceAccount", "User", "Group")


def default_binding(obj: JsonObject) -> None:
    """Fills in the API groups of the role and of users and groups."""
    reference = obj["roleRef"]
    reference["apiGroup"] = reference["apiGroup"] or _GROUP
    for subject in obj.get("subjects", ()):
        if subject["kind"] in {"User", "Group"} and not subject.get("apiGroup"):
            subject["apiGroup"] = _GROUP


def check_role(obj: JsonObject) -> Iterator[Cause]:
    """Every rule that a Role breaks."""
    yield from metadata.core_object_meta(obj["metadata"], metadata.path_segment_name, namespaced=True)
    for index, rule in enumerate(obj["rules"] or ()):
        yield from _rule(rule, f"rules[{index}]", namespaced=True)


def check_cluster_role(obj: JsonObject) -> Iterator[Cause]:
    """Every rule that a ClusterRole breaks."""
    yield from metadata.core_object_meta(obj["metadata"], metadata.path_segment_name, namespaced=False)
    for index, rule in enumerate(obj["rules"] or ()):
        yield from _rule(rule, f"rules[{index}]", namespaced=False)
    aggregation = obj.get("aggregationRule")
    if aggregation is None:
        return
    selectors = aggregation.get("clusterRoleSelectors", ())
    path = "aggregationRule.clusterRoleSelectors"
    if not selectors:
        yield required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil")
    for index, selector in enumerate(selectors):
        found = tuple(_selector(selector, f"{path}[{index}]"))
        yield from found
        if found:
            # What upstream prints here is the selector as Go printed it after it could not be made: null.
            yield invalid(f"{path}[{index}]", None, "invalid label selector.")


def check_role_binding(obj: JsonObject) -> Iterator[Cause]:
    """Every rule that a RoleBinding breaks."""
    yield from _binding(obj, _ROLES, namespaced=True)


def check_cluster_role_binding(obj: JsonObject) -> Iterator[Cause]:
    """Every rule that a ClusterRoleBinding breaks."""
    yield from _binding(obj, ("ClusterRole",), namespaced=False)


def check_binding_update(obj: JsonObject, old: JsonObject) -> Iterator[Cause]:
    """Every rule that a change of either binding breaks, besides those for any binding."""
    yield from metadata.object_meta_update(obj["metadata"], old["metadata"])
    reference = obj["roleRef"]
    if not same(reference, old["roleRef"]):
        shown = {"APIGroup": reference["apiGroup"], "Kind": reference["kind"], "Name": reference["name"]}
        yield invalid("roleRef", shown, "cannot change roleRef")


def _rule(rule: JsonObject, path: str, *, namespaced: bool) -> Iterator[Cause]:
    if not rule["verbs"]:
        yield required(f"{path}.verbs", "verbs must contain at least one value")
    urls = rule.get("nonResourceURLs")
    if urls:
        if namespaced:
            detail = "namespaced rules cannot apply to non-resource URLs"
            yield invalid(f"{path}.nonResourceURLs", urls, detail)
        if any(rule.get(name) for name in ("apiGroups", "resources", "resourceNames")):
            detail = "rules cannot apply to both regular resources and non-resource URLs"
            yield invalid(f"{path}.nonResourceURLs", urls, detail)
        return
    if not rule.get("apiGroups"):
        yield required(f"{path}.apiGroups", "resource rules must supply at least one api group")
    if not rule.get("resources"):
        yield required(f"{path}.resources", "resource rules must supply at least one resource")


def _selector(selector: JsonObject, path: str) -> Iterator[Cause]:
    yield from metadata.labels(selector.get("matchLabels", {}), f"{path}.matchLabels")
    for index, expression in enumerate(selector.get("matchExpressions", ())):
        yield from _expression(expression, f"{path}.matchExpressions[{index}]")


def _expression(expression: JsonObject, path: str) -> Iterator[Cause]:
    values = expression.get("values", ())
    match expression["operator"]:
        case "In" | "NotIn":
            if not values:
                yield required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        case "Exists" | "DoesNotExist":
            if values:
                detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                yield forbidden(f"{path}.values", detail)
        case operator:
            yield invalid(f"{path}.operator", operator, "not a valid selector operator")
    key = expression["key"]
    yield from (invalid(f"{path}.key", key, defect) for defect in formats.qualified_name(key))
    for index, value in enumerate(values):
        yield from (invalid(f"{path}.values[{index}]", value, defect) for defect in formats.label_value(value))


def _binding(obj: JsonObject, kinds: tuple[str, ...], *, namespaced: bool) -> Iterator[Cause]:
    yield from metadata.core_object_meta(obj["metadata"], metadata.path_segment_name, namespaced=namespaced)
    reference = obj["roleRef"]
    if reference["apiGroup"] != _GROUP:
        yield unsupported("roleRef.apiGroup", reference["apiGroup"], (_GROUP,))
    if reference["kind"] not in kinds:
        yield unsupported("roleRef.kind", reference["kind"], kinds)
    if not reference["name"]:
        yield required("roleRef.name")
    yield from (
        invalid("roleRef.name", reference["name"], defect) for defect in formats.path_segment(reference["name"])
    )
    for index, subject in enumerate(obj.get("subjects", ())):
        yield from _subject(subject, f"subjects[{index}]", namespaced=namespaced)


def _subject(subject: JsonObject, path: str, *, namespaced: bool) -> Iterator[Cause]:
    name, group = subject["name"], subject.get("apiGroup", "")
    if not name:
        yield required(f"{path}.name")
    match subject["kind"]:
        case "ServiceAccount":
            if name:
                yield from (invalid(f"{path}.name", name, defect) for defect in formats.dns1123_subdomain(name))
            if group:
                yield unsupported(f"{path}.apiGroup", group, ("",))
            if not namespaced and not subject.get("namespace"):
                yield required(f"{path}.namespace")
        case "User" | "Group":
            if group != _GROUP:
                yield unsupported(f"{path}.apiGroup", group, (_GROUP,))
        case kind:
            yield unsupported(f"{path}.kind", kind, _SUBJECTS)
