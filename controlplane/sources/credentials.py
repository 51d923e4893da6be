"""The front door's certificate files as a source of Changes.

In: settings, and somebody to tell of Problems. Out: the `Credentials` in the files, then `Synced`, then new ones
whenever the files are replaced, or an authority in them begins or ends. Law: Credentials that come out can be used:
every certificate parses and every key belongs to its certificate; files that break later change nothing but the
Problems: what was good stays in force.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import watchfiles
from watchfiles import Change as FileChange

from controlplane.errors import StartError
from controlplane.model.change import Change, CredentialsChanged, Synced
from controlplane.model.credentials import Credentials, KeyPair, Secret
from controlplane.model.problem import Origin, Problem
from controlplane.settings.request_header import RequestHeader
from controlplane.settings.settings import Settings
from controlplane.sources import pem
from controlplane.sources.watch import Awatch, Watcher

# Certificate and key are two files: after a report of one, the other gets this long to be in place.
_QUIET_SECONDS: Final = 0.1
_STEP_MS: Final = 50


class CredentialsSource:
    """The certificate and key files that the settings name."""

    name: Final = "credentials"

    def __init__(
        self,
        settings: Settings,
        report: Callable[[tuple[Problem, ...]], None],
        *,
        compare_seconds: float = 10.0,
        awatch: Awatch = watchfiles.awatch,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`report` gets all Problems there are, whenever they are others than before; `clock` gives Unix seconds.

        Every `compare_seconds` the files are read again: what only a link leads to is replaced without a report.
        """
        self._settings = settings
        self._report = report
        self._compare_seconds = compare_seconds
        self._awatch = awatch
        self._clock = clock
        self._reported: tuple[Problem, ...] = ()

    async def changes(self) -> AsyncIterator[tuple[Change, ...]]:
        """The credentials, `Synced`, then each replacement; see `Source`.

        Raises:
            StartError: when the files cannot be used at the start, one line a defect.
        """
        files = _files(self._settings)
        folders = sorted({file.parent for file in files if file.parent.is_dir()})

        def wanted(_: FileChange, path: str) -> bool:
            # Kubernetes replaces the files of a mounted Secret by pointing the link "..data" elsewhere.
            return Path(path) in files or Path(path).name.startswith("..")

        watcher = Watcher(folders, recursive=False, step_ms=_STEP_MS, wanted=wanted, awatch=self._awatch)
        async with watcher:
            held, problems = await asyncio.to_thread(read_credentials, self._settings, self._clock())
            if held is None:
                raise StartError("\n".join(str(problem) for problem in problems))
            self._tell(problems)
            yield (CredentialsChanged(held),)
            yield (Synced(self.name),)
            while True:
                reports = await watcher.reports(self._compare_seconds)
                while reports:
                    reports = await watcher.reports(_QUIET_SECONDS)
                found, problems = await asyncio.to_thread(read_credentials, self._settings, self._clock())
                self._tell(problems)
                if found is not None and found != held:
                    held = found
                    yield (CredentialsChanged(held),)

    def _tell(self, problems: tuple[Problem, ...]) -> None:
        if problems != self._reported:
            self._reported = problems
            self._report(problems)


def read_credentials(settings: Settings, now: float) -> tuple[Credentials | None, tuple[Problem, ...]]:
    """The credentials in the files that `settings` name, None when some cannot be used; and all that is wrong.

    Of the authorities those come out that are in force `now` (Unix seconds).
    """
    reader = _Reader()
    door, proxy = settings.front_door, settings.front_proxy
    serving = reader.key_pair("frontDoor", door.certificate_file, door.private_key_file) if door else None
    clients = door.client_ca_file if door else None
    client_ca = reader.certificates("frontDoor.clientCAFile", clients) if clients else b""
    front_proxy = reader.key_pair("frontProxy", proxy.certificate_file, proxy.private_key_file) if proxy else None
    bearer_token = None
    if beside := settings.sidecar and settings.sidecar.client:
        if beside.certificate_file and beside.private_key_file:
            front_proxy = reader.key_pair("sidecar.client", beside.certificate_file, beside.private_key_file)
        if beside.token_file:
            bearer_token = reader.token("sidecar.client.tokenFile", beside.token_file)
    asserting = settings.authentication.request_header
    request_header_ca = reader.request_header_authorities(asserting, client_ca) if asserting is not None else b""
    roots = settings.system_roots_file
    system_roots = reader.certificates("systemRootsFile", roots) if roots else reader.operating_system_roots()
    core = settings.core.ca_file if settings.core is not None else None
    core_ca = reader.certificates("core.caFile", core) if core else b""
    problems = tuple(reader.problems)
    if reader.unusable:
        return None, problems
    client_ca, system_roots, request_header_ca, core_ca = (
        pem.in_force(authorities, now) for authorities in (client_ca, system_roots, request_header_ca, core_ca)
    )
    return (
        Credentials(serving, client_ca, front_proxy, system_roots, request_header_ca, bearer_token, core_ca),
        problems,
    )


