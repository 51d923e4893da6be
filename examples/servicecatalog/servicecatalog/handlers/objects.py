"""Requests for one object: get, create, update, patch, apply, delete.

In go a request and its Target; out comes a response.
The law: a body is read before the store is touched, and nothing is awaited between reading and writing the store, so
every write is atomic.
"""

from dataclasses import dataclass

from aiohttp import web

from servicecatalog.accept import Accepted, accept_object, check_name
from servicecatalog.decode import JSON, YAML, Decoded, check_depth, decode, decode_object, media_type
from servicecatalog.handlers.context import Api
from servicecatalog.handlers.replies import json_reply, read_body
from servicecatalog.identity import header_text
from servicecatalog.negotiation import Representation, objects_as
from servicecatalog.patch import json_patch, merge_patch
from servicecatalog.requestinfo import Target
from servicecatalog.schemas import JsonObject
from servicecatalog.status import success, unsupported_media_type
from servicecatalog.table import parse_include_object, partial, table
from servicecatalog.writeoptions import WriteOptions, parse_delete_options, parse_write_options

_FORMS = frozenset({Representation.TABLE, Representation.PARTIAL})
_OBJECT_TYPES = (JSON, YAML[0])
_APPLY = YAML[1]
_JSON_PATCH = "application/json-patch+json"
_MERGE_PATCH = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class _Call:
    """A request for one object, with its headers and query taken apart."""

    api: Api
    request: web.BaseRequest
    target: Target
    form: Representation

    @property
    def content_type(self) -> str:
        return self.request.headers.get("Content-Type", "")

    @property
    def key(self) -> tuple[str, str]:
        return (self.target.namespace, self.target.name)

    def options(self, kind: str, *, apply: bool = False) -> WriteOptions:
        agent = header_text(self.request.headers.get("User-Agent", ""))
        return parse_write_options(self.request.rel_url.query, agent, kind=kind, apply=apply)

    def accepted(self, decoded: Decoded, options: WriteOptions) -> Accepted:
        return accept_object(self.target.resource, self.target.namespace, decoded, options.field_validation)

    def reply(self, obj: JsonObject, *, code: int = 200, warnings: tuple[str, ...] = ()) -> web.Response:
        """The object in the form the client reads."""
        if self.form is Representation.TABLE:
            include = parse_include_object(self.request.rel_url.query.get("includeObject", ""))
            version = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
            obj = table(self.target.resource, [obj], version, include=include, now=self.api.now())
        elif self.form is Representation.PARTIAL:
            obj = partial(obj)
        return json_reply(obj, code=code, warnings=warnings)


def _call(api: Api, request: web.BaseRequest, target: Target) -> _Call:
    accept = ",".join(request.headers.getall("Accept", []))
    return _Call(api, request, target, objects_as(accept, _FORMS))


async def get(api: Api, request: web.BaseRequest, target: Target) -> web.Response:
    """Answer with the stored object."""
    call = _call(api, request, target)
    return call.reply(api.registry.get(target.resource, call.key))


async def create(api: Api, request: web.BaseRequest, target: Target) -> web.Response:
    """Store the object in the body."""
    call = _call(api, request, target)
    options = call.options("CreateOptions")
    accepted = call.accepted(decode(call.content_type, await read_body(request), _OBJECT_TYPES), options)
    stored = api.registry.create(target.resource, accepted.object, options)
    return call.reply(stored, code=201, warnings=accepted.warnings)


async def update(api: Api, request: web.BaseRequest, target: Target) -> web.Response:
    """Replace the stored object, or its status, by the one in the body."""
    call = _call(api, request, target)
    options = call.options("UpdateOptions")
    accepted = call.accepted(decode(call.content_type, await read_body(request), _OBJECT_TYPES), options)
    check_name(accepted.object["metadata"], target.name)
    stored = api.registry.update(
        target.resource, accepted.object, options, subresource=target.subresource, conditional=True
    )
    return call.reply(stored, warnings=accepted.warnings)


async def patch(api: Api, request: web.BaseRequest, target: Target) -> web.Response:
    """Change the stored object, or its status, as the patch in the body says."""
    call = _call(api, request, target)
    kind = media_type(call.content_type)
    if kind == _APPLY:
        return await _apply(call)
    if kind not in (_JSON_PATCH, _MERGE_PATCH):
        raise unsupported_media_type((_JSON_PATCH, _MERGE_PATCH, _APPLY))
    options = call.options("PatchOptions")
    decoded = decode(kind, await read_body(request), (kind,))
    live = api.registry.get(target.resource, call.key)
    patched = json_patch(live, decoded.value) if kind == _JSON_PATCH else merge_patch(live, decode_object(decoded))
    check_depth(patched)
    duplicates = decoded.duplicates if kind == _MERGE_PATCH else ()
    accepted = call.accepted(Decoded(patched, duplicates), options)
    check_name(accepted.object["metadata"], target.name)
    stored = api.registry.update(
        target.resource, accepted.object, options, subresource=target.subresource, conditional=False
    )
    return call.reply(stored, warnings=accepted.warnings)


async def delete(api: Api, request: web.BaseRequest, target: Target) -> web.Response:
    """Delete the object: a Status when it is gone, the object itself while finalizers hold it."""
    call = _call(api, request, target)
    options = parse_delete_options(request.rel_url.query, await read_delete_body(request))
    deleted = api.registry.delete(target.resource, call.key, options)
    if not deleted.gone:
        return call.reply(deleted.object)
    return json_reply(success(target.resource, target.name, deleted.object["metadata"]["uid"]))


async def read_delete_body(request: web.BaseRequest) -> JsonObject:
    """The DeleteOptions body of a request as JSON; empty when there is no body."""
    body = await read_body(request)
    if not body:
        return {}
    return decode_object(decode(request.headers.get("Content-Type", ""), body, _OBJECT_TYPES))


async def _apply(call: _Call) -> web.Response:
    """Server-side apply: create the object, or merge the configuration in the body into it."""
    options = call.options("PatchOptions", apply=True)
    accepted = call.accepted(decode(call.content_type, await read_body(call.request), YAML), options)
    check_name(accepted.object["metadata"], call.target.name)
    stored, created = call.api.registry.apply(
        call.target.resource, accepted.object, options, subresource=call.target.subresource
    )
    return call.reply(stored, code=201 if created else 200, warnings=accepted.warnings)
