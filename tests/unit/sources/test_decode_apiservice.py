from __future__ import annotations

import base64
import datetime

import pytest
from pki import CertificateAuthority

from controlplane.model.apiservice import ApiService, GroupVersion, ServiceReference
from controlplane.model.problem import Origin
from controlplane.sources.decode import Bad, Good, decode

AUTHORITY = CertificateAuthority("ca")
PEM = AUTHORITY.certificate
CA = base64.b64encode(PEM).decode()
LOCAL = {"service": None}
LOCAL_REMEDY = "remove it, or name the Service that serves this API in spec.service"
SUBDOMAIN = (
    "must be lower case letters, digits, '-' and '.', each part beginning and ending with a letter or digit "
    "(RFC 1123 subdomain)"
)
LABEL = "must be lower case letters, digits and '-', beginning and ending with a letter or digit (RFC 1123 label)"
VERSION = (
    "must be lower case letters, digits and '-', beginning with a letter and ending with a letter or digit "
    "(RFC 1035 label)"
)


def _an_apiservice(name: str = "v1.a.example.com", **spec: object) -> dict[str, object]:
    whole = {
        "group": "a.example.com",
        "version": "v1",
        "groupPriorityMinimum": 1000,
        "versionPriority": 15,
        "service": {"namespace": "shop", "name": "api"},
    }
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": name},
        "spec": whole | spec,
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


def test_a_whole_apiservice_is_read() -> None:
    """Every field of an APIService is read, and the bytes of caBundle are kept as they are."""
    service = {"namespace": "shop", "name": "api", "port": 8443}

    assert ApiService(
        GroupVersion("a.example.com", "v1"), 1000, 15, ServiceReference("shop", "api", 8443), PEM
    ) == _decoded(_an_apiservice(service=service, caBundle=CA))


def test_labels_are_read_in_the_order_of_their_keys() -> None:
    """Two manifests that say the same are the same registration."""
    manifest = _an_apiservice(**LOCAL)
    manifest["metadata"] = {"name": "v1.a.example.com", "labels": {"zone": "a", "example.com/public": ""}}
    apiservice = _decoded(manifest)

    assert isinstance(apiservice, ApiService)
    assert (("example.com/public", ""), ("zone", "a")) == apiservice.labels


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ({"-a": "b"}, 'metadata.labels: Invalid value: "-a": must be a name of at most 63 letters, digits'),
        ({"a": "b c"}, 'metadata.labels.a: Invalid value: "b c": must be empty or a text of at most 63 letters'),
        ({"a": True}, "metadata.labels.a: Invalid value: true: must be a string; put it in quotes"),
        (["a"], "metadata.labels: Invalid value: a list: must be a mapping"),
    ],
)
def test_labels_that_kubernetes_refuses_are_refused(labels: object, sentence: str) -> None:
    """Node groups select by them, so that a label nobody can select is a mistake."""
    manifest = _an_apiservice(**LOCAL)
    manifest["metadata"] = {"name": "v1.a.example.com", "labels": labels}

    assert sentence in _sentences(manifest)[0]


def test_the_port_is_443_when_none_is_written() -> None:
    """A Service reference without a port means 443."""
    apiservice = _decoded(_an_apiservice(insecureSkipTLSVerify=True))

    assert isinstance(apiservice, ApiService)
    assert ServiceReference("shop", "api", 443) == apiservice.service
    assert apiservice.insecure_skip_tls_verify


def test_the_legacy_core_group_is_the_empty_one() -> None:
    """The name "v1." with an empty group is the core API, and without a Service it is Local."""
    manifest = _an_apiservice("v1.", group="", **LOCAL)

    assert ApiService(GroupVersion("", "v1"), 1000, 15) == _decoded(manifest)


@pytest.mark.parametrize(("field", "limit"), [("groupPriorityMinimum", 20000), ("versionPriority", 1000)])
def test_a_priority_may_reach_its_limit(field: str, limit: int) -> None:
    """1 and the limit itself are priorities that hold."""
    assert _decoded(_an_apiservice(**{field: limit}))
    assert _decoded(_an_apiservice(**{field: 1}))


def test_a_bundle_with_one_certificate_that_parses_holds() -> None:
    """Text and broken blocks around a certificate that parses are passed over, as Go's pool passes over them."""
    bundle = b"# our CA\n-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n" + PEM
    text = base64.encodebytes(bundle).decode()
    apiservice = _decoded(_an_apiservice(caBundle=text))

    assert isinstance(apiservice, ApiService)
    assert PEM == apiservice.ca_bundle


