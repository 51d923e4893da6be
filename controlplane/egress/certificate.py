"""The certificate that Isthmus shows to servers that want to see one.

In: a TLS context, a certificate with its key. Out: nothing; the context shows it. Law: the key is in no file that has a
name, not for a moment: whoever is killed leaves nothing behind.
"""

from __future__ import annotations

import os
import ssl

from controlplane.model.credentials import KeyPair


def show(context: ssl.SSLContext, client: KeyPair) -> None:
    """Has connections with that context show the certificate.

    Raises:
        ssl.SSLError, ValueError: when the two are no PEM, do not belong together, or the key is encrypted.
    """
    # OpenSSL's Python binding reads keys from files only: this one is in memory, and this process's own.
    with os.fdopen(os.memfd_create("certificate"), "wb") as file:
        file.write(client.certificate_chain + b"\n" + client.private_key.reveal())
        file.flush()
        # An encrypted key must not make OpenSSL ask at the terminal.
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}", password=b"")
