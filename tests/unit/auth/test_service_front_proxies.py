from __future__ import annotations

import time
from urllib.parse import quote

from envoy.service.auth.v3 import external_auth_pb2
from now import now
from pki import CertificateAuthority
from prometheus_client import CollectorRegistry

from controlplane.aio import Watchable
from controlplane.auth.authenticate import Authentication, authenticator
from controlplane.auth.authorize import PrivilegedGroups
from controlplane.auth.front_proxy import RequestHeaderTrust
from controlplane.auth.metrics import AuthorizationMetrics
from controlplane.auth.ruling import Ruling
from controlplane.auth.service import Checks, Keeping
from controlplane.model.credentials import ClientAuthorities
from controlplane.model.policy import Policy

PROXIES = CertificateAuthority("front proxies")
EDGE = PROXIES.issue("edge", server=False)[0]
MASTER = ("x-remote-user", "alice", "x-remote-group", "system:masters")


class Front:
    """Authorization that believes front proxies of one authority, and allows system:masters everything."""

    def __init__(self, keeping: Keeping | None = None) -> None:
        policy = Policy(1, authorities=ClientAuthorities(b"", PROXIES.certificate))
        trusting = Authentication(request_header=RequestHeaderTrust())
        authenticate = authenticator(trusting, time.time, policy.authorities)
        self._checks = Checks(
            Watchable(Ruling(policy, authenticate, PrivilegedGroups())),
            clock=time.time,
            timer=lambda: 0.0,
            metrics=AuthorizationMetrics(CollectorRegistry()),
            keeping=keeping,
        )

    def ask(self, *lines: str, certificate: bytes = EDGE, chain: bytes = b"") -> external_auth_pb2.CheckResponse:
        """The answer to a GET by the holder of that certificate, of which Envoy's filters tell the rest."""
        request = external_auth_pb2.CheckRequest()
        request.attributes.source.certificate = quote(certificate, safe="")
        request.attributes.request.http.method, request.attributes.request.http.path = "GET", "/api/v1/pods"
        request.attributes.request.http.header_map.SetInParent()
        told = request.attributes.metadata_context.filter_metadata
        told["isthmus.tls"].update({"client_certificate_verified": True})
        if chain:
            told["isthmus.tls"].update({"client_certificate_chain": quote(chain, safe="")})
        if lines:
            told["isthmus.request_headers"].update({"lines": list(lines)})
        return external_auth_pb2.CheckResponse.FromString(now(self._checks.answer(request.SerializeToString())))


def identity_of(response: external_auth_pb2.CheckResponse) -> list[str]:
    """The identity that an answer carries (name, value, name, value), empty when it refuses."""
    return [each.string_value for each in response.dynamic_metadata.fields["identity"].list_value.values]


def test_each_line_that_a_front_proxy_sends_counts() -> None:
    """In order, and what is escaped on the way to us is what was sent."""
    actual = identity_of(Front().ask(*MASTER, "x-remote-group", "100%25", "x-remote-group", "%C3%BC"))

    groups = [
        text for group in ("system:masters", "100%", "ü", "system:authenticated") for text in ("x-remote-group", group)
    ]
    assert ["x-remote-user", "alice", *groups] == actual


def test_without_lines_there_is_no_user() -> None:
    """A front proxy's certificate alone is anonymous, who may do nothing here."""
    assert Front().ask().denied_response.status.code == 401


def test_a_chain_is_followed() -> None:
    """The certificates that Envoy's filter tells of lead to the authority, without them there is no way."""
    between = CertificateAuthority("between", PROXIES)
    certificate = between.issue("edge", server=False)[0]

    assert Front().ask(*MASTER, certificate=certificate).denied_response.status.code == 401
    assert identity_of(Front().ask(*MASTER, certificate=certificate, chain=certificate + between.certificate))


def test_what_is_said_of_others_is_not_kept() -> None:
    """The same certificate may name somebody else the next time."""
    answer = Front(keeping=Keeping("e", 10)).ask(*MASTER)

    assert identity_of(answer)
    assert "verdict" not in answer.dynamic_metadata.fields