class _Reader:
    """Reads files and gathers what is wrong with them; what it returns counts only when nothing was `unusable`."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.unusable = False

    def key_pair(self, section: str, certificate_file: Path, private_key_file: Path) -> KeyPair:
        chain = self.certificates(f"{section}.certificateFile", certificate_file)
        field = f"{section}.privateKeyFile"
        key = self._bytes(field, private_key_file)
        if chain and key and (wrong := pem.wrong_with_key(key, chain)):
            remedy = f"put the unencrypted key of {certificate_file} there, in PEM"
            self._unusable(field, private_key_file, wrong, remedy)
        return KeyPair(chain, Secret(key))

    def token(self, field: str, file: Path) -> Secret:
        content = self._bytes(field, file)
        token = content.strip()
        if content and re.fullmatch(rb"[!-~]+", token) is None:
            self._unusable(field, file, "is not one line of visible ASCII", "put the token there and nothing else")
        return Secret(token)

    def certificates(self, field: str, file: Path) -> bytes:
        text = self._bytes(field, file)
        if text and (wrong := pem.wrong_with_certificates(text)):
            self._unusable(field, file, wrong, "put PEM certificates there")
            return b""
        return text

    def request_header_authorities(self, asserting: RequestHeader, client_ca: bytes) -> bytes:
        field, file = "authentication.requestHeader.clientCAFile", asserting.client_ca_file
        text = self.certificates(field, file)
        if not asserting.allowed_names and pem.keys(text) & pem.keys(client_ca):
            # Whoever has a client certificate could ask as anybody.
            message = (
                "holds an authority of frontDoor.clientCAFile, and authentication.requestHeader.allowedNames is empty"
            )
            self._unusable(
                field, file, message, "name the common names of front proxies, or use an authority of their own"
            )
        return text

    def operating_system_roots(self) -> bytes:
        paths = ssl.get_default_verify_paths()
        bundle = paths.cafile or f"{paths.capath or paths.openssl_capath}/ca-certificates.crt"
        try:
            return Path(bundle).read_bytes()
        except OSError as error:
            # Without roots a backend that needs them is refused, and all others are served: no reason not to start.
            message = f"the operating system's root certificates cannot be read ({error.strerror})"
            remedy = "install them, or set systemRootsFile; until then every APIService needs a caBundle"
            self.problems.append(Problem(Origin(bundle), "", "systemRootsFile", message, remedy))
            return b""

    def _bytes(self, field: str, file: Path) -> bytes:
        try:
            text = file.read_bytes()
        except OSError as error:
            remedy = "put the file there, readable for the user that Isthmus runs as, or correct the setting"
            self._unusable(field, file, f"cannot be read ({error.strerror})", remedy)
            return b""
        if not text:
            self._unusable(field, file, "is empty", "put PEM there")
        return text

    def _unusable(self, field: str, file: Path, message: str, remedy: str) -> None:
        self.unusable = True
        self.problems.append(Problem(Origin(str(file)), "", field, message, remedy))


def _files(settings: Settings) -> frozenset[Path]:
    door, proxy = settings.front_door, settings.front_proxy
    asserting = settings.authentication.request_header
    named = [settings.system_roots_file, settings.core.ca_file if settings.core is not None else None]
    if door is not None:
        named += [door.certificate_file, door.private_key_file, door.client_ca_file]
    if beside := settings.sidecar and settings.sidecar.client:
        named += [beside.certificate_file, beside.private_key_file, beside.token_file]
    if proxy is not None:
        named += [proxy.certificate_file, proxy.private_key_file]
    if asserting is not None:
        named.append(asserting.client_ca_file)
    return frozenset(file.absolute() for file in named if file is not None)
