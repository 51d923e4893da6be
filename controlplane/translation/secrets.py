"""The front door's certificates and keys as SDS secrets.

In: `Credentials`. Out: one Secret each. Law: a private key leaves its `Secret` here and nowhere else, straight into the
bytes of the resource.
"""

from __future__ import annotations

from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2

from controlplane.model.credentials import Credentials, KeyPair
from controlplane.model.resource import SECRET, EnvoyResource, ResourceName
from controlplane.translation import names


def secret_resources(credentials: Credentials) -> tuple[EnvoyResource, ...]:
    """The serving certificate and, where there are any, client CA, front-proxy certificate and system roots."""
    found = [_certificate(names.SERVING_SECRET, credentials.serving)]
    if credentials.client_ca:
        found.append(_authorities(names.CLIENT_CA_SECRET, credentials.client_ca))
    if credentials.front_proxy is not None:
        found.append(_certificate(names.FRONT_PROXY_SECRET, credentials.front_proxy))
    if credentials.system_roots:
        found.append(_authorities(names.SYSTEM_ROOTS_SECRET, credentials.system_roots))
    return tuple(found)


def _certificate(name: str, pair: KeyPair) -> EnvoyResource:
    certificate = common_pb2.TlsCertificate()
    certificate.certificate_chain.inline_bytes = pair.certificate_chain
    certificate.private_key.inline_bytes = pair.private_key.reveal()
    return _resource(secret_pb2.Secret(name=name, tls_certificate=certificate))


def _authorities(name: str, pem: bytes) -> EnvoyResource:
    context = common_pb2.CertificateValidationContext()
    context.trusted_ca.inline_bytes = pem
    return _resource(secret_pb2.Secret(name=name, validation_context=context))


def _resource(secret: secret_pb2.Secret) -> EnvoyResource:
    return EnvoyResource(ResourceName(SECRET, secret.name), secret.SerializeToString(deterministic=True))
