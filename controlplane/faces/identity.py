"""The certificate files of a face, followed.

In: a `tls` section. Out: what the face shows and whom it believes, the latest that was good. Law: what comes out can be
used for a handshake; files that break later change nothing but the Problems.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import watchfiles

from controlplane.errors import StartError
from controlplane.model.credentials import KeyPair, Secret
from controlplane.model.problem import Origin, Problem
from controlplane.settings.tls import ServerTls
from controlplane.sources import pem
from controlplane.sources.watch import Awatch, Watcher

# Certificate, key and authority are three files: after a report of one, the others get this long to be in place.
_QUIET_SECONDS: Final = 0.1
_STEP_MS: Final = 50


Report: TypeAlias = Callable[[tuple[Problem, ...]], None]
"""Hears all Problems that somebody has now, whenever they are others than before."""


@dataclass(frozen=True, slots=True)
class Material:
    """A key pair and the authority (PEM) that clients are verified by; `context` is the same for Python's TLS."""

    pair: KeyPair
    client_ca: bytes
    context: ssl.SSLContext = field(compare=False, repr=False)


class Identity:
    """What one face shows, and whom it believes."""

    def __init__(
        self,
        section: str,
        tls: ServerTls,
        report: Report,
        *,
        compare_seconds: float = 10.0,
        awatch: Awatch = watchfiles.awatch,
    ) -> None:
        """Reads the files of `section`, such as "xds.tls".

        Every `compare_seconds` the files are read again: what only a link leads to is replaced without a report.

        Raises:
            StartError: when the files cannot be used, one line a defect.
        """
        self._section = section
        self._tls = tls
        self._report = report
        self._compare_seconds = compare_seconds
        self._awatch = awatch
        self._reported: tuple[Problem, ...] = ()
        material, problems = read(section, tls)
        if material is None:
            raise StartError("\n".join(str(problem) for problem in problems))
        self.material = material
        """The latest that was good; replaced, never changed."""

    def context(self, *alpn: str) -> ssl.SSLContext:
        """A context whose every handshake is done by the latest material's; `alpn` are the protocols it agrees to."""
        outer = self.material.context

        def choose(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            latest = self.material.context
            if alpn:
                latest.set_alpn_protocols(alpn)
            connection.context = latest

        if alpn:
            outer.set_alpn_protocols(alpn)
        outer.sni_callback = choose
        return outer

    async def follow(self) -> None:
        """Takes over every replacement of the files that can be used; never returns."""
        files = {path.absolute() for path in (self._tls.certificate_file, self._tls.private_key_file)}
        files.add(self._tls.client_ca_file.absolute())
        folders = sorted({file.parent for file in files if file.parent.is_dir()})

        def wanted(_: watchfiles.Change, path: str) -> bool:
            # Kubernetes replaces the files of a mounted Secret by pointing the link "..data" elsewhere.
            return Path(path) in files or Path(path).name.startswith("..")

        watcher = Watcher(folders, recursive=False, step_ms=_STEP_MS, wanted=wanted, awatch=self._awatch)
        async with watcher:
            while True:
                found, problems = await asyncio.to_thread(read, self._section, self._tls)
                if problems != self._reported:
                    self._reported = problems
                    self._report(problems)
                if found is not None and found != self.material:
                    self.material = found
                reports = await watcher.reports(self._compare_seconds)
                while reports:
                    reports = await watcher.reports(_QUIET_SECONDS)


@asynccontextmanager
async def followed(section: str, tls: ServerTls, reporter: Callable[[str], Report]) -> AsyncIterator[Identity]:
    """The identity of a section, whose files are followed while the context lasts.

    `reporter` gives who hears of the section's Problems.

    Raises:
        StartError: when the files cannot be used.
    """
    identity = Identity(section, tls, reporter(section))
    following = asyncio.create_task(identity.follow(), name=f"files of {section}")
    try:
        yield identity
    finally:
        following.cancel()
        await asyncio.wait({following})


def read(section: str, tls: ServerTls) -> tuple[Material | None, tuple[Problem, ...]]:
    """What is in the files of a section, None when it cannot be used; and all that is wrong."""
    problems: list[Problem] = []

    def unusable(name: str, file: Path, message: str, remedy: str) -> None:
        problems.append(Problem(Origin(str(file)), "", f"{section}.{name}", message, remedy))

    def content(name: str, file: Path) -> bytes | None:
        try:
            return file.read_bytes()
        except OSError as error:
            remedy = "put the file there, readable for the user that Isthmus runs as, or correct the setting"
            unusable(name, file, f"cannot be read ({error.strerror})", remedy)
            return None

    def certificates(name: str, file: Path) -> bytes | None:
        text = content(name, file)
        if text is not None and (wrong := pem.wrong_with_certificates(text)):
            unusable(name, file, wrong, "put PEM certificates there")
        return text

    chain = certificates("certificateFile", tls.certificate_file)
    authority = certificates("clientCAFile", tls.client_ca_file)
    key = content("privateKeyFile", tls.private_key_file)
    if problems or chain is None or authority is None or key is None:
        return None, tuple(problems)
    if wrong := pem.wrong_with_key(key, chain):
        remedy = f"put the unencrypted key of {tls.certificate_file} there, in PEM"
        unusable("privateKeyFile", tls.private_key_file, wrong, remedy)
        return None, tuple(problems)
    try:
        context = _context(tls)
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or "they are being replaced"
        unusable(
            "certificateFile", tls.certificate_file, f"cannot be used for TLS ({reason})", "replace it, and its key"
        )
        return None, tuple(problems)
    return Material(KeyPair(chain, Secret(key)), pem.renewed_first(authority), context), ()


def _context(tls: ServerTls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # A resumed session would not be verified by an authority that was replaced since.
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(tls.certificate_file, tls.private_key_file)
    context.load_verify_locations(tls.client_ca_file)
    return context