def test_a_renewed_authority_comes_first() -> None:
    """Envoy asks the first certificate of a name alone; the order in the registration makes no difference."""
    expired = AUTHORITY.again(-datetime.timedelta(days=1))
    texts = [base64.b64encode(bundle).decode() for bundle in (expired + PEM, PEM + expired)]
    first, second = (_decoded(_an_apiservice(caBundle=text)) for text in texts)

    assert isinstance(first, ApiService)
    assert first.ca_bundle == PEM + expired
    assert first == second


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (
            _an_apiservice("v2.a.example.com"),
            [
                (
                    'metadata.name: Invalid value: "v2.a.example.com": must be `spec.version+"."+spec.group`: '
                    '"v1.a.example.com"; rename the object to v1.a.example.com, or correct group and version'
                )
            ],
        ),
        (
            _an_apiservice("v1beta1.", group="", version="v1beta1"),
            [
                (
                    "spec.group: Required value: only v1 may have an empty group and it better be legacy kube; "
                    "write the API group that the backend serves"
                )
            ],
        ),
        (
            _an_apiservice("v1.A_B", group="A_B"),
            [
                (
                    f'spec.group: Invalid value: "A_B": {SUBDOMAIN}; '
                    "write the API group that the backend serves, for example apps.example.com"
                )
            ],
        ),
        (
            _an_apiservice("1.a.example.com", version="1"),
            [
                (
                    f'spec.version: Invalid value: "1": {VERSION}; '
                    "write the API version that the backend serves, for example v1"
                )
            ],
        ),
        (
            _an_apiservice(groupPriorityMinimum=None),
            ["spec.groupPriorityMinimum: Required value; write a number from 1 to 20000"],
        ),
        (
            _an_apiservice(groupPriorityMinimum=0),
            [
                (
                    "spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000; "
                    "write a number from 1 to 20000"
                )
            ],
        ),
        (
            _an_apiservice(groupPriorityMinimum=20001),
            [
                (
                    "spec.groupPriorityMinimum: Invalid value: 20001: must be positive and less than 20000; "
                    "write a number from 1 to 20000"
                )
            ],
        ),
        (_an_apiservice(versionPriority=None), ["spec.versionPriority: Required value; write a number from 1 to 1000"]),
        (
            _an_apiservice(versionPriority=1001),
            [
                (
                    "spec.versionPriority: Invalid value: 1001: must be positive and less than 1000; "
                    "write a number from 1 to 1000"
                )
            ],
        ),
        (
            _an_apiservice(versionPriority="15"),
            ['spec.versionPriority: Invalid value: "15": must be a whole number; write it in digits, without quotes'],
        ),
        (
            _an_apiservice(versionPriority=True),
            ["spec.versionPriority: Invalid value: true: must be a whole number; write it in digits, without quotes"],
        ),
        (
            _an_apiservice(service={}),
            [
                "spec.service.namespace: Required value; write the namespace of the Service",
                "spec.service.name: Required value; write the name of the Service",
            ],
        ),
        (
            _an_apiservice(service={"namespace": "shop", "name": "a/b"}),
            [f'spec.service.name: Invalid value: "a/b": {LABEL}; write the name of a Service'],
        ),
        (
            _an_apiservice(service={"namespace": "shop", "name": "api", "port": 0}),
            [
                (
                    "spec.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive; "
                    "write the port of the Service, or leave it out for 443"
                )
            ],
        ),
        (
            _an_apiservice(service={"namespace": "shop", "name": "api", "port": 65536}),
            [
                (
                    "spec.service.port: Invalid value: 65536: port is not valid: "
                    "must be between 1 and 65535, inclusive; "
                    "write the port of the Service, or leave it out for 443"
                )
            ],
        ),
        (
            _an_apiservice(caBundle=CA, **LOCAL),
            [
                f'spec.caBundle: Invalid value: "{len(PEM)} bytes": local APIServices may not have a caBundle; '
                + LOCAL_REMEDY
            ],
        ),
        (
            _an_apiservice(insecureSkipTLSVerify=True, **LOCAL),
            [
                (
                    "spec.insecureSkipTLSVerify: Invalid value: true: "
                    f"local APIServices may not have insecureSkipTLSVerify; {LOCAL_REMEDY}"
                )
            ],
        ),
        (
            _an_apiservice(insecureSkipTLSVerify=True, caBundle=CA),
            [
                (
                    "spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present; "
                    "remove it, so that the backend is verified by caBundle"
                )
            ],
        ),
        (
            _an_apiservice(insecureSkipTLSVerify="yes"),
            [
                (
                    'spec.insecureSkipTLSVerify: Invalid value: "yes": must be a boolean; '
                    "write true or false, without quotes"
                )
            ],
        ),
        (
            _an_apiservice(caBundle="-----BEGIN"),
            [
                (
                    'spec.caBundle: Invalid value: "10 characters": the CA cannot be read: it is not base64; '
                    "write the CA's certificates (PEM), base64-encoded, for example the output of: base64 -w0 ca.crt"
                )
            ],
        ),
        (
            _an_apiservice(caBundle=base64.b64encode(b"not a certificate").decode()),
            [
                (
                    'spec.caBundle: Invalid value: "17 bytes": the CA cannot be read: '
                    "it holds no PEM certificate that parses; "
                    "write the CA's certificates (PEM), base64-encoded, for example the output of: base64 -w0 ca.crt"
                )
            ],
        ),
        (
            {**_an_apiservice(), "spec": None},
            ["spec: Required value; write group, version, groupPriorityMinimum, versionPriority and service"],
        ),
        (
            {**_an_apiservice(), "spec": []},
            ["spec: Invalid value: a list: must be a mapping; write its fields below it, indented"],
        ),
    ],
)
def test_each_rule_of_the_api_has_its_sentence(manifest: dict[str, object], expected: list[str]) -> None:
    """An APIService that breaks a rule says which, at which field, and what to write."""
    assert expected == _sentences(manifest)


def test_all_defects_are_told_at_once() -> None:
    """An APIService with several defects names every one of them."""
    manifest = _an_apiservice("nope", version="1", groupPriorityMinimum=0, versionPriority=0, service={}, caBundle="?")
    fields = [sentence.split(":")[0] for sentence in _sentences(manifest)]

    expected = [
        "spec.version",
        "metadata.name",
        "spec.groupPriorityMinimum",
        "spec.versionPriority",
        "spec.service.namespace",
        "spec.service.name",
        "spec.caBundle",
    ]
    assert expected == fields
