"""The kinds of rbac.authorization.k8s.io/v1.

In: the fields of one manifest. Out: a `Role` or `RoleBinding`, and all that is wrong with it. Law: what is not
understood is refused, never left out: a rule, selector or subject read only in part could grant more than was written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from controlplane.model import names
from controlplane.model.rbac import BindingKey, PolicyRule, Role, RoleBinding, RoleKey, Subject
from controlplane.model.selector import OPERATORS, Requirement
from controlplane.resources import formats
from controlplane.sources.fields import Fields

_GROUP: Final = "rbac.authorization.k8s.io"


def decode_role(namespace: str, name: str, manifest: Fields) -> Role:
    """The Role (ClusterRole with namespace "") in `manifest`; it holds only if `manifest` was given no Problem."""
    _check_name(name, manifest)
    rules = tuple(_rule(entry, namespaced=bool(namespace)) for entry in manifest.mappings("rules"))
    metadata = manifest.mapping("metadata")
    labels = () if metadata is None else metadata.pairs("labels")
    return Role(RoleKey(namespace, name), rules, labels, () if namespace else _aggregation(manifest))


def decode_binding(namespace: str, name: str, manifest: Fields) -> RoleBinding | None:
    """The RoleBinding, or with namespace "" the ClusterRoleBinding, in `manifest`; None when it has no roleRef to read.

    It holds only if `manifest` was given no Problem.
    """
    _check_name(name, manifest)
    role_ref = manifest.mapping("roleRef")
    if role_ref is None:
        if not manifest.present("roleRef"):
            manifest.required("roleRef", "write apiGroup, kind and name of the role to grant")
        return None
    role = _role_ref(role_ref, namespace)
    subjects = tuple(_subject(entry, namespace) for entry in manifest.mappings("subjects"))
    return RoleBinding(BindingKey(namespace, name), role, subjects)


def _check_name(name: str, manifest: Fields) -> None:
    if reason := names.path_segment(name):
        manifest.invalid("metadata.name", name, reason, "rename the object")


def _rule(entry: Fields, *, namespaced: bool) -> PolicyRule:
    entry.only("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
    rule = PolicyRule(
        verbs=entry.texts("verbs"),
        api_groups=entry.texts("apiGroups"),
        resources=entry.texts("resources"),
        resource_names=entry.texts("resourceNames"),
        non_resource_urls=entry.texts("nonResourceURLs"),
    )
    if entry.empty("verbs"):
        entry.required(
            "verbs", 'list what may be done, for example ["get", "list"]', "verbs must contain at least one value"
        )
    if rule.non_resource_urls:
        urls = ", ".join(rule.non_resource_urls)
        if namespaced:
            reason = "namespaced rules cannot apply to non-resource URLs"
            entry.invalid("nonResourceURLs", urls, reason, "move the rule to a ClusterRole")
        if rule.api_groups or rule.resources or rule.resource_names:
            reason = "rules cannot apply to both regular resources and non-resource URLs"
            entry.invalid("nonResourceURLs", urls, reason, "split it into two rules")
        return rule
    if entry.empty("apiGroups"):
        reason = "resource rules must supply at least one api group"
        entry.required("apiGroups", 'list the API groups; the core group is ""', reason)
    if entry.empty("resources"):
        reason = "resource rules must supply at least one resource"
        entry.required("resources", 'list the resources, for example ["pods"]', reason)
    return rule


def _aggregation(manifest: Fields) -> tuple[tuple[Requirement, ...], ...]:
    rule = manifest.mapping("aggregationRule")
    if rule is None:
        return ()
    rule.only("clusterRoleSelectors")
    selectors = rule.mappings("clusterRoleSelectors")
    if rule.empty("clusterRoleSelectors"):
        reason = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        rule.required("clusterRoleSelectors", "list a label selector, or remove aggregationRule", reason)
    return tuple(_selector(selector) for selector in selectors)


def _selector(selector: Fields) -> tuple[Requirement, ...]:
    selector.only("matchLabels", "matchExpressions")
    labels = selector.pairs("matchLabels")
    _check_label(selector, "matchLabels", [key for key, _ in labels], [value for _, value in labels])
    expressions = (_requirement(entry) for entry in selector.mappings("matchExpressions"))
    return (*(Requirement(key, "In", (value,)) for key, value in labels), *expressions)


def _requirement(entry: Fields) -> Requirement:
    entry.only("key", "operator", "values")
    key = entry.required_text("key", "write the label's key")
    operator = entry.required_text("operator", f"write {', '.join(OPERATORS)}")
    values = tuple(sorted(entry.texts("values")))
    if operator and operator not in OPERATORS:
        entry.unsupported("operator", operator, OPERATORS, "write one of these")
    elif operator in {"In", "NotIn"} and not values:
        entry.required("values", "list values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator not in {"In", "NotIn"} and values:
        reason = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        entry.invalid("values", ", ".join(values), reason, "remove them, or write In or NotIn")
    _check_label(entry, "key", [key] if key else [], [])
    _check_label(entry, "values", [], values)
    return Requirement(key, operator, values)


def _check_label(fields: Fields, name: str, keys: Iterable[str], values: Iterable[str]) -> None:
    """What can be on no label would be selected by NotIn and DoesNotExist wherever it was meant."""
    defects = [(key, formats.qualified_name(key)) for key in keys]
    defects += [(value, formats.label_value(value)) for value in values]
    for text, reasons in defects:
        for reason in reasons:
            fields.invalid(name, text, reason, "write it as it is on the ClusterRoles")


def _role_ref(role_ref: Fields, namespace: str) -> RoleKey:
    role_ref.only("apiGroup", "kind", "name")
    group = role_ref.text("apiGroup")
    if group not in ("", _GROUP):
        role_ref.unsupported("apiGroup", group, (_GROUP,), f"write {_GROUP}")
    kinds = ("ClusterRole", "Role") if namespace else ("ClusterRole",)
    kind = role_ref.required_text("kind", f"write {' or '.join(kinds)}")
    if kind and kind not in kinds:
        role_ref.unsupported("kind", kind, kinds, f"write {' or '.join(kinds)}")
    name = role_ref.required_text("name", "write the name of the role to grant")
    if reason := names.path_segment(name):
        role_ref.invalid("name", name, reason, "write the name of the role to grant")
    return RoleKey(namespace if kind == "Role" else "", name)


def _subject(entry: Fields, binding_namespace: str) -> Subject:
    entry.only("kind", "apiGroup", "name", "namespace")
    kind = entry.required_text("kind", "write User, Group or ServiceAccount")
    name = entry.required_text("name", "write the name of the subject")
    namespace = ""
    if kind == "ServiceAccount":
        namespace = entry.text("namespace")
        if not (namespace or binding_namespace):
            entry.required("namespace", "write the namespace of the ServiceAccount")
        if name and (reason := names.dns1123_subdomain(name)):
            entry.invalid("name", name, reason, "write the name of the ServiceAccount")
        if group := entry.text("apiGroup"):
            entry.unsupported("apiGroup", group, ("",), "remove it: ServiceAccount is in the core group")
    elif kind in ("User", "Group"):
        group = entry.text("apiGroup")
        if group not in ("", _GROUP):
            entry.unsupported("apiGroup", group, (_GROUP,), f"write {_GROUP}, or leave it out")
    elif kind:
        entry.unsupported("kind", kind, ("Group", "ServiceAccount", "User"), "write one of these")
    return Subject(kind, name, namespace)
