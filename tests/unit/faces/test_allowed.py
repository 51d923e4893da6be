"""Which names of a client's certificate let it in."""

import pytest

from controlplane.faces.allowed import Presented, is_allowed, presented, refusal


@pytest.mark.parametrize(
    ("shown", "allowed", "expected"),
    [
        (Presented(dns=("envoy.example.org",)), ("envoy.example.org",), True),
        (Presented(dns=("ENVOY.example.org",)), ("envoy.Example.org",), True),
        (Presented(dns=("other", "envoy.example.org")), ("x", "envoy.example.org"), True),
        (Presented(uris=("spiffe://a/envoy",)), ("spiffe://a/envoy",), True),
        (Presented(uris=("spiffe://a/Envoy",)), ("spiffe://a/envoy",), False),
        (Presented(uris=("spiffe://a/envoy/x",)), ("spiffe://a/envoy",), False),
        (Presented(dns=("a.envoys.example.org",)), ("*.envoys.example.org",), True),
        (Presented(dns=("a.b.envoys.example.org",)), ("*.envoys.example.org",), False),
        (Presented(dns=("envoys.example.org",)), ("*.envoys.example.org",), False),
        (Presented(dns=(".envoys.example.org",)), ("*.envoys.example.org",), False),
        (Presented(dns=("aenvoys.example.org",)), ("*.envoys.example.org",), False),
        (Presented(dns=("*",)), ("envoy",), False),
        (Presented(dns=("anything",)), ("*",), True),
        (Presented(), ("*",), True),
        (Presented(), ("envoy",), False),
        (Presented(dns=("envoy",)), (), False),
        (Presented(dns=("spiffe://a/envoy",)), ("spiffe://a/envoy",), False),
        (Presented(uris=("envoy.example.org",)), ("envoy.example.org",), False),
    ],
)
def test_only_a_name_that_is_allowed_lets_in(shown: Presented, allowed: tuple[str, ...], expected: bool) -> None:
    """DNS names ignore case, URIs do not; a wildcard is one label; a name of one kind never passes for the other."""
    assert is_allowed(shown, allowed) is expected


def test_the_refusal_names_what_was_presented_and_the_setting() -> None:
    """Whoever reads it knows what to add where, or which certificate is the wrong one."""
    sentence = refusal("xds", Presented(("a.example.org",), ("spiffe://a/b",)))

    assert sentence == (
        "the client's certificate has a.example.org, spiffe://a/b; nothing of that is in xds.tls.allowedNames"
    )
    assert "has no DNS name or URI;" in refusal("xds", Presented())


@pytest.mark.parametrize(
    ("certificate", "expected"),
    [
        (None, Presented()),
        ({}, Presented()),
        (
            {
                "subject": (),
                "subjectAltName": (("DNS", "a.b"), ("URI", "spiffe://a/b"), ("email", "a@b"), ("DNS", "c.d")),
            },
            Presented(("a.b", "c.d"), ("spiffe://a/b",)),
        ),
    ],
)
def test_names_are_read_from_a_verified_certificate(certificate: dict[str, object] | None, expected: Presented) -> None:
    """DNS names and URIs, in their order; nothing of a certificate that is not there."""
    assert expected == presented(certificate)
