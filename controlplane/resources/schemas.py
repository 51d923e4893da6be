"""The schemas of the kinds, as the Kubernetes API defines them.

In: nothing. Out: one `Struct` a kind, by kind. Law: field names, forms, what is left out when empty, list keys and
atomic values are those of apiregistration.k8s.io/v1, v1, discovery.k8s.io/v1 and rbac.authorization.k8s.io/v1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from controlplane.resources.schema import Field, Form, List, Map, Scalar, Struct
from controlplane.resources.schemas_metadata import (
    BOOLEAN,
    BYTES,
    INT32,
    INT64,
    STRING,
    STRING_MAP,
    STRINGS,
    TIME,
    always,
    kind,
    named,
    pointer,
)

_CONDITION: Final = Struct(
    "v1.Condition",
    {
        "type": always(STRING),
        "status": always(named("v1.ConditionStatus")),
        "observedGeneration": Field(INT64),
        "lastTransitionTime": always(TIME),
        "reason": always(STRING),
        "message": always(STRING),
    },
)
_API_SERVICE_CONDITION: Final = Struct(
    "v1.APIServiceCondition",
    {
        "type": always(named("v1.APIServiceConditionType")),
        "status": always(named("v1.ConditionStatus")),
        "lastTransitionTime": always(TIME),
        "reason": Field(STRING),
        "message": Field(STRING),
    },
)
_API_SERVICE: Final = kind(
    "v1.APIService",
    spec=Field(
        Struct(
            "v1.APIServiceSpec",
            {
                "service": pointer(
                    Struct(
                        "v1.ServiceReference",
                        {"namespace": Field(STRING), "name": Field(STRING), "port": pointer(INT32)},
                    )
                ),
                "group": Field(STRING),
                "version": Field(STRING),
                "insecureSkipTLSVerify": Field(BOOLEAN),
                "caBundle": Field(BYTES),
                "groupPriorityMinimum": always(INT32),
                "versionPriority": always(INT32),
            },
        )
    ),
    status=Field(
        Struct(
            "v1.APIServiceStatus",
            {"conditions": Field(List("[]v1.APIServiceCondition", _API_SERVICE_CONDITION, keys=("type",)))},
        )
    ),
)
_SERVICE_PORT: Final = Struct(
    "v1.ServicePort",
    {
        "name": Field(STRING),
        "protocol": Field(named("v1.Protocol"), default="TCP"),
        "appProtocol": pointer(STRING),
        "port": always(INT32),
        "targetPort": always(Scalar(Form.INT_OR_STRING, "intstr.IntOrString")),
        "nodePort": Field(INT32),
    },
)
_INGRESS: Final = Struct(
    "v1.LoadBalancerIngress",
    {
        "ip": Field(STRING),
        "hostname": Field(STRING),
        "ipMode": pointer(named("v1.LoadBalancerIPMode")),
        "ports": Field(
            List(
                "[]v1.PortStatus",
                Struct(
                    "v1.PortStatus",
                    {
                        "port": always(INT32),
                        "protocol": always(named("v1.Protocol")),
                        "error": pointer(STRING),
                    },
                ),
            )
        ),
    },
)
_CLIENT_IP: Final = Struct("v1.ClientIPConfig", {"timeoutSeconds": pointer(INT32)})
_SERVICE: Final = kind(
    "v1.Service",
    spec=Field(
        Struct(
            "v1.ServiceSpec",
            {
                "ports": Field(List("[]v1.ServicePort", _SERVICE_PORT, keys=("port", "protocol"))),
                "selector": Field(Map("map[string]string", STRING, atomic=True)),
                "clusterIP": Field(STRING),
                "clusterIPs": Field(STRINGS),
                "type": Field(named("v1.ServiceType")),
                "externalIPs": Field(STRINGS),
                "sessionAffinity": Field(named("v1.ServiceAffinity")),
                "loadBalancerIP": Field(STRING),
                "loadBalancerSourceRanges": Field(STRINGS),
                "externalName": Field(STRING),
                "externalTrafficPolicy": Field(named("v1.ServiceExternalTrafficPolicy")),
                "healthCheckNodePort": Field(INT32),
                "publishNotReadyAddresses": Field(BOOLEAN),
                "sessionAffinityConfig": pointer(Struct("v1.SessionAffinityConfig", {"clientIP": pointer(_CLIENT_IP)})),
                "ipFamilies": Field(List("[]v1.IPFamily", named("v1.IPFamily"))),
                "ipFamilyPolicy": pointer(named("v1.IPFamilyPolicy")),
                "allocateLoadBalancerNodePorts": pointer(BOOLEAN),
                "loadBalancerClass": pointer(STRING),
                "internalTrafficPolicy": pointer(named("v1.ServiceInternalTrafficPolicy")),
                "trafficDistribution": pointer(STRING),
            },
        )
    ),
    status=Field(
        Struct(
            "v1.ServiceStatus",
            {
                "loadBalancer": Field(
                    Struct(
                        "v1.LoadBalancerStatus",
                        {"ingress": Field(List("[]v1.LoadBalancerIngress", _INGRESS))},
                    )
                ),
                "conditions": Field(List("[]v1.Condition", _CONDITION, keys=("type",))),
            },
        )
    ),
)


def _hints(go: str) -> Field:
    return Field(List(f"[]{go}", Struct(go, {"name": always(STRING)})))


_ENDPOINT: Final = Struct(
    "v1.Endpoint",
    {
        "addresses": always(List("[]string", STRING, unique=True)),
        "conditions": Field(
            Struct(
                "v1.EndpointConditions",
                {"ready": pointer(BOOLEAN), "serving": pointer(BOOLEAN), "terminating": pointer(BOOLEAN)},
            )
        ),
        "hostname": pointer(STRING),
        "targetRef": pointer(
            Struct(
                "v1.ObjectReference",
                {
                    name: Field(STRING)
                    for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
                },
                atomic=True,
            )
        ),
        "deprecatedTopology": Field(STRING_MAP),
        "nodeName": pointer(STRING),
        "zone": pointer(STRING),
        "hints": pointer(
            Struct("v1.EndpointHints", {"forZones": _hints("v1.ForZone"), "forNodes": _hints("v1.ForNode")})
        ),
    },
)
_ENDPOINT_PORT: Final = Struct(
    "v1.EndpointPort",
    {
        "name": pointer(STRING),
        "protocol": pointer(named("v1.Protocol")),
        "port": pointer(INT32),
        "appProtocol": pointer(STRING),
    },
    atomic=True,
)
_ENDPOINT_SLICE: Final = kind(
    "v1.EndpointSlice",
    addressType=always(named("v1.AddressType")),
    endpoints=always(List("[]v1.Endpoint", _ENDPOINT)),
    ports=always(List("[]v1.EndpointPort", _ENDPOINT_PORT)),
)
_RULE: Final = Struct(
    "v1.PolicyRule",
    {
        "verbs": always(STRINGS),
        "apiGroups": Field(STRINGS),
        "resources": Field(STRINGS),
        "resourceNames": Field(STRINGS),
        "nonResourceURLs": Field(STRINGS),
    },
)
_RULES: Final = always(List("[]v1.PolicyRule", _RULE))
_REQUIREMENT: Final = Struct(
    "v1.LabelSelectorRequirement",
    {
        "key": always(STRING),
        "operator": always(named("v1.LabelSelectorOperator")),
        "values": Field(STRINGS),
    },
)
_LABEL_SELECTOR: Final = Struct(
    "v1.LabelSelector",
    {
        "matchLabels": Field(STRING_MAP),
        "matchExpressions": Field(List("[]v1.LabelSelectorRequirement", _REQUIREMENT)),
    },
    atomic=True,
)
_SUBJECT: Final = Struct(
    "v1.Subject",
    {
        "kind": always(STRING),
        "apiGroup": Field(STRING),
        "name": always(STRING),
        "namespace": Field(STRING),
    },
    atomic=True,
)
_ROLE_REF: Final = Struct(
    "v1.RoleRef",
    {"apiGroup": always(STRING), "kind": always(STRING), "name": always(STRING)},
    atomic=True,
)


def _binding(go: str) -> Struct:
    return kind(go, subjects=Field(List("[]v1.Subject", _SUBJECT)), roleRef=always(_ROLE_REF))


SCHEMAS: Final[Mapping[str, Struct]] = {
    "APIService": _API_SERVICE,
    "Service": _SERVICE,
    "EndpointSlice": _ENDPOINT_SLICE,
    "ClusterRole": kind(
        "v1.ClusterRole",
        rules=_RULES,
        aggregationRule=pointer(
            Struct(
                "v1.AggregationRule",
                {"clusterRoleSelectors": Field(List("[]v1.LabelSelector", _LABEL_SELECTOR))},
            )
        ),
    ),
    "Role": kind("v1.Role", rules=_RULES),
    "ClusterRoleBinding": _binding("v1.ClusterRoleBinding"),
    "RoleBinding": _binding("v1.RoleBinding"),
    "Secret": kind(
        "v1.Secret",
        immutable=pointer(BOOLEAN),
        data=Field(Map("map[string][]uint8", BYTES)),
        stringData=Field(STRING_MAP),
        type=Field(named("v1.SecretType")),
    ),
}
