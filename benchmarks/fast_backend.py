"""A backend that answers as fast as can be: another Envoy, which says the same to everybody.

In: its certificate. Out: a port of 127.0.0.1 where TLS and HTTP/2 are spoken. Law: it costs every front door the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from process import Process, envoy_binary, free_port

BODY = '{"kind":"Thing"}'


@contextmanager
def fast_backend(folder: Path, certificate: Path, key: Path, client_ca: Path | None = None) -> Iterator[int]:
    """The port of one that answers 200 until it is closed; with `client_ca` only to clients it has certified."""
    port = free_port()
    files = {"certificate_chain": {"filename": str(certificate)}, "private_key": {"filename": str(key)}}
    common: dict[str, object] = {"alpn_protocols": ["h2"], "tls_certificates": [files]}
    if client_ca is not None:
        common["validation_context"] = {"trusted_ca": {"filename": str(client_ca)}}
    tls = {"common_tls_context": common, "require_client_certificate": client_ca is not None}
    answer = {"status": 200, "body": {"inline_string": BODY}}
    hosts = [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "direct_response": answer}]}]
    manager = {
        "stat_prefix": "backend",
        "route_config": {"virtual_hosts": hosts},
        "http_filters": [_extension("envoy.filters.http.router", "filters.http.router.v3.Router", {})],
    }
    name = "envoy.filters.network.http_connection_manager"
    chain = {
        "filters": [_extension(name, "filters.network.http_connection_manager.v3.HttpConnectionManager", manager)],
        "transport_socket": _extension(
            "envoy.transport_sockets.tls", "transport_sockets.tls.v3.DownstreamTlsContext", tls
        ),
    }
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    listener = {"name": "backend", "address": address, "filter_chains": [chain]}
    path = folder / "backend.json"
    path.write_text(json.dumps({"static_resources": {"listeners": [listener]}}))
    command = [envoy_binary(), "-c", str(path), "--disable-hot-restart", "--concurrency", "1", "--log-level", "error"]
    process = Process(command, folder / "backend.log")
    try:
        yield port
    finally:
        process.stop()


def _extension(name: str, kind: str, config: dict[str, object]) -> dict[str, object]:
    return {"name": name, "typed_config": {"@type": f"type.googleapis.com/envoy.extensions.{kind}", **config}}
