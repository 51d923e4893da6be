"""The index of OpenAPI v3 documents: /openapi/v3.

In: each server's own index. Out: one index. Law: every URL in it leads, on the front door, to the server that answers
for that path: a registered remote group-version's document is asked of its backend and of nobody else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from controlplane.discovery.documents import CoreDocument, Documents
from controlplane.model.apiservice import GroupVersion
from controlplane.model.topology import Api

_ROOT: Final = "/openapi/v3/"

# kube-apiserver writes hash=<hex SHA-512>; other servers may use any token that needs no further quoting.
_HASH: Final = re.compile(r"hash=[A-Za-z0-9._~%+=-]+")


def own_documents(index: Mapping[str, str], wanted: Iterable[GroupVersion]) -> Mapping[GroupVersion, str]:
    """The server-relative URLs of the wanted group-versions' documents in one backend's index.

    A URL on any path but /openapi/v3/apis/<group>/<version> is left out: the front door would route it elsewhere.
    Any query but a hash is dropped.
    """
    found: dict[GroupVersion, str] = {}
    for group_version in wanted:
        path = group_version.path.removeprefix("/")
        url = index.get(path)
        if url is None:
            continue
        try:
            parts = urlsplit(url)
        except ValueError:
            continue
        if (parts.scheme, parts.netloc, parts.path) == ("", "", _ROOT + path):
            query = f"?{parts.query}" if _HASH.fullmatch(parts.query) else ""
            found[group_version] = parts.path + query
    return MappingProxyType(found)


def merged_index(apis: Mapping[GroupVersion, Api], documents: Documents, core: CoreDocument) -> dict[str, str]:
    """The server-relative URL of every path, sorted by path."""
    merged = dict(core.openapi)
    for group_version, api in apis.items():
        if api.service.service is None:
            continue
        path = group_version.path.removeprefix("/")
        merged.pop(path, None)
        document = documents.backends.get(api.backend) if api.backend else None
        url = document.openapi.get(group_version) if document else None
        if url is not None:
            merged[path] = url
    return dict(sorted(merged.items()))
