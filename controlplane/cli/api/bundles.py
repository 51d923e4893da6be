"""CA bundles in words.

In: the caBundle of an APIService. Out: a sentence for each certificate in it. Law: what cannot be read is said, and
stops nothing.
"""

from __future__ import annotations

import base64
import datetime
from collections.abc import Iterator

from cryptography import x509


def certificates(bundle: str, now: datetime.datetime) -> Iterator[str]:
    """Whose each certificate of a bundle (base64 of PEM) is, and until when it holds; nothing for an empty one."""
    if not bundle:
        return
    try:
        for certificate in x509.load_pem_x509_certificates(base64.b64decode(bundle, validate=True)):
            yield _certificate(certificate, now)
    except (ValueError, x509.InvalidVersion) as error:
        yield f"<cannot be read: {error}>"


def _certificate(certificate: x509.Certificate, now: datetime.datetime) -> str:
    subject = certificate.subject.rfc4514_string() or "<no subject>"
    end, begin = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    if end < now:
        return f"{subject} (expired at {_time(end)})"
    if now < begin:
        return f"{subject} (not valid before {_time(begin)})"
    return f"{subject} (expires at {_time(end)})"


def _time(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
