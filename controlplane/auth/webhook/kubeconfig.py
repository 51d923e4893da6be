"""Whom to ask and how to be believed there: a kubeconfig's current context, or a pod's service account.

In: the text of a kubeconfig and what reads the files it names. Out: a `Connection`, or a SettingsError. Law: what a
kubeconfig can say and nothing here does is refused, never passed over; no secret is in a text.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import yaml

from controlplane.egress.proxying import Proxy, named
from controlplane.errors import SettingsError
from controlplane.model.credentials import KeyPair, Secret

Reader: TypeAlias = Callable[[Path], bytes]
"""Reads a whole file; OSError when it cannot."""

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_LINE: Final = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]*")
_REFUSED_USER: Final = {
    "exec": "runs a program, which nothing here does; write a token, a tokenFile or a client certificate",
    "auth-provider": "is a plug-in, and there are none; write a token, a tokenFile or a client certificate",
    "as": "impersonates, which nobody does who is asked about others; remove it",
    "as-uid": "impersonates, which nobody does who is asked about others; remove it",
    "as-groups": "impersonates, which nobody does who is asked about others; remove it",
    "as-user-extra": "impersonates, which nobody does who is asked about others; remove it",
}


@dataclass(frozen=True, slots=True)
class Connection:
    """A server to POST reviews to, and what it is shown.

    `url` is https and used as it is. `roots` (PEM) verify its certificate: b"" means the operating system's, None that
    whoever answers is believed. `server_name` is the name in that certificate, "" for the URL's host. `authorization`
    is the value of that header; the token in `token_file` comes before it, and is read again as it is replaced. `proxy`
    is the way there; None: the one that the environment names, if any.
    """

    url: str
    roots: bytes | None = b""
    server_name: str = ""
    client: KeyPair | None = None
    authorization: Secret | None = None
    token_file: Path | None = None
    proxy: Proxy | None = None


def read_kubeconfig(text: str, path: Path, read: Reader) -> Connection:
    """The connection that the current context of the kubeconfig `text` describes; `read` reads the files it names.

    A relative file name is taken from the folder of `path`.

    Raises:
        SettingsError: when it is no kubeconfig, is incomplete, names a file that cannot be read, or wants what is not
            done here (exec plug-ins, auth providers, impersonation, plain HTTP).
    """
    return _Kubeconfig(text, path, read).connection()


def in_cluster(environment: Mapping[str, str], read: Reader) -> Connection:
    """The kube-apiserver of the pod this runs in, by its service account; the environment names host and port.

    Raises:
        SettingsError: when this does not run in a pod.
    """
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    port = environment.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port:
        raise SettingsError(
            "InClusterConfig: unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and "
            "KUBERNETES_SERVICE_PORT must be defined; run in a pod, or use a kubeconfig file"
        )
    try:
        roots = read(SERVICE_ACCOUNT / "ca.crt")
    except OSError as error:
        raise SettingsError(
            f"InClusterConfig: {SERVICE_ACCOUNT / 'ca.crt'} cannot be read ({error.strerror}); mount the pod's service "
            "account token, or use a kubeconfig file"
        ) from error
    place = f"[{host}]" if ":" in host else host
    return Connection(f"https://{place}:{port}", roots, token_file=SERVICE_ACCOUNT / "token")


@dataclass(frozen=True, slots=True)
class _Kubeconfig:
    text: str = field(repr=False)
    path: Path
    read: Reader

    def connection(self) -> Connection:
        document = self._document()
        name = document.get("current-context")
        if not name:
            raise self._wrong("current-context is not set; name the context to use")
        context = self._named(document, "contexts", "context", name)
        cluster = self._named(document, "clusters", "cluster", context.get("cluster"))
        user = self._named(document, "users", "user", context["user"]) if context.get("user") else {}
        self._refuse(user)
        token_file = self._text(user, "tokenFile", "user")
        return Connection(
            url=self._url(self._text(cluster, "server", "cluster")),
            roots=self._roots(cluster),
            server_name=self._text(cluster, "tls-server-name", "cluster"),
            client=self._client(user),
            authorization=self._authorization(user),
            token_file=self.path.parent / token_file if token_file else None,
            proxy=self._proxy(cluster),
        )

    def _document(self) -> Mapping[str, Any]:
        try:
            document = yaml.safe_load(self.text)
        # A date that there is none and too many digits are ValueErrors, endless brackets a RecursionError.
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            # The problem's own text would show the line, and a token may be in it.
            mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
            place = f" (line {mark.line + 1})" if mark is not None else ""
            raise self._wrong(f"is not YAML{place}; mend the file") from None
        if not isinstance(document, Mapping):
            raise self._wrong("is no kubeconfig; write clusters, users, contexts and current-context")
        return document

    def _named(self, document: Mapping[str, Any], kind: str, part: str, name: object) -> Mapping[str, Any]:
        entries = document.get(kind)
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, Mapping) and entry.get("name") == name:
                value = entry.get(part)
                return value if isinstance(value, Mapping) else {}
        raise self._wrong(f"{kind} has no entry {name!r}; add it, or name one that is there")

    def _refuse(self, user: Mapping[str, Any]) -> None:
        for key, reason in _REFUSED_USER.items():
            if user.get(key):
                raise self._wrong(f"user.{key} {reason}")

    def _url(self, url: str) -> str:
        if not url:
            raise self._wrong("cluster.server is not set; write https://HOST:PORT/PATH")
        try:
            parts = urlsplit(url)
            complete = parts.scheme == "https" and parts.hostname and parts.port != 0
        except ValueError:
            complete = False
        if not complete or parts.username is not None or parts.fragment:
            # A URL may hold a password.
            raise self._wrong("cluster.server is no URL of a server with TLS; write https://HOST:PORT/PATH")
        return url

    def _proxy(self, cluster: Mapping[str, Any]) -> Proxy | None:
        url = self._text(cluster, "proxy-url", "cluster")
        proxy = named(url) if url else None
        if isinstance(proxy, str):
            raise self._wrong(f"cluster.proxy-url {proxy}")
        return proxy

    def _roots(self, cluster: Mapping[str, Any]) -> bytes | None:
        roots = self._bytes(cluster, "certificate-authority", "cluster")
        insecure = cluster.get("insecure-skip-tls-verify", False)
        if not isinstance(insecure, bool):
            raise self._wrong("cluster.insecure-skip-tls-verify is neither true nor false; write one of them")
        if insecure and roots is not None:
            raise self._wrong(
                "cluster.insecure-skip-tls-verify and cluster.certificate-authority are both set; keep one of them"
            )
        return None if insecure else roots or b""

    def _client(self, user: Mapping[str, Any]) -> KeyPair | None:
        chain = self._bytes(user, "client-certificate", "user")
        key = self._bytes(user, "client-key", "user")
        if (chain is None) != (key is None):
            missing = "client-key" if key is None else "client-certificate"
            raise self._wrong(f"user.{missing} is not set and its other half is; set both or neither")
        return KeyPair(chain, Secret(key)) if chain is not None and key is not None else None

    def _authorization(self, user: Mapping[str, Any]) -> Secret | None:
        token = self._text(user, "token", "user")
        name, password = self._text(user, "username", "user"), self._text(user, "password", "user")
        if (token or user.get("tokenFile")) and name:
            raise self._wrong("username/password or bearer token may be set, but not both; remove one from the user")
        if token:
            return Secret(f"Bearer {token}".encode())
        return Secret(b"Basic " + base64.b64encode(f"{name}:{password}".encode())) if name else None

    def _bytes(self, values: Mapping[str, Any], key: str, part: str) -> bytes | None:
        data = self._text(values, f"{key}-data", part)
        name = self._text(values, key, part)
        if data and name:
            raise self._wrong(f"{part}.{key}-data and {part}.{key} are both specified; keep one of them")
        if data:
            try:
                return base64.b64decode("".join(data.split()), validate=True)
            except (binascii.Error, ValueError):
                raise self._wrong(f"{part}.{key}-data is not base64; encode the PEM file with base64") from None
        if not name:
            return None
        file = self.path.parent / name
        try:
            return self.read(file)
        except OSError as error:
            raise self._wrong(f"{part}.{key} is {file}, which cannot be read ({error.strerror}); mend it") from error

    def _text(self, values: Mapping[str, Any], key: str, part: str) -> str:
        value = values.get(key)
        if value is None:
            return ""
        if not isinstance(value, str) or (not key.endswith("-data") and _LINE.fullmatch(value) is None):
            raise self._wrong(f"{part}.{key} is not one line of text; write it in quotes on one line")
        return value

    def _wrong(self, what: str) -> SettingsError:
        return SettingsError(f"{self.path}: {what}")
