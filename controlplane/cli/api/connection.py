"""Which server a command calls, and as whom.

In: the command line, the environment, the contexts file and a settings file. Out: a client for the command. Law: the
more explicit wins: --server, --context or --config; then $ISTHMUS_CONTEXT, the current context, the settings file that
lies here; and what is shown to one server is never shown to another.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from controlplane.cli import sockets
from controlplane.cli.api import contexts
from controlplane.cli.api.addresses import parsed
from controlplane.cli.api.contexts import Context
from controlplane.cli.api.durations import seconds_option
from controlplane.configapi.client import Server, Tls, connected
from controlplane.errors import AskError, IsthmusError
from controlplane.model.credentials import Secret
from controlplane.settings.load import load
from controlplane.sources import pem

DEFAULT_NAMESPACE: Final = "default"
"""The namespace of objects that say none, where the context says none either."""

_SETTINGS: Final = Path(".isthmus/config.yaml")
_REMEDY: Final = (
    "name one with --server (unix:/path or HOST:PORT), with --context or $ISTHMUS_CONTEXT, choose one with "
    "`isthmus config use-context`, or give --config the settings file of a control plane that has config.listen"
)
_file = click.Path(dir_okay=False, path_type=Path)


class ServerError(AskError):
    """No server can be called, for what the command line, a context or a settings file says; with the remedy."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Namespace:
    """The namespace that is meant; `given`: by -n, so that objects may not be in another."""

    name: str = DEFAULT_NAMESPACE
    given: bool = False


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line says about the server, and who calls it; "" and None: nothing."""

    server: str = ""
    context: str = ""
    config: Path | None = None
    namespace: str = ""
    token_file: Path | None = None
    certificate_authority: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    tls_server_name: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()
    uid: str = ""


def context_names(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """The contexts whose names begin so, for the shell; none when the file cannot be read."""
    try:
        known = contexts.load(contexts.place(os.environ, Path.home())).contexts
    except IsthmusError:
        return []
    return [context.name for context in known if context.name.startswith(typed)]


_OPTIONS: Final = (
    click.option("-s", "--server", default="", help="The server: unix:/path, HOST:PORT, or https://HOST:PORT."),
    click.option("--context", default="", shell_complete=context_names, help="The context to use."),
    click.option("--config", type=_file, help=f"A settings file with config.listen.  [default: {_SETTINGS}]"),
    click.option("-n", "--namespace", default="", help="The namespace.  [default: the context's, or default]"),
    click.option("--token-file", type=_file, help="A file with a bearer token to show."),
    click.option("--certificate-authority", type=_file, help="Who may have signed the server's certificate (PEM)."),
    click.option("--client-certificate", type=_file, help="A client certificate to show (PEM)."),
    click.option("--client-key", type=_file, help="The key of it (PEM)."),
    click.option("--tls-server-name", default="", help="The name that the server's certificate must have."),
    click.option("--as", "user", default="", help="Act as this user."),
    click.option("--as-group", "groups", multiple=True, help="Act as a member of this group; can be given again."),
    click.option("--as-uid", "uid", default="", help="Act as a user of this UID."),
    seconds_option(
        "--request-timeout",
        default="60s",
        text="How long an answer may take, besides what --wait waits; 0: without an end.",
    ),
)


def connects(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options that name a server, and hands it `client` and `namespace` instead of them."""

    @functools.wraps(command)
    def with_client(*, request_timeout: float, **given: Any) -> None:  # noqa: ANN401 -- the options of any command
        flags = Flags(**{name: given.pop(name) for name in Flags.__slots__})
        server, namespace = chosen(flags, os.environ, Path.home())
        with connected(server, timeout=request_timeout) as client:
            command(client=client, namespace=namespace, **given)

    for option in reversed(_OPTIONS):
        with_client = option(with_client)
    return with_client


def chosen(flags: Flags, environment: Mapping[str, str], home: Path) -> tuple[Server, Namespace]:
    """The server that is meant and as whom it is called, and the namespace.

    Raises:
        UsageError: when flags contradict one another.
        ServerError: when no server is named, or what is to be shown to it cannot be read.
        ContextError, SettingsError: when the contexts file or the settings file is wrong.
        StartError: when somebody else may be listening at the socket that a settings file names.
    """
    if (flags.groups or flags.uid) and not flags.user:
        raise click.UsageError("--as-group and --as-uid are of the user of --as; give that, too.")
    if sum(1 for named in (flags.server, flags.context, flags.config) if named) > 1:
        raise click.UsageError("--server, --context and --config each name a server; give one of them.")
    named = _named(flags, environment, home)
    context = named.model_copy(update=_overrides(flags))
    namespace = Namespace(flags.namespace or context.namespace or DEFAULT_NAMESPACE, given=bool(flags.namespace))
    return _server(context, flags), namespace


