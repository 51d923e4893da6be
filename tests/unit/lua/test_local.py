"""The script of the endpoint beside a client."""

from __future__ import annotations

import pytest
from lua import Reader, Stream, source

SCRIPT = f"local select_route = (function()\n{source('scope')}\nend)()\n{source('local')}"
UPGRADE = ("upgrade", "websocket")


def sent(*headers: tuple[str, str]) -> Stream:
    """A request after it has passed."""
    return Reader(SCRIPT).send(Stream((("x-isthmus-route", "/apis/a/v1"), *headers)))


def test_an_upgrade_is_http1() -> None:
    """The header becomes ALPN in a later filter."""
    assert sent(UPGRADE).values("x-isthmus-alpn") == ["http/1.1"]
    assert sent().values("x-isthmus-alpn") == []


@pytest.mark.parametrize("protocols", [("v4.channel.k8s.io", "base64url.bearer.authorization.k8s.io.eA"), ("a, {}",)])
def test_a_credential_among_protocols_is_refused(protocols: tuple[str, ...]) -> None:
    """It would stand beside the sidecar's own."""
    lines = (text.format("base64url.bearer.authorization.k8s.io.eA") for text in protocols)

    refused = sent(UPGRADE, *(("sec-websocket-protocol", line) for line in lines))

    assert refused.responded is not None
    assert sent(UPGRADE, ("sec-websocket-protocol", "v4.channel.k8s.io")).responded is None
