from __future__ import annotations

import json

import pytest

from controlplane.model.problem import Origin
from controlplane.model.rbac import BindingKey, Holder, PolicyRule, Role, RoleBinding, RoleKey, Subject
from controlplane.model.selector import Requirement
from controlplane.resources import formats
from controlplane.resources.decode import normalised
from controlplane.resources.schemas import SCHEMAS
from controlplane.sources.decode import Bad, Good, decode

GROUP = "rbac.authorization.k8s.io"
GET_PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
CLUSTER_ROLE_REF = {"apiGroup": GROUP, "kind": "ClusterRole", "name": "view"}
ALICE = {"kind": "User", "name": "alice"}


def _an_object(kind: str, name: str = "a", **more: object) -> dict[str, object]:
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": name}, **more}


def _decoded(manifest: dict[str, object]) -> object:
    [outcome] = decode(manifest, Origin("rbac.yaml", 1))
    assert isinstance(outcome, Good)
    return outcome.object


def _sentences(manifest: dict[str, object]) -> list[str]:
    [outcome] = decode(manifest, Origin("rbac.yaml", 1))
    assert isinstance(outcome, Bad)
    prefix = f"rbac.yaml, document 1: {outcome.key}: "
    return [str(problem).removeprefix(prefix) for problem in outcome.problems]


