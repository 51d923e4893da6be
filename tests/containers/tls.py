"""TLS of clients that have their certificates in memory.

In: PEM. Out: a context. Law: a key is in a file only while it is read from there; Python reads it from nowhere else.
"""

from __future__ import annotations

import ssl
import tempfile


def client(authority: bytes, certificate: bytes = b"", key: bytes = b"") -> ssl.SSLContext:
    """A context that believes the authority alone and shows the certificate, if there is one."""
    context = ssl.create_default_context(cadata=authority.decode())
    if certificate:
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(certificate + key)
            pair.flush()
            context.load_cert_chain(pair.name)
    return context
