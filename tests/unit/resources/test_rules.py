from __future__ import annotations

import pytest
from resource_cases import BASES, spoiled

from controlplane.resources import operations
from controlplane.resources.kinds import KINDS
from controlplane.resources.operations import Call, Target
from controlplane.resources.status import Status

CALL = Call("2030-01-01T00:00:00Z", "uid")


def told(kind: str, path: str, value: object) -> list[str]:
    """What is said of an object with one spoiled field, sorted; nothing when it holds."""
    one = KINDS[kind]
    target = Target(one, "default" if one.namespaced else "", BASES[kind]["metadata"]["name"])
    result = operations.create(target, spoiled(BASES[kind], path, value), CALL)
    return sorted(str(cause) for cause in result.causes) if isinstance(result, Status) else []


@pytest.mark.parametrize(
    ("kind", "path", "value", "expected"),
    [
        (
            "APIService",
            "spec.groupPriorityMinimum",
            20001,
            ["spec.groupPriorityMinimum: Invalid value: 20001: must be positive and less than 20000"],
        ),
        ("APIService", "spec.groupPriorityMinimum", 20000, []),
        (
            "APIService",
            "spec.caBundle",
            "Y2E=",
            ["spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present"],
        ),
        (
            "APIService",
            "spec.service.port",
            0,
            ["spec.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive"],
        ),
        (
            "APIService",
            "spec.group",
            "",
            ['metadata.name: Invalid value: "v1.example.com": must be `spec.version+"."+spec.group`: "v1."'],
        ),
        ("APIService", "metadata.namespace", "x", []),
        (
            "Service",
            "spec.type",
            "Bogus",
            [
                (
                    'spec.type: Unsupported value: "Bogus": supported values: "ClusterIP", '
                    '"ExternalName", "LoadBalancer", "NodePort"'
                )
            ],
        ),
        (
            "Service",
            "spec.ports",
            [{"port": 1}, {"port": 2}],
            ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"],
        ),
        (
            "Service",
            "spec.externalIPs",
            ["127.0.0.1"],
            [
                (
                    'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback '
                    "range (127.0.0.0/8, ::1/128)"
                )
            ],
        ),
        (
            "Service",
            "spec.clusterIPs",
            ["None", "None"],
            [
                'spec.clusterIPs: Invalid value: ["None","None"]: \'None\' must be the first and only value',
                (
                    'spec.clusterIPs[1]: Invalid value: "None": must be a valid IP address, (e.g. '
                    "10.9.8.7 or 2001:db8::ffff)"
                ),
            ],
        ),
        ("Service", "spec.clusterIP", None, []),
        (
            "EndpointSlice",
            "addressType",
            "Bogus",
            ['addressType: Unsupported value: "Bogus": supported values: "FQDN", "IPv4", "IPv6"'],
        ),
        ("EndpointSlice", "endpoints", [{"addresses": ["127.0.0.1"]}], []),
        (
            "EndpointSlice",
            "endpoints",
            [{"addresses": []}],
            ["endpoints[0].addresses: Required value: must contain at least 1 address"],
        ),
        ("EndpointSlice", "ports", [{"name": "a"}, {"name": "a"}], ['ports[1].name: Duplicate value: "a"']),
        (
            "Role",
            "rules",
            [{"verbs": ["get"], "nonResourceURLs": ["/x"]}],
            ['rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs'],
        ),
        (
            "ClusterRole",
            "aggregationRule",
            {},
            [
                (
                    "aggregationRule.clusterRoleSelectors: Required value: at least one "
                    "clusterRoleSelector required if aggregationRule is non-nil"
                )
            ],
        ),
        ("RoleBinding", "subjects", [{"kind": "User", "name": ""}], ["subjects[0].name: Required value"]),
        (
            "ClusterRoleBinding",
            "roleRef",
            {"kind": "Role", "name": "x"},
            ['roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"'],
        ),
        ("Secret", "type", "kubernetes.io/tls", ["data[tls.crt]: Required value", "data[tls.key]: Required value"]),
        (
            "Secret",
            "metadata.annotations",
            {"a": "x" * 262144},
            ["metadata.annotations: Too long: may not be more than 262144 bytes"],
        ),
        (
            "Secret",
            "metadata.finalizers",
            ["a"],
            [
                (
                    'metadata.finalizers[0]: Invalid value: "a": name is neither a standard '
                    "finalizer name nor is it fully qualified"
                )
            ],
        ),
    ],
)
def test_rules_are_told_in_upstreams_words(kind: str, path: str, value: object, expected: list[str]) -> None:
    """Every broken rule gives its path and sentence, and nothing else does."""
    assert expected == told(kind, path, value)
