"""The front door's certificates, keys and tokens as SDS secrets.

In: `Credentials`. Out: one Secret each. Law: a private key or a token leaves its `Secret` here and nowhere else,
straight into the bytes of the resource.
"""

from __future__ import annotations

from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2

from controlplane.model.credentials import Credentials, KeyPair, Secret
from controlplane.model.resource import SECRET, EnvoyResource, ResourceName
from controlplane.translation import names


def secret_resources(credentials: Credentials) -> tuple[EnvoyResource, ...]:
    """What there is of serving certificate, client CAs, front-proxy certificate, system roots and bearer token."""
    found = [_certificate(names.SERVING_SECRET, credentials.serving)] if credentials.serving is not None else []
    # Envoy knows one bundle a listener; which of the two a certificate comes from is for authorization to find out.
    client_cas = b"\n".join(pem for pem in (credentials.client_ca, credentials.request_header_ca) if pem)
    if client_cas:
        found.append(_authorities(names.CLIENT_CA_SECRET, client_cas))
    if credentials.front_proxy is not None:
        found.append(_certificate(names.FRONT_PROXY_SECRET, credentials.front_proxy))
    if credentials.system_roots:
        found.append(_authorities(names.SYSTEM_ROOTS_SECRET, credentials.system_roots))
    if credentials.bearer_token is not None:
        found.append(_authorization(names.BEARER_TOKEN_SECRET, credentials.bearer_token))
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


def _authorization(name: str, token: Secret) -> EnvoyResource:
    generic = secret_pb2.GenericSecret()
    generic.secret.inline_bytes = b"Bearer " + token.reveal()
    return _resource(secret_pb2.Secret(name=name, generic_secret=generic))


def _resource(secret: secret_pb2.Secret) -> EnvoyResource:
    return EnvoyResource(ResourceName(SECRET, secret.name), secret.SerializeToString(deterministic=True))
