"""How Envoy and the control plane's own faces prove to each other who they are.

In: the settings' word for where Envoy finds its certificate, and the face's name. Out: a transport socket, and the two
files it refers to. Law: what Envoy shows stays in files beside Envoy, which it follows by itself; nothing of it passes
the control plane.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from envoy.config.core.v3 import base_pb2, config_source_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2, tls_pb2
from envoy.type.matcher.v3 import string_pb2
from google.protobuf.json_format import MessageToDict

from controlplane.settings.face import Face
from controlplane.settings.tls import EnvoyTls, is_ip

_CERTIFICATE: Final = "isthmus-client"
_AUTHORITY: Final = "isthmus-authority"


@dataclass(frozen=True, slots=True)
class OwnTls:
    """What a face's certificate must be good for (a DNS name or an IP address), and where Envoy finds the two files."""

    server_name: str
    resources: PurePath


def own_tls(face: Face, envoy: EnvoyTls | None) -> OwnTls | None:
    """How Envoy connects to a face; None without encryption."""
    return OwnTls(face.server_name, envoy.resources_dir) if face.tls is not None and envoy is not None else None


def transport_socket(tls: OwnTls) -> base_pb2.TransportSocket:
    """The transport socket of a cluster whose endpoints are such a face."""
    numeric = is_ip(tls.server_name)
    # SNI carries names only (RFC 6066 section 3).
    context = tls_pb2.UpstreamTlsContext(sni="" if numeric else tls.server_name)
    common = context.common_tls_context
    common.tls_params.tls_minimum_protocol_version = common_pb2.TlsParameters.TLSv1_3
    common.tls_params.tls_maximum_protocol_version = common_pb2.TlsParameters.TLSv1_3
    common.tls_certificate_sds_secret_configs.append(_secret(tls, _CERTIFICATE))
    combined = common.combined_validation_context
    san = combined.default_validation_context.match_typed_subject_alt_names.add()
    san.san_type = san.IP_ADDRESS if numeric else san.DNS
    san.matcher.CopyFrom(string_pb2.StringMatcher(exact=tls.server_name))
    combined.validation_context_sds_secret_config.CopyFrom(_secret(tls, _AUTHORITY))
    socket = base_pb2.TransportSocket(name="envoy.transport_sockets.tls")
    socket.typed_config.Pack(context, deterministic=True)
    return socket


def resource_files(envoy: EnvoyTls) -> Mapping[str, dict[str, object]]:
    """The two files, by name: they name the certificate files, whose folders Envoy watches for replacements."""
    pair, authority = secret_pb2.Secret(name=_CERTIFICATE), secret_pb2.Secret(name=_AUTHORITY)
    pair.tls_certificate.certificate_chain.filename = str(envoy.certificate_file)
    pair.tls_certificate.private_key.filename = str(envoy.private_key_file)
    pair.tls_certificate.watched_directory.path = str(envoy.certificate_file.parent)
    authority.validation_context.trusted_ca.filename = str(envoy.ca_file)
    authority.validation_context.watched_directory.path = str(envoy.ca_file.parent)
    return {_file(secret.name): _response(secret) for secret in (pair, authority)}


def _response(secret: secret_pb2.Secret) -> dict[str, object]:
    resource = {"@type": f"type.googleapis.com/{secret.DESCRIPTOR.full_name}", **MessageToDict(secret)}
    return {"resources": [resource]}


def _secret(tls: OwnTls, name: str) -> secret_pb2.SdsSecretConfig:
    path = config_source_pb2.PathConfigSource(path=str(tls.resources / _file(name)))
    source = config_source_pb2.ConfigSource(
        path_config_source=path, resource_api_version=config_source_pb2.ApiVersion.V3
    )
    return secret_pb2.SdsSecretConfig(name=name, sds_config=source)


def _file(name: str) -> str:
    return f"{name}.json"
