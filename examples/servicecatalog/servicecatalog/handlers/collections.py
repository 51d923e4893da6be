"""Requests for many objects: list and deletecollection.

In go a request and its Target; out comes a response.
The law: what a list shows and what a deletecollection removes is decided by the same selector.
"""

from aiohttp import web

from servicecatalog.handlers.context import Api
from servicecatalog.handlers.objects import read_delete_body
from servicecatalog.handlers.replies import json_reply
from servicecatalog.listing import Page, list_body, list_page
from servicecatalog.listoptions import parse_list_options
from servicecatalog.negotiation import Representation, objects_as
from servicecatalog.requestinfo import Target
from servicecatalog.table import parse_include_object, partial_list, table
from servicecatalog.writeoptions import parse_delete_options

_FORMS = frozenset({Representation.TABLE, Representation.PARTIAL_LIST})


async def list_objects(api: Api, request: web.BaseRequest, target: Target) -> web.Response:
    """Answer with one page of the collection."""
    form = objects_as(",".join(request.headers.getall("Accept", [])), _FORMS)
    page = list_page(
        api.store, target.resource, target.namespace, parse_list_options(request.rel_url.query, watch=False)
    )
    return _reply(api, request, target, page, form)


async def delete_collection(api: Api, request: web.BaseRequest, target: Target) -> web.Response:
    """Delete every selected object and answer with the list of them."""
    form = objects_as(",".join(request.headers.getall("Accept", [])), _FORMS)
    selector = parse_list_options(request.rel_url.query, watch=False).selector
    options = parse_delete_options(request.rel_url.query, await read_delete_body(request))
    removed = api.registry.delete_collection(target.resource, target.namespace, selector, options)
    page = Page(removed, {"resourceVersion": str(api.store.revision)})
    return _reply(api, request, target, page, form)


def _reply(api: Api, request: web.BaseRequest, target: Target, page: Page, form: Representation) -> web.Response:
    if form is Representation.TABLE:
        include = parse_include_object(request.rel_url.query.get("includeObject", ""))
        return json_reply(table(target.resource, page.objects, page.metadata, include=include, now=api.now()))
    if form is Representation.PARTIAL_LIST:
        return json_reply(partial_list(page.objects, page.metadata))
    return json_reply(list_body(target.resource, page))
