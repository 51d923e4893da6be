"""The credential of a client, from its files: what API servers are shown, and what is no token."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from pki import CertificateAuthority

from controlplane.model.credentials import KeyPair, Secret
from controlplane.settings.settings import Settings
from controlplane.sources.credentials import read_credentials

CA = CertificateAuthority("ca")
ME, ME_KEY = CA.issue("me", server=False)


def settings_of(folder: Path, **client: str) -> Settings:
    """Settings beside a client with that credential; its files are in `folder`."""
    for name, content in {"me.crt": ME, "me.key": ME_KEY, "roots.crt": CA.certificate}.items():
        (folder / name).write_bytes(content)
    face = {"listen": "unix:/run/isthmus.sock"}
    faces = {"xds": face, "authorization": face, "discovery": face}
    document = {"manifests": "m", "systemRootsFile": "roots.crt", **faces, "sidecar": {"client": client}}
    return Settings.model_validate(document).relative_to(folder)


def test_certificate_and_token_are_read(tmp_path: Path) -> None:
    """The line's end is no part of the token, and nothing is shown to those who connect."""
    (tmp_path / "token").write_bytes(b"swordfish\n")

    read, problems = read_credentials(
        settings_of(tmp_path, tokenFile="token", certificateFile="me.crt", privateKeyFile="me.key"), time.time()
    )

    assert problems == ()
    assert read is not None
    assert (read.serving, read.front_proxy) == (None, KeyPair(ME, Secret(ME_KEY)))
    assert read.bearer_token == Secret(b"swordfish")
    assert "swordfish" not in repr(read)


@pytest.mark.parametrize("content", [b"two words", b"two\nlines", b"", b"\n", b"\xc3\xa9", b"a\x00"])
def test_what_is_no_token_is_not_used(content: bytes, tmp_path: Path) -> None:
    """It could not be sent in a header, or would be nobody's; it is not shown either."""
    (tmp_path / "token").write_bytes(content)

    read, problems = read_credentials(settings_of(tmp_path, tokenFile="token"), time.time())

    assert read is None
    assert [problem.field for problem in problems] == ["sidecar.client.tokenFile"]
    assert "two" not in str(problems[0])
