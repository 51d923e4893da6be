from __future__ import annotations

import pytest

from controlplane.model.problem import Origin
from controlplane.model.service import (
    EndpointSlice,
    Service,
    ServiceName,
    ServicePort,
    ServiceType,
    SliceEndpoint,
    SlicePort,
)
from controlplane.sources.decode import Bad, Good, Ignored, decode

PORTS = [{"port": 443}]
LABEL = "must be lower case letters, digits and '-', beginning and ending with a letter or digit (RFC 1123 label)"


def _a_service(name: str = "api", **spec: object) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def _a_slice(*addresses: object, kind: object = "IPv4", name: str = "api-1", **more: object) -> dict[str, object]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": "api"}},
        "addressType": kind,
        "endpoints": [{"addresses": list(addresses)}],
        **more,
    }


def _decoded(manifest: dict[str, object]) -> object:
    [outcome] = decode(manifest, Origin("api.yaml", 1))
    assert isinstance(outcome, Good)
    return outcome.object


def _sentences(manifest: dict[str, object]) -> list[str]:
    [outcome] = decode(manifest, Origin("api.yaml", 1))
    assert isinstance(outcome, Bad)
    prefix = f"api.yaml, document 1: {outcome.key}: "
    return [str(problem).removeprefix(prefix) for problem in outcome.problems]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"ports": PORTS}, Service(ServiceName("default", "api"), ports=(ServicePort("", 443),))),
        (
            {"ports": [{"name": "https", "port": 443}, {"name": "http", "port": 80}], "clusterIP": "10.0.0.1"},
            Service(
                ServiceName("default", "api"),
                cluster_ip="10.0.0.1",
                ports=(ServicePort("https", 443), ServicePort("http", 80)),
            ),
        ),
        (
            {"ports": PORTS, "clusterIP": "None"},
            Service(ServiceName("default", "api"), cluster_ip="None", ports=(ServicePort("", 443),)),
        ),
        (
            {"ports": PORTS, "clusterIP": "fd00::1", "type": "LoadBalancer"},
            Service(ServiceName("default", "api"), ServiceType.LOAD_BALANCER, "fd00::1", ports=(ServicePort("", 443),)),
        ),
        (
            {"type": "ExternalName", "externalName": "api.example.com."},
            Service(ServiceName("default", "api"), ServiceType.EXTERNAL_NAME, external_name="api.example.com."),
        ),
    ],
)
def test_each_type_of_service_is_read(spec: dict[str, object], expected: Service) -> None:
    """ClusterIP, headless, LoadBalancer and ExternalName Services are read with what routing needs."""
    assert expected == _decoded(_a_service(**spec))


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (
            _a_service(),
            ["spec.ports: Required value; list the port that the APIService names, 443 when it names none"],
        ),
        (
            _a_service(ports=[], clusterIP="None"),
            ["spec.ports: Required value; list the port that the APIService names, 443 when it names none"],
        ),
        (
            _a_service(ports=443),
            ["spec.ports: Invalid value: 443: must be a list; write each entry below it, after a dash"],
        ),
        (
            _a_service(ports=[443]),
            ["spec.ports[0]: Invalid value: 443: must be a mapping; write its fields below the dash, indented"],
        ),
        (_a_service(ports=[{}]), ["spec.ports[0].port: Required value; write a number from 1 to 65535"]),
        (
            _a_service(ports=[{"port": 70000}]),
            [
                (
                    "spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive; "
                    "write a number from 1 to 65535"
                )
            ],
        ),
        (
            _a_service(ports=[{"port": 1, "name": "a"}, {"port": 2, "name": "a"}]),
            ['spec.ports[1].name: Duplicate value: "a"; give each port another name'],
        ),
        (
            _a_service(ports=[{"port": 1, "name": "a"}, {"port": 2}]),
            ["spec.ports[1].name: Required value; name every port when there are several"],
        ),
        (
            _a_service(ports=[{"port": 1, "name": "A"}]),
            [f'spec.ports[0].name: Invalid value: "A": {LABEL}; rename the port'],
        ),
        (
            _a_service(ports=PORTS, type="Cluster"),
            [
                (
                    'spec.type: Unsupported value: "Cluster": supported values: '
                    '"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"; write one of these'
                )
            ],
        ),
        (
            _a_service(ports=PORTS, clusterIP="10.0.0"),
            [
                (
                    'spec.clusterIP: Invalid value: "10.0.0": must be a valid IP address; '
                    "write an address, None, or leave it out"
                )
            ],
        ),
        (
            _a_service(ports=PORTS, clusterIP="None", type="NodePort"),
            [
                (
                    "spec.clusterIP: Invalid value: \"None\": may not be set to 'None' for NodePort services; "
                    "remove it, or make the type ClusterIP"
                )
            ],
        ),
        (
            _a_service(type="ExternalName", externalName="a.example", clusterIP="10.0.0.1"),
            ['spec.clusterIP: Invalid value: "10.0.0.1": may not be set for ExternalName services; remove it'],
        ),
        (
            _a_service(type="ExternalName"),
            ["spec.externalName: Required value; write the DNS name of the server"],
        ),
        (
            _a_service(type="ExternalName", externalName="https://a.example"),
            [
                (
                    'spec.externalName: Invalid value: "https://a.example": must be lower case letters, digits, '
                    "'-' and '.', each part beginning and ending with a letter or digit (RFC 1123 subdomain); "
                    "write the DNS name of the server"
                )
            ],
        ),
        (
            _a_service("a.b", ports=PORTS),
            [f'metadata.name: Invalid value: "a.b": {LABEL}; rename the Service'],
        ),
        ({**_a_service(), "spec": None}, ["spec: Required value; write the ports of the Service"]),
    ],
)
def test_each_rule_of_a_service_has_its_sentence(manifest: dict[str, object], expected: list[str]) -> None:
    """A Service that breaks a rule says which, at which field, and what to write."""
    assert expected == _sentences(manifest)


