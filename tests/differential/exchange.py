"""Requests sent as they are, to one server or another, many at a time.

In: requests, the address of a server, and the certificates that they name. Out: an answer each, in order. Law: the
target goes out byte for byte, under an Audit-ID of its own, by which logs on the other side name the request.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from differential.requests import Request

_CONNECTIONS = 4
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `status_object` is the body when that is a Status object, and {} otherwise."""

    code: int
    status_object: dict[str, Any]
    text: str


class Door:
    """One server on 127.0.0.1; `context_for` makes the TLS context of somebody's certificate, or of none ("")."""

    def __init__(self, port: int, context_for: Callable[[str], ssl.SSLContext]) -> None:
        self._port = port
        self._context_for = context_for
        self._own = threading.local()
        self._opened: list[http.client.HTTPSConnection] = []

    def answers(self, requests: Sequence[Request], prefix: str) -> list[Answer]:
        """The answers, in the order of the requests; the Audit-ID of request n is `prefix`-n."""
        with ThreadPoolExecutor(_CONNECTIONS) as workers:
            identifiers = (f"{prefix}-{number}" for number in range(len(requests)))
            answers = list(workers.map(self.answer, requests, identifiers))
        self.close()
        return answers

    def close(self) -> None:
        """Closes all connections; the next request opens new ones."""
        for connection in self._opened:
            connection.close()

    def answer(self, request: Request, audit_id: str) -> Answer:
        """The answer to one request."""
        connection = self._connection(request.credentials.certificate)
        try:
            self._send(connection, request, audit_id)
            response = connection.getresponse()
        except (ConnectionError, http.client.BadStatusLine):
            # The server may close a connection that is idle, or whose last answer it did not like.
            connection.close()
            self._send(connection, request, audit_id)
            response = connection.getresponse()
        # A watch ends never; what was granted says all by its first line.
        endless = response.status < 400 and response.length is None
        body = b"" if endless else response.read()
        if endless:
            connection.close()
        return Answer(response.status, _status_object(body), body.decode(errors="replace")[:500])

    @staticmethod
    def _send(connection: http.client.HTTPSConnection, request: Request, audit_id: str) -> None:
        connection.putrequest(request.method, request.target, skip_accept_encoding=True)
        connection.putheader("Audit-ID", audit_id)
        for line in request.credentials.authorization:
            connection.putheader("Authorization", line)
        for name, value in request.headers:
            connection.putheader(name, value)
        if request.method in {"POST", "PUT", "PATCH"}:
            connection.putheader("Content-Length", "0")
        connection.endheaders()

    def _connection(self, certificate: str) -> http.client.HTTPSConnection:
        own: dict[str, http.client.HTTPSConnection] = self._own.__dict__.setdefault("connections", {})
        if certificate not in own:
            context = self._context_for(certificate)
            own[certificate] = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=_PATIENCE, context=context)
            self._opened.append(own[certificate])
        return own[certificate]


def _status_object(body: bytes) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        document = json.loads(body)
        if isinstance(document, dict) and document.get("kind") == "Status":
            return document
    return {}
