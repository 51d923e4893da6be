"""The conversation that learns what a server serves, as kube-aggregator's discovery manager leads it.

In: a way to GET from one server, and what it said before. Out: its new document. Law: never raises; whatever cannot be
had or read leaves its group-versions stale, with the reason, and touches no other server's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

import orjson

from controlplane.discovery.client import Reply, Unreachable
from controlplane.discovery.decode import (
    all_stale,
    read_aggregated,
    read_group_versions,
    read_openapi_index,
    read_resource_list,
    stale,
    without_resources,
)
from controlplane.discovery.documents import (
    BackendDocument,
    CoreDocument,
    GroupDiscovery,
    GroupList,
    VersionDiscovery,
)
from controlplane.discovery.negotiate import AGGREGATED_CONTENT_TYPE, is_aggregated
from controlplane.discovery.openapi import own_documents
from controlplane.model.apiservice import GroupVersion

# Servers that know neither aggregated form answer in the legacy one instead of refusing.
_ACCEPT: Final = ",".join(
    (AGGREGATED_CONTENT_TYPE, AGGREGATED_CONTENT_TYPE.replace("v=v2", "v=v2beta1"), "application/json")
)
_JSON: Final = "application/json"


class Get(Protocol):
    """A GET from one server; `etag` is sent as If-None-Match."""

    async def __call__(self, path: str, *, accept: str, etag: str = "") -> Reply | Unreachable:
        """The answer, or why there is none; never raises."""


async def backend_discovery(get: Get, wanted: frozenset[GroupVersion], before: BackendDocument) -> BackendDocument:
    """Asks a backend for the group-versions registered with it; `before` is what it said last.

    One request for aggregated discovery; where that is not to be had, and for the legacy core group, which /apis does
    not list, one for each group-version. What it said about OpenAPI is kept as it was.
    """
    named = frozenset(key for key in wanted if key.group)
    found, failure, etag = await _named(get, named, before) if named else ({}, "", "")
    if named != wanted:
        unnamed, failed = await _each(get, wanted - named)
        found, failure = {**found, **unnamed}, failure or failed
    return replace(before, versions=MappingProxyType(found), etag=etag, failure=failure)


async def backend_openapi(get: Get, wanted: frozenset[GroupVersion], before: BackendDocument) -> BackendDocument:
    """Asks a backend for its OpenAPI v3 index; where there is none to be had, what it said before stays."""
    index = await _openapi(get)
    if index is None:
        kept = {key: url for key, url in before.openapi.items() if key in wanted}
        return replace(before, openapi=MappingProxyType(kept))
    return replace(before, openapi=own_documents(index, wanted))


async def core_document(get: Get, before: CoreDocument) -> CoreDocument:
    """Asks the core API server for everything; when it cannot be had, what it served before is listed as stale."""
    (api, api_failure), (apis, apis_failure), version, index = await asyncio.gather(
        _group_list(get, "/api", before.api), _group_list(get, "/apis", before.apis), _version(get), _openapi(get)
    )
    return CoreDocument(
        reached=before.reached or not (api_failure or apis_failure),
        api=api,
        apis=apis,
        version=before.version if version is None else version,
        openapi=before.openapi if index is None else index,
        failure=apis_failure or api_failure,
    )


_Found: TypeAlias = dict[GroupVersion, VersionDiscovery]


async def _named(get: Get, wanted: frozenset[GroupVersion], before: BackendDocument) -> tuple[_Found, str, str]:
    """What /apis has to say: the versions, the failure, the ETag."""
    # The document behind an ETag was cut down to what was wanted then, so a 304 helps only who wants no more now.
    etag = before.etag if wanted <= before.versions.keys() else ""
    reply = await get("/apis", accept=_ACCEPT, etag=etag)
    if isinstance(reply, Unreachable) or reply.status == 503:
        return _stale(wanted), _reason("/apis", reply), ""
    if reply.status == 304 and etag:
        return {key: before.versions[key] for key in wanted}, "", etag
    if _is_aggregated(reply):
        return _aggregated(reply, wanted)
    return *await _each(get, wanted), ""


def _aggregated(reply: Reply, wanted: Iterable[GroupVersion]) -> tuple[_Found, str, str]:
    try:
        groups = read_aggregated(reply.body)
    except ValueError as error:
        return _stale(wanted), _unreadable("/apis", error), ""
    listed = {GroupVersion(group.name, item.version): item for group in groups for item in group.versions}
    return {key: listed.get(key) or without_resources(key.version) for key in wanted}, "", reply.etag


async def _each(get: Get, wanted: Iterable[GroupVersion]) -> tuple[_Found, str]:
    """Legacy discovery, one request a group-version; the reason is that of the first that failed."""
    order = sorted(wanted)
    answers = await asyncio.gather(*(_legacy(get, key) for key in order))
    failures = [failure for _, failure in answers if failure]
    return {key: version for key, (version, _) in zip(order, answers, strict=True)}, failures[0] if failures else ""


async def _legacy(get: Get, key: GroupVersion) -> tuple[VersionDiscovery, str]:
    reply = await get(key.path, accept=_JSON)
    if isinstance(reply, Unreachable) or reply.status != 200:
        return stale(key.version), _reason(key.path, reply)
    try:
        return read_resource_list(reply.body, key.version), ""
    except ValueError as error:
        return stale(key.version), _unreadable(key.path, error)


async def _group_list(get: Get, path: str, before: GroupList) -> tuple[GroupList, str]:
    reply = await get(path, accept=_ACCEPT, etag=before.etag)
    if isinstance(reply, Reply):
        if reply.status == 304 and before.etag:
            return before, ""
        if reply.status == 404 and path == "/api":
            return GroupList(), ""
        if reply.status == 200:
            try:
                if _is_aggregated(reply):
                    return GroupList(read_aggregated(reply.body), reply.etag), ""
                return await _legacy_list(get, read_group_versions(reply.body))
            except ValueError as error:
                return GroupList(all_stale(before.groups)), _unreadable(path, error)
    return GroupList(all_stale(before.groups)), _reason(path, reply)


async def _legacy_list(get: Get, listed: Iterable[GroupVersion]) -> tuple[GroupList, str]:
    order = tuple(listed)
    found, _ = await _each(get, order)
    groups: dict[str, list[VersionDiscovery]] = {}
    for key in order:
        groups.setdefault(key.group, []).append(found[key])
    # Which groups there are is known, so one that cannot be asked is stale and the list is whole all the same.
    return GroupList(tuple(GroupDiscovery(name, tuple(versions)) for name, versions in groups.items())), ""


async def _version(get: Get) -> bytes | None:
    """The body of /version; empty when the server has none, None when it could not be had."""
    reply = await get("/version", accept=_JSON)
    if isinstance(reply, Unreachable) or reply.status not in {200, 404}:
        return None
    try:
        return reply.body if reply.status == 200 and isinstance(orjson.loads(reply.body), dict) else b""
    except orjson.JSONDecodeError:
        return None


async def _openapi(get: Get) -> Mapping[str, str] | None:
    reply = await get("/openapi/v3", accept=_JSON)
    if isinstance(reply, Unreachable) or reply.status not in {200, 404}:
        return None
    try:
        return read_openapi_index(reply.body) if reply.status == 200 else MappingProxyType({})
    except ValueError:
        return None


def _is_aggregated(reply: Reply) -> bool:
    return reply.status == 200 and is_aggregated(reply.content_type)


def _stale(wanted: Iterable[GroupVersion]) -> _Found:
    return {key: stale(key.version) for key in wanted}


def _reason(path: str, reply: Reply | Unreachable) -> str:
    return reply.reason if isinstance(reply, Unreachable) else f"{path} was answered with status {reply.status}"


def _unreadable(path: str, error: ValueError) -> str:
    return f"the answer to {path} is no discovery document: {error}"
