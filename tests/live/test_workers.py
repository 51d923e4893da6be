"""Connections and the worker threads of the real Envoy."""

from __future__ import annotations

import contextlib
import socket
import ssl

from stack import Stack, until

WORKERS, CONNECTIONS = 2, 16


def test_connections_that_stay_open_are_shared_out_evenly() -> None:
    """Sixteen of them are eight for each of two workers, which the kernel alone makes of them one time in five."""
    with Stack(envoy_workers=WORKERS) as stack, contextlib.ExitStack() as opened:
        context = ssl.create_default_context(cadata=stack.servers.certificate.decode())
        active = rf"listener\.127\.0\.0\.1_{stack.port}\.worker_\d\.downstream_cx_active"
        until(lambda: set(stack.stats(active).values()) <= {0}, "nothing is open")
        for _ in range(CONNECTIONS):
            plain = opened.enter_context(socket.create_connection(("127.0.0.1", stack.port), timeout=10))
            opened.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
        until(lambda: sum(stack.stats(active).values()) == CONNECTIONS, "all are counted")

        assert [CONNECTIONS // WORKERS] * WORKERS == list(stack.stats(active).values())
