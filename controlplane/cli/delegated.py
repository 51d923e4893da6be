"""Whom a cluster believes, for a sidecar that is to believe the same: what every aggregated API server asks.

In: a kubeconfig. Out: files of authorities in a folder, and settings that name them and have the cluster asked about
tokens and rights. Law: the authorities in the files follow the cluster's; for other names or headers it starts anew.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import structlog

from controlplane.cli import files
from controlplane.errors import StartError

# kube-apiserver writes there what its own --client-ca-file and --requestheader-* say.
_PATH: Final = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
_ROLE: Final = "the Role extension-apiserver-authentication-reader in kube-system allows it"
_LISTS: Final = {
    "requestheader-allowed-names": "allowedNames",
    "requestheader-username-headers": "usernameHeaders",
    "requestheader-uid-headers": "uidHeaders",
    "requestheader-group-headers": "groupHeaders",
    "requestheader-extra-headers-prefix": "extraHeadersPrefix",
}
_CLIENT_CA: Final = "client-ca-file"
_FRONT_PROXY_CA: Final = "requestheader-client-ca-file"
_PAUSE_SECONDS: Final = 60.0
_FIRST_ATTEMPTS: Final = 10
_FIRST_PAUSE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Believed:
    """Whom the cluster believes: authorities (PEM, "" for none), and which names and headers front proxies have."""

    users: str
    front_proxies: str
    headers: Mapping[str, tuple[str, ...]]


class Cluster:
    """One cluster, as `kubeconfig` reaches it; authorities go to files in `folder`."""

    def __init__(
        self,
        kubeconfig: Path,
        folder: Path,
        *,
        ask: Callable[[str], Awaitable[dict[str, object] | str]],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        """`ask` gets the JSON object at a path of the cluster's API, or says why not; `pause` waits for seconds."""
        self._kubeconfig = kubeconfig
        self._folder = folder
        self._get = ask
        self._pause = pause
        self._believed = Believed("", "", {})

    async def begin(self) -> None:
        """Asks whom the cluster believes and writes the files.

        Raises:
            StartError: when it does not say, after some attempts.
        """
        said: Believed | str = ""
        for _ in range(_FIRST_ATTEMPTS):
            said = await self._ask()
            if isinstance(said, Believed):
                self._write(said)
                return
            await self._pause(_FIRST_PAUSE_SECONDS)
        raise StartError(f"{self._kubeconfig}: the cluster does not say whom it believes: {said}; {_ROLE}")

    def settings(self) -> dict[str, Any]:
        """The sections that make a sidecar believe whom the cluster believes, and allow what it allows."""
        webhook = {"kubeconfig": str(self._kubeconfig), "kubernetesAPI": True}
        authentication: dict[str, Any] = {"webhook": webhook}
        document = {"authentication": authentication, "authorizers": {"modes": ["Webhook"], "webhook": webhook}}
        if self._believed.front_proxies:
            lists = {name: list(value) for name, value in self._believed.headers.items()}
            authentication["requestHeader"] = {"clientCAFile": str(self._file(_FRONT_PROXY_CA)), **lists}
        if self._believed.users:
            document["frontDoor"] = {"clientCAFile": str(self._file(_CLIENT_CA))}
        return document

    async def follow(self) -> NoReturn:
        """Asks again every minute and writes the files anew when the authorities are others.

        Raises:
            StartError: when something has changed that only a start takes over.
        """
        log = structlog.get_logger("isthmus")
        failed = False
        while True:
            await self._pause(_PAUSE_SECONDS)
            said = await self._ask()
            if isinstance(said, str):
                if not failed:
                    log.warning("the cluster does not say whom it believes; what it said before holds", reason=said)
                failed = True
                continue
            failed = False
            if said == self._believed:
                continue
            before = self._believed
            if (
                said.headers != before.headers
                or bool(said.users) != bool(before.users)
                or (bool(said.front_proxies) != bool(before.front_proxies))
            ):
                raise StartError("the cluster believes front proxies by other names or headers now; start again")
            self._write(said)
            log.info("the cluster believes other authorities")

    async def _ask(self) -> Believed | str:
        found = await self._get(_PATH)
        return found if isinstance(found, str) else _read(found.get("data"))

    def _write(self, said: Believed) -> None:
        for name, pem in ((_CLIENT_CA, said.users), (_FRONT_PROXY_CA, said.front_proxies)):
            if pem:
                files.write(self._file(name), pem.encode())
        self._believed = said

    def _file(self, name: str) -> Path:
        return self._folder / f"cluster-{name.removesuffix('-file')}.crt"


def _read(data: object) -> Believed | str:
    if not isinstance(data, dict) or not any(data.get(name) for name in (_CLIENT_CA, _FRONT_PROXY_CA)):
        return "the ConfigMap extension-apiserver-authentication names no authority"
    headers: dict[str, tuple[str, ...]] = {}
    for key, setting in _LISTS.items():
        try:
            values = json.loads(data.get(key) or "[]")
        except ValueError:
            return f"{key} in the ConfigMap extension-apiserver-authentication is no JSON"
        if not isinstance(values, list):
            return f"{key} in the ConfigMap extension-apiserver-authentication is no list"
        if values:
            headers[setting] = tuple(str(value) for value in values)
    return Believed(str(data.get(_CLIENT_CA) or ""), str(data.get(_FRONT_PROXY_CA) or ""), headers)