def test_a_whole_cluster_role_is_read() -> None:
    """A ClusterRole is read with its rules in order, its labels sorted and its aggregation."""
    manifest = _an_object(
        "ClusterRole",
        rules=[{**GET_PODS, "resourceNames": ["web"]}, {"verbs": ["get"], "nonResourceURLs": ["/healthz"]}],
        metadata={"name": "system:a", "labels": {"z": "1", "b": "2"}},
        aggregationRule={
            "clusterRoleSelectors": [
                {
                    "matchLabels": {"to": "view", "also": "x"},
                    "matchExpressions": [
                        {"key": "a", "operator": "NotIn", "values": ["2", "1"]},
                        {"key": "b", "operator": "Exists"},
                    ],
                },
                {},
            ]
        },
    )

    assert Role(
        RoleKey("", "system:a"),
        (PolicyRule(("get",), ("",), ("pods",), ("web",)), PolicyRule(("get",), non_resource_urls=("/healthz",))),
        (("b", "2"), ("z", "1")),
        (
            (
                Requirement("also", "In", ("x",)),
                Requirement("to", "In", ("view",)),
                Requirement("a", "NotIn", ("1", "2")),
                Requirement("b", "Exists"),
            ),
            (),
        ),
    ) == _decoded(manifest)


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (
            _an_object(
                "RoleBinding",
                roleRef={"apiGroup": GROUP, "kind": "Role", "name": "reader"},
                subjects=[ALICE, {"kind": "ServiceAccount", "name": "robot", "namespace": "shop"}],
            ),
            RoleBinding(
                BindingKey("default", "a"),
                RoleKey("default", "reader"),
                (Subject("User", "alice"), Subject("ServiceAccount", "robot", "shop")),
            ),
        ),
        (
            _an_object("RoleBinding", roleRef=CLUSTER_ROLE_REF, subjects=[{"kind": "Group", "name": "system:nodes"}]),
            RoleBinding(BindingKey("default", "a"), RoleKey("", "view"), (Subject("Group", "system:nodes"),)),
        ),
        (
            _an_object("ClusterRoleBinding", roleRef=CLUSTER_ROLE_REF),
            RoleBinding(BindingKey("", "a"), RoleKey("", "view")),
        ),
    ],
)
def test_each_binding_is_read(manifest: dict[str, object], expected: RoleBinding) -> None:
    """Bindings are read with the role they mean, in their own namespace or cluster-wide, and their subjects."""
    assert expected == _decoded(manifest)


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (
            _an_object("Role", "a/b"),
            ["metadata.name: Invalid value: \"a/b\": may not contain '/'; rename the object"],
        ),
        (
            _an_object("Role", rules=[{}]),
            [
                (
                    "rules[0].verbs: Required value: verbs must contain at least one value; "
                    'list what may be done, for example ["get", "list"]'
                ),
                (
                    "rules[0].apiGroups: Required value: resource rules must supply at least one api group; "
                    'list the API groups; the core group is ""'
                ),
                (
                    "rules[0].resources: Required value: resource rules must supply at least one resource; "
                    'list the resources, for example ["pods"]'
                ),
            ],
        ),
        (
            _an_object("Role", rules=[{"verbs": ["get"], "nonResourceURLs": ["/healthz"]}]),
            [
                (
                    'rules[0].nonResourceURLs: Invalid value: "/healthz": '
                    "namespaced rules cannot apply to non-resource URLs; move the rule to a ClusterRole"
                )
            ],
        ),
        (
            _an_object("ClusterRole", rules=[{**GET_PODS, "nonResourceURLs": ["/healthz", "/version"]}]),
            [
                (
                    'rules[0].nonResourceURLs: Invalid value: "/healthz, /version": '
                    "rules cannot apply to both regular resources and non-resource URLs; split it into two rules"
                )
            ],
        ),
        (
            _an_object("Role", rules=[{**GET_PODS, "verbs": [True]}]),
            ["rules[0].verbs[0]: Invalid value: true: must be a string; put it in quotes"],
        ),
        (
            _an_object("ClusterRole", aggregationRule={}),
            [
                (
                    "aggregationRule.clusterRoleSelectors: Required value: "
                    "at least one clusterRoleSelector required if aggregationRule is non-nil; "
                    "list a label selector, or remove aggregationRule"
                )
            ],
        ),
        (
            _an_object(
                "ClusterRole",
                aggregationRule={
                    "clusterRoleSelectors": [
                        {
                            "matchExpressions": [
                                {"key": "a", "operator": "Is"},
                                {"key": "a", "operator": "In"},
                                {"key": "a", "operator": "Exists", "values": ["x"]},
                            ]
                        }
                    ]
                },
            ),
            [
                (
                    'aggregationRule.clusterRoleSelectors[0].matchExpressions[0].operator: Unsupported value: "Is": '
                    'supported values: "DoesNotExist", "Exists", "In", "NotIn"; write one of these'
                ),
                (
                    "aggregationRule.clusterRoleSelectors[0].matchExpressions[1].values: Required value: "
                    "must be specified when `operator` is 'In' or 'NotIn'; list values"
                ),
                (
                    'aggregationRule.clusterRoleSelectors[0].matchExpressions[2].values: Invalid value: "x": '
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'; "
                    "remove them, or write In or NotIn"
                ),
            ],
        ),
        (
            _an_object(
                "ClusterRole",
                aggregationRule={
                    "clusterRoleSelectors": [
                        {
                            "matchLabels": {"a": "b c"},
                            "matchExpressions": [{"key": "x.io/", "operator": "NotIn", "values": ["ok", "-"]}],
                        }
                    ]
                },
            ),
            [
                f'aggregationRule.clusterRoleSelectors[0].{field}: Invalid value: "{value}": {reason}; '
                "write it as it is on the ClusterRoles"
                for field, value, reasons in (
                    ("matchLabels", "b c", formats.label_value("b c")),
                    ("matchExpressions[0].key", "x.io/", formats.qualified_name("x.io/")),
                    ("matchExpressions[0].values", "-", formats.label_value("-")),
                )
                for reason in reasons
            ],
        ),
        (
            _an_object("RoleBinding"),
            ["roleRef: Required value; write apiGroup, kind and name of the role to grant"],
        ),
        (
            _an_object("RoleBinding", roleRef={"apiGroup": "v1"}),
            [
                f'roleRef.apiGroup: Unsupported value: "v1": supported values: "{GROUP}"; write {GROUP}',
                "roleRef.kind: Required value; write ClusterRole or Role",
                "roleRef.name: Required value; write the name of the role to grant",
            ],
        ),
        (
            _an_object("ClusterRoleBinding", roleRef={"kind": "Role", "name": ".."}),
            [
                'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"; write ClusterRole',
                "roleRef.name: Invalid value: \"..\": may not be '..'; write the name of the role to grant",
            ],
        ),
        (
            _an_object("RoleBinding", roleRef=CLUSTER_ROLE_REF, subjects=[{}]),
            [
                "subjects[0].kind: Required value; write User, Group or ServiceAccount",
                "subjects[0].name: Required value; write the name of the subject",
            ],
        ),
        (
            _an_object("RoleBinding", roleRef=CLUSTER_ROLE_REF, subjects=[{"kind": "Robot", "name": "a"}]),
            [
                (
                    'subjects[0].kind: Unsupported value: "Robot": '
                    'supported values: "Group", "ServiceAccount", "User"; write one of these'
                )
            ],
        ),
        (
            _an_object("RoleBinding", roleRef=CLUSTER_ROLE_REF, subjects=[{**ALICE, "apiGroup": "a"}]),
            [
                (
                    f'subjects[0].apiGroup: Unsupported value: "a": supported values: "{GROUP}"; '
                    f"write {GROUP}, or leave it out"
                )
            ],
        ),
        (
            _an_object(
                "ClusterRoleBinding",
                roleRef=CLUSTER_ROLE_REF,
                subjects=[{"kind": "ServiceAccount", "name": "A", "apiGroup": GROUP}],
            ),
            [
                "subjects[0].namespace: Required value; write the namespace of the ServiceAccount",
                (
                    "subjects[0].name: Invalid value: \"A\": must be lower case letters, digits, '-' and '.', "
                    "each part "
                    "beginning and ending with a letter or digit (RFC 1123 subdomain); "
                    "write the name of the ServiceAccount"
                ),
                (
                    f'subjects[0].apiGroup: Unsupported value: "{GROUP}": supported values: ""; '
                    "remove it: ServiceAccount is in the core group"
                ),
            ],
        ),
    ],
)
def test_each_rule_has_its_sentence(manifest: dict[str, object], expected: list[str]) -> None:
    """An RBAC object that breaks a rule says which, at which field, and what to write."""
    assert expected == _sentences(manifest)


