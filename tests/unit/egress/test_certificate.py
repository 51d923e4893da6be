"""Client certificates that leave nothing on a disk."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

import pytest
from pki import CertificateAuthority

from controlplane.egress.certificate import show
from controlplane.model.credentials import KeyPair, Secret

CERTIFICATE, KEY = CertificateAuthority("authority").issue("client", server=False)
OTHER_KEY = CertificateAuthority("authority").issue("other", server=False)[1]


def pair(certificate: bytes = CERTIFICATE, key: bytes = KEY) -> KeyPair:
    """A certificate with a key."""
    return KeyPair(certificate, Secret(key))


def test_the_key_is_in_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is made where temporary files are, and none stays open."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    tmp_path.chmod(0o500)
    before = tmp_path.stat().st_mtime_ns, len(list(Path("/proc/self/fd").iterdir()))
    loaded: list[str] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    whole = context.load_cert_chain
    monkeypatch.setattr(
        ssl.SSLContext, "load_cert_chain", lambda _, path, **kw: (loaded.append(path), whole(path, **kw))
    )
    show(context, pair())

    assert before == (tmp_path.stat().st_mtime_ns, len(list(Path("/proc/self/fd").iterdir())))
    assert [True] == [path.startswith("/proc/self/fd/") for path in loaded]


@pytest.mark.parametrize("client", [pair(key=OTHER_KEY), pair(b"nothing"), pair(key=b"nothing")])
def test_what_cannot_be_shown_is_said(client: KeyPair) -> None:
    """Another's key, and what is no PEM."""
    with pytest.raises((ssl.SSLError, ValueError)):
        show(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), client)
