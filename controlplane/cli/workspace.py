"""The folder of one `isthmus up` or `isthmus sidecar`: what is in it, and who may use it.

In: a path (`.isthmus`). Out: a `Workspace`, held by one process at a time. Law: what a person may have changed there is
never overwritten, and Unix sockets are in a folder that only this user can enter.

    pki/            keys and certificates, kept between starts
    manifests/      what is registered; watched, yours to change
    kubeconfig      contexts admin and alice
    config.yaml     the settings of the control plane, written at every start until you change them
    isthmus.db      what clients of the config API have written, kept between starts; its backups are in backups/
    envoy.yaml      Envoy's bootstrap, written at every start
    logs/           one log a program; the run before has the suffix .1
    run/            Unix sockets (a link to a short path when this one is too long for a socket)
    state.json      the demo's port, and that its manifest was put there once
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controlplane.cli import files
from controlplane.errors import StartError

# sockaddr_un.sun_path is 108 bytes with its closing NUL on Linux; this is the longest name put into the folder.
_UNIX_PATH_LIMIT: Final = 107
_LONGEST_SOCKET: Final = "authorization.sock.256"
_SHORT_PREFIX: Final = "isthmus-"


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder, absolute, and the short folder its sockets are in.

    `store` is a folder for the control plane alone, of the database and of the socket by which it is written; None: the
    two above do, because nobody else uses them.
    """

    root: Path
    sockets: Path
    store: Path | None = None

    @property
    def pki(self) -> Path:
        """The folder of keys and certificates."""
        return self.root / "pki"

    @property
    def manifests(self) -> Path:
        """The watched folder."""
        return self.root / "manifests"

    @property
    def logs(self) -> Path:
        """The folder of logs."""
        return self.root / "logs"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig file."""
        return self.root / "kubeconfig"

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.root / "config.yaml"

    @property
    def database(self) -> Path:
        """The database of what clients write."""
        return (self.store or self.root) / "isthmus.db"

    @property
    def config_socket(self) -> Path:
        """The socket of the config API."""
        return (self.store or self.sockets) / "config.sock"

    @property
    def bootstrap(self) -> Path:
        """Envoy's bootstrap."""
        return self.root / "envoy.yaml"


@dataclass(frozen=True, slots=True)
class State:
    """What is remembered between starts: the demo's port (0: none yet), and that its manifest was put there once."""

    demo_port: int = 0
    demo_seeded: bool = False


@contextlib.contextmanager
def opened(root: Path) -> Iterator[Workspace]:
    """The workspace at `root`, created when it is not there, held until the context ends.

    Raises:
        StartError: when another process holds it, or it is no folder.
        OSError: when it cannot be made or written.
    """
    root = root.absolute()
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError as error:
        raise StartError(f"{root} is not a folder; move it away, or choose another with --directory") from error
    with _held(root):
        for leftover in root.glob(".pki-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        workspace = Workspace(root, _sockets(root))
        for folder in (workspace.manifests, workspace.logs):
            folder.mkdir(exist_ok=True)
        try:
            yield workspace
        finally:
            _clear(workspace.sockets)
            _drop_short(root / "run")


def rotate(log: Path) -> Path:
    """Makes `log` a new file and keeps the one that was there with the suffix .1; returns `log`."""
    with contextlib.suppress(FileNotFoundError):
        log.replace(log.with_name(f"{log.name}.1"))
    log.touch(mode=0o600)
    return log


def settings_document(
    workspace: Workspace, address: str, port: int, core: Mapping[str, str], authz_workers: int = 0
) -> dict[str, object]:
    """The settings of the control plane in this workspace, as `settings.load` reads them; no `core` if empty."""
    document: dict[str, object] = {
        "frontDoor": {
            "address": address,
            "port": port,
            "certificateFile": "pki/serving.crt",
            "privateKeyFile": "pki/serving.key",
            "clientCAFile": "pki/client-ca.crt",
        },
        "frontProxy": {
            "certificateFile": "pki/front-proxy-client.crt",
            "privateKeyFile": "pki/front-proxy-client.key",
        },
        "manifests": "manifests",
    }
    if core:
        document["core"] = dict(core)
    for face in ("xds", "authorization", "discovery", "admin", "metrics"):
        document[face] = {"listen": f"unix:{workspace.sockets / face}.sock"}
    if authz_workers:
        document["authorization"] = {"listen": f"unix:{workspace.sockets}/authorization.sock", "workers": authz_workers}
    database = workspace.database
    named = database.relative_to(workspace.root) if database.is_relative_to(workspace.root) else database
    document["store"] = {"sqlite": {"path": str(named)}}
    document["config"] = {"listen": f"unix:{workspace.config_socket}"}
    return document


def write_yaml(path: Path, document: object, comment: str) -> None:
    """Writes `document` to `path` under a line of `comment`."""
    files.write(path, f"# {comment}\n{files.as_yaml(document)}".encode())


def read_state(workspace: Workspace) -> State:
    """What the last start remembered.

    Raises:
        StartError: when the file does not hold what a start writes.
    """
    path = workspace.root / "state.json"
    if not path.exists():
        return State()
    try:
        document = json.loads(path.read_text())
        return State(demo_port=int(document["demoPort"]), demo_seeded=bool(document["demoSeeded"]))
    except (ValueError, KeyError, TypeError) as error:
        raise StartError(f"{path} is damaged; delete it and start again") from error


def write_state(workspace: Workspace, state: State) -> None:
    """Remembers `state` for the next start."""
    document = {"demoPort": state.demo_port, "demoSeeded": state.demo_seeded}
    files.write(workspace.root / "state.json", json.dumps(document).encode())


def short_folder(root: Path) -> Path:
    """The usual folder for sockets where `root` is too long; settings that somebody has changed go on naming it."""
    name = hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"{_SHORT_PREFIX}{name}"


@contextlib.contextmanager
def _held(root: Path) -> Iterator[None]:
    descriptor = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            raise StartError(
                f"another Isthmus (pid {holder}) runs in {root}; stop it, or choose another with --directory"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _sockets(root: Path) -> Path:
    run = root / "run"
    _drop_short(run)
    if len(os.fsencode(run / _LONGEST_SOCKET)) > _UNIX_PATH_LIMIT:
        shutil.rmtree(run, ignore_errors=True)
        short = _short(root)
        run.symlink_to(short)
        return short
    run.mkdir(mode=0o700, exist_ok=True)
    run.chmod(0o700)
    _clear(run)
    return run


def _short(root: Path) -> Path:
    """A short private folder, the usual one unless somebody else has made that."""
    short = short_folder(root)
    try:
        short.mkdir(mode=0o700)
    except FileExistsError:
        found = short.lstat()
        # Everybody may have made it: only a folder of this user's own, closed to others, is taken.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            return Path(tempfile.mkdtemp(prefix=_SHORT_PREFIX))
        _clear(short)
    return short


def _clear(sockets: Path) -> None:
    for leftover in sockets.iterdir():
        leftover.unlink()


def _drop_short(run: Path) -> None:
    """Removes the short folder that `run` links to, and the link; a link to anywhere else only loses the link."""
    if not run.is_symlink():
        return
    short = run.readlink()
    if short.parent == Path(tempfile.gettempdir()) and short.name.startswith(_SHORT_PREFIX):
        shutil.rmtree(short, ignore_errors=True)
    run.unlink()
