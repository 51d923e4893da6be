"""Asks a program for its health, as a container's health check.

In: unix:/PATH or, for TLS, HOST:PORT; an HTTP path. Out: exit code 0 when the answer is 200. Law: it imports nothing
that is slow to import, because it is run every few seconds.
"""

import socket
import ssl
import sys

_TIMEOUT_SECONDS = 2.0


def connected(address: str) -> socket.socket:
    """A connection to `address`."""
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_TIMEOUT_SECONDS)
        connection.connect(address.removeprefix("unix:"))
        return connection
    host, _, port = address.rpartition(":")
    # A program asks itself: there is nobody in between whom a certificate could keep out.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection((host, int(port)), _TIMEOUT_SECONDS))


def main(address: str, path: str) -> int:
    """The exit code: 0 for the status 200, else 1."""
    with connected(address) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        status_line = connection.recv(64).split(b"\r\n")[0]
    return 0 if b" 200" in status_line else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
