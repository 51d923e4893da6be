"""The documents that are the same for everyone: discovery, OpenAPI, version and health.

In goes a path; out comes a response, or None when no document lives there.
The law: bodies and hashes are made once, when the server is built; an answer never depends on the objects stored.
"""

import hashlib
import platform
from dataclasses import dataclass
from typing import Final

import orjson
from aiohttp import web

from servicecatalog.discovery import (
    api_group,
    api_group_discovery_list,
    api_group_list,
    api_resource_list,
    version_info,
)
from servicecatalog.handlers.replies import json_reply
from servicecatalog.negotiation import DISCOVERY_V2, objects_as, wants_discovery_v2
from servicecatalog.openapi import DOCUMENT_PATH, openapi_document, openapi_index
from servicecatalog.resources import GROUP, GROUP_VERSION
from servicecatalog.schemas import JsonObject
from servicecatalog.status import method_not_allowed

HEALTH_PATHS: Final = frozenset({"/healthz", "/livez", "/readyz"})
_OPENAPI_V3: Final = "/openapi/v3"


@dataclass(frozen=True, slots=True)
class Hashed:
    """A document as bytes, and the upper-case hexadecimal SHA-512 of them."""

    body: bytes
    digest: str


def _hashed(document: JsonObject) -> Hashed:
    body = orjson.dumps(document)
    return Hashed(body, hashlib.sha512(body).hexdigest().upper())


class Documents:
    """Every fixed document of the server."""

    def __init__(self) -> None:
        self._openapi = _hashed(openapi_document())
        self._discovery = _hashed(api_group_discovery_list())
        self._plain = {
            f"/apis/{GROUP}": api_group(),
            f"/apis/{GROUP_VERSION}": api_resource_list(),
            "/version": version_info(platform.python_version()),
            _OPENAPI_V3: openapi_index(self._openapi.digest),
        }

    def reply(self, request: web.BaseRequest) -> web.Response | None:
        """The document at the request's path.

        Raises:
            StatusError: 405 and 406.
        """
        path = request.rel_url.raw_path
        path = path.rstrip("/") if path.startswith("/apis") else path
        known = path in self._plain or path in ("/apis", f"{_OPENAPI_V3}/{DOCUMENT_PATH}")
        if not known:
            return None
        if request.method not in ("GET", "HEAD"):
            raise method_not_allowed()
        accept = ",".join(request.headers.getall("Accept", []))
        if path == "/apis":
            return self._groups(request, accept)
        objects_as(accept, frozenset())
        if path in self._plain:
            return json_reply(self._plain[path])
        return self._openapi_reply(request)

    def _groups(self, request: web.BaseRequest, accept: str) -> web.Response:
        if not wants_discovery_v2(accept):
            reply = json_reply(api_group_list())
            reply.headers["Vary"] = "Accept"
            return reply
        tag = f'"{self._discovery.digest}"'
        headers = {"ETag": tag, "Vary": "Accept", "Cache-Control": "public"}
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=self._discovery.body, headers={**headers, "Content-Type": DISCOVERY_V2})

    def _openapi_reply(self, request: web.BaseRequest) -> web.Response:
        """The document; the right hash makes it immutable, a wrong one sends the client to the right one."""
        digest = self._openapi.digest
        tag = f'"{digest}"'
        headers = {"ETag": tag, "Vary": "Accept"}
        asked = request.rel_url.query.get("hash", "")
        if asked and asked != digest:
            location = f"{_OPENAPI_V3}/{DOCUMENT_PATH}?hash={digest}"
            return web.Response(status=301, headers={"Location": location})
        headers["Cache-Control"] = "public, immutable, max-age=31536000" if asked else "no-cache, private"
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=self._openapi.body, content_type="application/json", headers=headers)