def _named(flags: Flags, environment: Mapping[str, str], home: Path) -> Context:
    if flags.server:
        try:
            parsed(flags.server)
        except ValueError as error:
            raise ServerError(f"error: --server: {error}") from error
        return Context(name="--server", server=flags.server)
    if flags.config is not None:
        return _of_settings(flags.config)
    place = contexts.place(environment, home)
    known = contexts.load(place)
    name = flags.context or environment.get("ISTHMUS_CONTEXT", "") or known.current
    if name:
        return known.named(name).anchored(place.parent.absolute())
    if _SETTINGS.exists():
        return _of_settings(_SETTINGS)
    raise ServerError(f"error: no server is named; {_REMEDY}")


def _of_settings(path: Path) -> Context:
    face = load(path).config
    if face is None:
        raise ServerError(f"error: {path} has no config.listen, so its control plane has no config API; {_REMEDY}")
    sockets.refuse_a_strangers(face.reached_at, path)
    scheme = "" if face.reached_at.path else "https://" if face.tls else "http://"
    return Context(name=str(path), server=f"{scheme}{face.reached_at}", tls_server_name=face.server_name)


def _overrides(flags: Flags) -> dict[str, object]:
    names = ("token_file", "certificate_authority", "client_certificate", "client_key", "tls_server_name")
    return {name: value for name in names if (value := getattr(flags, name))}


def _server(context: Context, flags: Flags) -> Server:
    address, encrypted = parsed(context.server)
    shown = context.certificate_authority or context.client_certificate or context.tls_server_name
    if shown and (address.path or context.server.startswith("http://")):
        raise ServerError(
            f"error: {context.server} is spoken to without encryption, and certificates are given; leave them out, or "
            f"write https://{address if not address.path else 'HOST:PORT'}"
        )
    token = None if context.token_file is None else _token(context.token_file)
    if token is not None and not encrypted and not address.loopback:
        # Nor does kubectl: whoever is on the way could read it.
        raise ServerError(
            f"error: {context.server} is spoken to without encryption, and a token is given; leave it out, or write "
            f"https://{address}"
        )
    tls = _tls(context) if encrypted or shown else None
    return Server(f"unix:{address.path}" if address.path else str(address), tls, token, _impersonation(flags))


def _tls(context: Context) -> Tls:
    ca = None if context.certificate_authority is None else _certificates(context.certificate_authority)
    if context.client_certificate is None or context.client_key is None:
        if context.client_certificate is not context.client_key:
            raise ServerError("error: --client-certificate and --client-key belong together; give both")
        return Tls(ca, server_name=context.tls_server_name or None)
    certificate, key = _certificates(context.client_certificate), _content(context.client_key)
    if wrong := pem.wrong_with_key(key, certificate):
        raise ServerError(f"error: {context.client_key} {wrong}; give the key of {context.client_certificate}")
    return Tls(ca, certificate, Secret(key), context.tls_server_name or None)


def _certificates(path: Path) -> bytes:
    content = _content(path)
    if wrong := pem.wrong_with_certificates(content):
        raise ServerError(f"error: {path} {wrong}; give a file of PEM certificates")
    return content


def _token(path: Path) -> Secret:
    token = _content(path).strip()
    if not token or not token.isascii() or not token.decode().isprintable():
        raise ServerError(f"error: {path} holds no bearer token; put one there, and nothing else")
    return Secret(token)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ServerError(f"error: {path} cannot be read ({error.strerror}); name another file") from error


def _impersonation(flags: Flags) -> tuple[tuple[str, str], ...]:
    wanted = [("user", flags.user), ("uid", flags.uid), *(("group", group) for group in flags.groups)]
    for name, value in wanted:
        if not value.isascii() or (value and not value.isprintable()):
            raise ServerError(f"error: the {name} {value!r} to act as cannot be sent; it must be of ASCII characters")
    return tuple((f"impersonate-{name}", value) for name, value in wanted if value)
