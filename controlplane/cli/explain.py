"""`isthmus explain`: what becomes of one request, and why.

In: a request and who makes it; a settings file, and a running control plane. Out: text, JSON or YAML, and an exit code.
Law: no credential is in an argument or in the output; the text is for people and may change, the rest is the
ExplainService's response and changes only as that does.

Exit codes: 0 when the request is allowed and sent to a server, 1 when the front door answers it by itself, 2 when there
is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import click

from controlplane.admin.client import explain
from controlplane.admin.proxies import as_json
from controlplane.api.v1 import explain_pb2
from controlplane.cli.asking import admin_face, as_yaml, config_option
from controlplane.cli.explained import text
from controlplane.errors import AskError, IsthmusError, SettingsError

_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_IMPERSONATE: Final = "Impersonate-"
# A client may write any key; what a header's name cannot hold is percent-encoded, as client-go does.
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9!#$&'*+\-.^_`|~]")

_file = click.Path(path_type=Path)


@click.command("explain")
@click.argument("method", type=str.upper)
@click.argument("path")
@config_option
@click.option("--as", "user", help="Who asks: this user, by no credential in particular.")
@click.option("--as-group", "groups", multiple=True, help="A group of that user; may be repeated.")
@click.option("--as-uid", "uid", default="", help="The UID of that user.")
@click.option("--as-extra", "extra", multiple=True, metavar="KEY=VALUE", help="An extra of that user; may be repeated.")
@click.option("--token-file", type=_file, help="Who asks: whose bearer token is in this file.")
@click.option("--cert", type=_file, help="Who asks: whose client certificate is in this file (PEM, no key needed).")
@click.option("--impersonate", "other", help="The user that the request impersonates.")
@click.option("--impersonate-group", "other_groups", multiple=True, help="A group it impersonates; may be repeated.")
@click.option("--impersonate-uid", "other_uid", help="The UID it impersonates.")
@click.option(
    "--impersonate-extra",
    "other_extra",
    multiple=True,
    metavar="KEY=VALUE",
    help="An extra it impersonates; may be repeated.",
)
@click.option(
    "--header",
    "-H",
    "lines",
    multiple=True,
    metavar="NAME:VALUE",
    help="A header in which a front proxy (--cert) says who asks, such as 'X-Remote-User: alice'; may be repeated.",
)
@click.option("--upgrade", help="The protocol that it asks to change to, such as websocket or SPDY/3.1.")
@click.option("--group", help="The node group of the Envoy it comes to, where there are node groups.")
@click.option("-o", "--output", type=click.Choice(["text", "json", "yaml"]), default="text", show_default=True)
@click.pass_context
def command(
    ctx: click.Context,
    *,
    method: str,
    path: str,
    config: Path,
    user: str | None,
    groups: tuple[str, ...],
    uid: str,
    extra: tuple[str, ...],
    token_file: Path | None,
    cert: Path | None,
    other: str | None,
    other_groups: tuple[str, ...],
    other_uid: str | None,
    other_extra: tuple[str, ...],
    lines: tuple[str, ...],
    upgrade: str | None,
    group: str | None,
    output: Literal["text", "json", "yaml"],
) -> None:
    """Explain what becomes of a request: who asks, whether it is allowed, by which rule, and where it goes.

    METHOD and PATH are those of the HTTP request, such as GET '/apis/example.com/v1/things?watch=1'. Nothing is sent to
    any server. Without --as, --token-file and --cert the request is anonymous.

    The exit code is 0 when the request is allowed and sent to a server, 1 when it is not, and 2 when there is no
    answer.
    """
    if sum(given is not None for given in (user, token_file, cert)) > 1:
        raise click.UsageError("--as, --token-file and --cert say who asks; give one of them.")
    if user is None and (groups or uid or extra):
        raise click.UsageError("--as-group, --as-uid and --as-extra are of the user of --as; give that, too.")
    try:
        request = explain_pb2.ExplainRequest(method=method, target=path, node_group=group)
        if user is not None:
            request.user.CopyFrom(_user(user, uid, groups, extra))
        elif token_file is not None:
            request.bearer_token = _token(token_file)
        elif cert is not None:
            request.client_certificate = _certificates(cert)
        wanted = [("User", other), ("Uid", other_uid), *(("Group", each) for each in other_groups)]
        wanted += [(f"Extra-{_name(key)}", value) for key, value in _pairs("--impersonate-extra", other_extra)]
        headers = [(f"{_IMPERSONATE}{name}", value) for name, value in wanted if value is not None]
        headers += _headers(lines)
        if upgrade is not None:
            headers += [("Connection", "Upgrade"), ("Upgrade", upgrade)]
        for name, value in headers:
            request.headers.add(name=name, value=value)
        response = explain(admin_face(config), request)
    except IsthmusError as error:
        raise AskError(str(error)) from error
    except UnicodeEncodeError as error:
        raise AskError("an argument is not UTF-8; percent-encode it in a path, and write names as text") from error
    click.echo(_RENDERERS[output](response))
    ctx.exit(0 if response.served else 1)


def _user(name: str, uid: str, groups: tuple[str, ...], extra: tuple[str, ...]) -> explain_pb2.User:
    values: dict[str, list[str]] = {}
    for key, value in _pairs("--as-extra", extra):
        values.setdefault(key, []).append(value)
    return explain_pb2.User(
        name=name,
        uid=uid,
        groups=groups,
        extra=[explain_pb2.User.Extra(key=key, values=each) for key, each in values.items()],
    )


def _pairs(option: str, texts: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for each in texts:
        key, equals, value = each.partition("=")
        if not equals or not key:
            raise click.UsageError(f"{option} {each!r} is not KEY=VALUE.")
        yield key, value


def _headers(lines: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            # The line may hold a credential.
            raise click.UsageError("--header is not NAME:VALUE, such as 'X-Remote-User: alice'.")
        yield name.strip(), value.strip()


def _name(key: str) -> str:
    return _NOT_IN_NAMES.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), key)


def _token(file: Path) -> str:
    token = _text("--token-file", file).strip()
    if not token:
        raise SettingsError(f"--token-file: {file} is empty; put a bearer token there")
    return token


def _certificates(file: Path) -> str:
    # A private key that is in the same file stays here.
    found = _CERTIFICATE.findall(_text("--cert", file))
    if not found:
        raise SettingsError(f"--cert: {file} holds no certificate; give one in PEM (-----BEGIN CERTIFICATE-----)")
    return "".join(f"{certificate}\n" for certificate in found)


def _text(option: str, file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingsError(f"{option}: {file} cannot be read ({reason}); name another file") from error


_RENDERERS: Final[MappingProxyType[str, Callable[[explain_pb2.ExplainResponse], str]]] = MappingProxyType(
    {"text": text, "json": as_json, "yaml": as_yaml}
)