@pytest.mark.parametrize("group", [{}, {"apiGroup": ""}, {"apiGroup": None}])
def test_a_group_that_is_not_written_is_that_of_rbac(group: dict[str, str | None]) -> None:
    """An apiGroup that is left out, empty or null is what kube-apiserver would write there, with roles and subjects."""
    manifest = _an_object(
        "ClusterRoleBinding", roleRef={"kind": "ClusterRole", "name": "view", **group}, subjects=[{**ALICE, **group}]
    )

    assert RoleBinding(BindingKey("", "a"), RoleKey("", "view"), (Subject("User", "alice"),)) == _decoded(manifest)


def test_a_service_account_without_a_namespace_is_one_of_the_role_binding() -> None:
    """A RoleBinding may name service accounts of its own namespace without saying so."""
    manifest = _an_object(
        "RoleBinding",
        metadata={"name": "a", "namespace": "shop"},
        roleRef=CLUSTER_ROLE_REF,
        subjects=[{"kind": "ServiceAccount", "name": "robot"}],
    )

    binding = _decoded(manifest)

    assert isinstance(binding, RoleBinding)
    assert (Holder("User", "system:serviceaccount:shop:robot", "shop"),) == binding.holders


@pytest.mark.parametrize(
    ("manifest", "sentence"),
    [
        (
            _an_object("ClusterRole", rules=[{**GET_PODS, "resourceName": ["a"]}]),
            (
                "rules[0].resourceName: Invalid value: a list: unknown field; "
                "write verbs, apiGroups, resources, resourceNames, nonResourceURLs, or remove it"
            ),
        ),
        (
            _an_object("ClusterRole", aggregationRule={"clusterRoleSelectors": [{"matchLabel": {"a": "b"}}]}),
            (
                "aggregationRule.clusterRoleSelectors[0].matchLabel: Invalid value: a mapping: unknown field; "
                "write matchLabels, matchExpressions, or remove it"
            ),
        ),
    ],
)
def test_a_misspelt_field_grants_nothing(manifest: dict[str, object], sentence: str) -> None:
    """A rule without the names it was to be for, or a selector without its labels, would grant more than was meant."""
    assert [sentence] == _sentences(manifest)


ODD: dict[str, object] = {"odd": 1}
EXPRESSION = {"key": "a", "operator": "In", "values": ["b"]}
SELECTOR = {"matchLabels": {"a": "b"}, "matchExpressions": [{**EXPRESSION, **ODD}], **ODD}
ROBOT = {"kind": "ServiceAccount", "apiGroup": "", "name": "robot", "namespace": "shop"}
WITH_ODD_FIELDS = [
    _an_object(
        "ClusterRole",
        rules=[{**GET_PODS, "resourceNames": ["a"], "nonResourceURLs": [], **ODD}],
        aggregationRule={"clusterRoleSelectors": [SELECTOR], **ODD},
    ),
    _an_object("ClusterRoleBinding", roleRef={**CLUSTER_ROLE_REF, **ODD}, subjects=[{**ALICE, **ODD}, ROBOT]),
]


@pytest.mark.parametrize("manifest", WITH_ODD_FIELDS, ids=lambda manifest: str(manifest["kind"]))
def test_what_is_stored_has_no_unknown_fields(manifest: dict[str, object]) -> None:
    """The API drops them, or refuses them, before; all the fields that it keeps are known here."""
    body = json.loads(json.dumps(manifest))
    kept = normalised(body, SCHEMAS[body["kind"]])

    assert sum("unknown field" in sentence for sentence in _sentences(manifest)) == json.dumps(manifest).count("odd")
    assert "odd" not in json.dumps(kept)
    assert isinstance(_decoded(kept), Role | RoleBinding)
