"""How Envoy and the control plane's own faces prove to each other who they are."""

from __future__ import annotations

from pathlib import PurePath

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2
from google.protobuf.json_format import MessageToDict

from controlplane.settings.address import Address
from controlplane.settings.face import Face
from controlplane.settings.tls import EnvoyTls
from controlplane.translation.bootstrap import bootstrap
from controlplane.translation.own_clusters import own_cluster
from controlplane.translation.own_tls import OwnTls, own_tls, resource_files

ENVOY = EnvoyTls.model_validate(
    {
        "certificateFile": "/pki/client/tls.crt",
        "privateKeyFile": "/pki/client/tls.key",
        "caFile": "/pki/ca/ca.crt",
        "resourcesDir": "/run/envoy",
    }
)
TLS = {"certificateFile": "c", "privateKeyFile": "k", "clientCAFile": "a", "allowedNames": ["*"]}


def context_of(tls: OwnTls) -> dict[str, object]:
    """The TLS context of the cluster of a face, in Envoy's JSON form."""
    resource = own_cluster("isthmus/authorization", [Address.parse("isthmus:18001")], tls, http2=True)
    socket = cluster_pb2.Cluster.FromString(resource.body).transport_socket
    context = tls_pb2.UpstreamTlsContext.FromString(socket.typed_config.value)
    document: dict[str, object] = MessageToDict(context)
    return document


def test_envoy_shows_its_certificate_and_verifies_name_and_authority() -> None:
    """Both secrets come from files beside Envoy, and TLS 1.3 is the only version."""
    source = {"resourceApiVersion": "V3"}

    assert context_of(OwnTls("isthmus.example.org", PurePath("/run/envoy"))) == {
        "sni": "isthmus.example.org",
        "commonTlsContext": {
            "tlsParams": {"tlsMinimumProtocolVersion": "TLSv1_3", "tlsMaximumProtocolVersion": "TLSv1_3"},
            "tlsCertificateSdsSecretConfigs": [
                {
                    "name": "isthmus-client",
                    "sdsConfig": {"pathConfigSource": {"path": "/run/envoy/isthmus-client.json"}, **source},
                }
            ],
            "combinedValidationContext": {
                "defaultValidationContext": {
                    "matchTypedSubjectAltNames": [{"sanType": "DNS", "matcher": {"exact": "isthmus.example.org"}}]
                },
                "validationContextSdsSecretConfig": {
                    "name": "isthmus-authority",
                    "sdsConfig": {"pathConfigSource": {"path": "/run/envoy/isthmus-authority.json"}, **source},
                },
            },
        },
    }


def test_an_address_is_verified_as_one_and_asked_for_without_a_name() -> None:
    """SNI carries names only."""
    context = context_of(OwnTls("10.0.0.1", PurePath("/run/envoy")))

    assert "sni" not in context
    assert "'sanType': 'IP_ADDRESS', 'matcher': {'exact': '10.0.0.1'}" in str(context)


def test_the_files_name_the_certificates_and_watch_their_folders() -> None:
    """Envoy follows a replacement by itself; nothing secret is in the files."""
    kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"

    assert resource_files(ENVOY) == {
        "isthmus-client.json": {
            "resources": [
                {
                    "@type": kind,
                    "name": "isthmus-client",
                    "tlsCertificate": {
                        "certificateChain": {"filename": "/pki/client/tls.crt"},
                        "privateKey": {"filename": "/pki/client/tls.key"},
                        "watchedDirectory": {"path": "/pki/client"},
                    },
                }
            ]
        },
        "isthmus-authority.json": {
            "resources": [
                {
                    "@type": kind,
                    "name": "isthmus-authority",
                    "validationContext": {
                        "trustedCa": {"filename": "/pki/ca/ca.crt"},
                        "watchedDirectory": {"path": "/pki/ca"},
                    },
                }
            ]
        },
    }


@pytest.mark.parametrize(
    ("face", "expected"),
    [
        ({"listen": "unix:/run/xds.sock"}, None),
        ({"listen": "10.0.0.1:1", "allowPlaintext": True}, None),
        ({"listen": "10.0.0.1:1", "tls": TLS}, OwnTls("10.0.0.1", ENVOY.resources_dir)),
        ({"listen": "0.0.0.0:1", "advertise": "isthmus:1", "tls": TLS}, OwnTls("isthmus", ENVOY.resources_dir)),
    ],
)
def test_a_face_with_tls_is_reached_with_tls(face: dict[str, object], expected: OwnTls | None) -> None:
    """Its certificate is verified for the host that Envoy connects to."""
    assert own_tls(Face.model_validate(face), ENVOY) == expected


def test_the_bootstrap_reaches_the_xds_face_as_cds_reaches_the_others() -> None:
    """One transport socket, whichever way Envoy hears of it; without tls there is none."""
    tls = OwnTls("isthmus", PurePath("/run/envoy"))
    xds = Address.parse("isthmus:18000")
    documents = [bootstrap(xds, node_id="a", node_cluster="b", admin=None, tls=how) for how in (tls, None)]
    encrypted, plain = (document["staticResources"]["clusters"][0] for document in documents)

    assert encrypted["transportSocket"] == {
        "name": "envoy.transport_sockets.tls",
        "typedConfig": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            **context_of(tls),
        },
    }
    assert "transportSocket" not in plain
