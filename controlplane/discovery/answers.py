"""The bodies of every discovery answer for one state of the world.

In: the registered APIs and what was fetched. Out: `Page`s, made when first asked for. Law: equal inputs give equal
bytes, so that replicas agree on every ETag.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import orjson

from controlplane import __version__
from controlplane.discovery import openapi
from controlplane.discovery.documents import CoreDocument, Documents, GroupDiscovery
from controlplane.discovery.merge import Merged, merge, untried
from controlplane.discovery.negotiate import AGGREGATED_CONTENT_TYPE, accepts_json, asks_for_aggregated
from controlplane.discovery.status import Refusal
from controlplane.model.apiservice import GroupVersion
from controlplane.model.topology import Api

_JSON: Final = "application/json"

# What kubectl compares itself with is the Kubernetes release whose behaviour is kept, not Isthmus' own.
_MAJOR: Final = "1"
_MINOR: Final = "36"

_NOT_FOUND: Final = Refusal(404, "NotFound", "the server could not find the requested resource")
_NOT_ACCEPTABLE: Final = Refusal(406, "NotAcceptable", "only the following media types are accepted: application/json")
_NO_CORE: Final = Refusal(
    503, "ServiceUnavailable", "the core API server has not said yet what it serves, please try again", retry_after=5
)


@dataclass(frozen=True)
class Page:
    """One answer; `tagged` ones are sent with an ETag."""

    body: bytes
    content_type: str = _JSON
    tagged: bool = False

    @cached_property
    def etag(self) -> str:
        """The strong ETag: the upper-case hex SHA-512 of the body, quoted."""
        return f'"{hashlib.sha512(self.body).hexdigest().upper()}"'

    @cached_property
    def compressed(self) -> bytes:
        """The body in gzip; without a time stamp, so that equal bodies stay equal."""
        return gzip.compress(self.body, compresslevel=1, mtime=0)


class Answers:
    """All pages for one set of registrations and one set of documents."""

    def __init__(self, apis: Mapping[GroupVersion, Api], documents: Documents, *, with_core: bool) -> None:
        self.documents = documents
        self._apis = apis
        self._with_core = with_core
        self._core = (documents.core if with_core else None) or CoreDocument()

    def made_of(self, apis: Mapping[GroupVersion, Api], documents: Documents, *, with_core: bool) -> bool:
        """True when these are the answers for just these objects."""
        return self._apis is apis and self.documents is documents and self._with_core is with_core

    @cached_property
    def complete(self) -> bool:
        """False while it is not known what the core serves: a list without its groups would be a lie."""
        return self._core.reached or not self._with_core

    @cached_property
    def untried(self) -> bool:
        """True while a server that belongs in the answers has not been asked even once."""
        return (self._with_core and self.documents.core is None) or untried(self._apis, self.documents)

    @cached_property
    def api(self) -> Page:
        """APIVersions. No address is advised: the core's own would lead around the front door."""
        versions = [item.version for item in self._merged.api]
        return _page({"kind": "APIVersions", "versions": versions, "serverAddressByClientCIDRs": []})

    @cached_property
    def api_aggregated(self) -> Page:
        """The legacy core group as aggregated discovery lists it; no group where there is no version."""
        versions = self._merged.api
        return _aggregated([GroupDiscovery("", versions)] if versions else [])

    @cached_property
    def apis(self) -> Page:
        """APIGroupList."""
        groups = [_group(name, versions) for name, versions in self._merged.legacy]
        return _page({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})

    @cached_property
    def apis_aggregated(self) -> Page:
        """APIGroupDiscoveryList."""
        return _aggregated(self._merged.aggregated)

    def group(self, name: str) -> Page | None:
        """APIGroup; None when there is no such group."""
        versions = self._groups.get(name)
        return _page({"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)}) if versions else None

    @cached_property
    def openapi(self) -> Page:
        """The index of OpenAPI v3 documents."""
        index = openapi.merged_index(self._apis, self.documents, self._core)
        return _page({"paths": {path: {"serverRelativeURL": url} for path, url in index.items()}}, tagged=True)

    @cached_property
    def version(self) -> Page:
        """The core's version, or our own where there is none."""
        return Page(self._core.version) if self._core.version else _page(_own_version())

    @cached_property
    def root(self) -> Page:
        """The paths there are."""
        paths = {"/api", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"}
        paths.update(f"/api/{item.version}" for item in self._merged.api)
        for name, versions in self._merged.legacy:
            paths.add(f"/apis/{name}")
            paths.update(f"/apis/{name}/{version}" for version in versions)
        return _page({"paths": sorted(paths)})

    @cached_property
    def _merged(self) -> Merged:
        return merge(self._apis, self.documents, self._core)

    @cached_property
    def _groups(self) -> dict[str, tuple[str, ...]]:
        return dict(self._merged.legacy)


def respond(answers: Answers, path: str, accept: str) -> Page | Refusal:
    """The answer to a request for `path` (as it was sent, without its query) with an Accept header ("" for none)."""
    if not answers.complete:
        return _NO_CORE
    legacy_only: Page | None
    match path.split("/")[1:]:
        case [""]:
            return answers.root
        case ["version"]:
            return answers.version
        case ["openapi", "v3"]:
            return answers.openapi
        case ["api" | "apis" as name]:
            if asks_for_aggregated(accept):
                return answers.api_aggregated if name == "api" else answers.apis_aggregated
            legacy_only = answers.api if name == "api" else answers.apis
        case ["api", ""]:
            legacy_only = answers.api
        case ["apis", ""]:
            legacy_only = answers.apis
        case ["apis", group] | ["apis", group, ""]:
            legacy_only = answers.group(group)
        case _:
            return _NOT_FOUND
    if legacy_only is None:
        return _NOT_FOUND
    return legacy_only if accepts_json(accept) else _NOT_ACCEPTABLE


def _page(document: Mapping[str, object], *, tagged: bool = False) -> Page:
    return Page(orjson.dumps(document), tagged=tagged)


def _group(name: str, versions: Sequence[str]) -> dict[str, object]:
    found = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": found, "preferredVersion": found[0]}


def _aggregated(groups: Iterable[GroupDiscovery]) -> Page:
    items = [
        {
            "metadata": {"name": group.name},
            "versions": [orjson.Fragment(item.body) for item in group.versions],
        }
        for group in groups
    ]
    document = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}
    return Page(orjson.dumps(document), AGGREGATED_CONTENT_TYPE, tagged=True)


def _own_version() -> dict[str, str]:
    unknown = dict.fromkeys(("gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform"), "")
    git_version = f"v{_MAJOR}.{_MINOR}.0+isthmus.{__version__}"
    return {"major": _MAJOR, "minor": _MINOR, "gitVersion": git_version, **unknown}