def test_a_whole_slice_is_read() -> None:
    """An EndpointSlice is read with readiness true, false or unstated, and ports with or without number and name."""
    manifest = _a_slice(
        endpoints=[
            {"addresses": ["10.0.0.1", "10.0.0.2"], "conditions": {"ready": True}},
            {"addresses": ["10.0.0.3"], "conditions": {"ready": False}},
            {"addresses": ["10.0.0.4"], "conditions": {}},
        ],
        ports=[{"name": "https", "port": 8443}, {"port": None}],
    )

    assert EndpointSlice(
        "default",
        "api-1",
        ServiceName("default", "api"),
        "IPv4",
        (
            SliceEndpoint(("10.0.0.1", "10.0.0.2"), ready=True),
            SliceEndpoint(("10.0.0.3",), ready=False),
            SliceEndpoint(("10.0.0.4",)),
        ),
        (SlicePort("https", 8443), SlicePort("", None)),
    ) == _decoded(manifest)


@pytest.mark.parametrize(
    ("kind", "address"),
    [("IPv4", "127.0.0.1"), ("IPv6", "::1"), ("IPv6", "fd00::1"), ("FQDN", "a.example.com"), ("FQDN", "localhost")],
)
def test_an_address_of_the_slices_type_holds(kind: str, address: str) -> None:
    """Addresses of each type hold, loopback among them: the backend may be on the same machine."""
    assert _decoded(_a_slice(address, kind=kind))


@pytest.mark.parametrize(
    ("kind", "address", "reason"),
    [
        ("IPv4", "::1", "must be a valid IPv4 address"),
        ("IPv4", "a.example", "must be a valid IPv4 address"),
        ("IPv4", "10.0.0.01", "must be a valid IPv4 address"),
        ("IPv6", "10.0.0.1", "must be a valid IPv6 address"),
        ("IPv6", "fe80::1%eth0", "must be a valid IPv6 address"),
        ("IPv6", "::", "may not be unspecified (0.0.0.0 or ::)"),
        ("IPv4", "169.254.169.254", "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        ("IPv6", "::ffff:169.254.169.254", "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        ("IPv4", "224.0.0.1", "may not be a multicast address"),
        (
            "FQDN",
            "A",
            (
                "must be lower case letters, digits, '-' and '.', each part beginning and ending with a letter or "
                "digit (RFC 1123 subdomain)"
            ),
        ),
    ],
)
def test_an_address_that_does_not_hold_says_why(kind: str, address: str, reason: str) -> None:
    """An address that is not of the slice's type, or that leads where no backend is, is refused."""
    sentence = f'Invalid value: "{address}": {reason}; write an address of the slice\'s type, {kind}'

    assert [f"endpoints[0].addresses[0]: {sentence}"] == _sentences(_a_slice(address, kind=kind))


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (_a_slice("10.0.0.1", kind=None), ["addressType: Required value; write IPv4, IPv6 or FQDN"]),
        (
            _a_slice("10.0.0.1", kind="ipv4"),
            ['addressType: Unsupported value: "ipv4": supported values: "IPv4", "IPv6", "FQDN"; write one of these'],
        ),
        (
            _a_slice(),
            ["endpoints[0].addresses: Required value; list the address of the endpoint, or remove the endpoint"],
        ),
        (
            _a_slice("10.0.0.1", ports=[{"port": -1}]),
            [
                (
                    "ports[0].port: Invalid value: -1: must be between 1 and 65535, inclusive; "
                    "write a number from 1 to 65535"
                )
            ],
        ),
        (_a_slice(5), ["endpoints[0].addresses[0]: Invalid value: 5: must be a string; put it in quotes"]),
        (
            {**_a_slice("10.0.0.1"), "metadata": {"name": "s", "labels": {"kubernetes.io/service-name": "a.b"}}},
            [
                (
                    f'metadata.labels[kubernetes.io/service-name]: Invalid value: "a.b": {LABEL}; '
                    "write the name of the Service that the slice belongs to"
                )
            ],
        ),
        (
            _a_slice("10.0.0.1", name="A"),
            [
                (
                    "metadata.name: Invalid value: \"A\": must be lower case letters, digits, '-' and '.', "
                    "each part beginning and ending with a letter or digit (RFC 1123 subdomain); "
                    "rename the EndpointSlice"
                )
            ],
        ),
    ],
)
def test_each_rule_of_a_slice_has_its_sentence(manifest: dict[str, object], expected: list[str]) -> None:
    """An EndpointSlice that breaks a rule says which, at which field, and what to write."""
    assert expected == _sentences(manifest)


def test_a_slice_without_service_is_ignored() -> None:
    """An EndpointSlice that names no Service is ignored, and a sentence says so."""
    [outcome] = decode({**_a_slice("10.0.0.1"), "metadata": {"name": "s"}}, Origin("api.yaml", 1))

    assert isinstance(outcome, Ignored)
    sentence = (
        "api.yaml, document 1: EndpointSlice default/s: metadata.labels: the label kubernetes.io/service-name is "
        "missing: the slice belongs to no Service, and is ignored; write the name of its Service in that label"
    )
    assert sentence == str(outcome.problem)
