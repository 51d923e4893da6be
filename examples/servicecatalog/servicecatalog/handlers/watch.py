"""Watch requests: one long response, a JSON line for each event.

In go a request and its Target; out comes a stream.
The law: headers go out before the first event exists, and each event goes out as soon as it does. A watch ends when
its time is over, the server stops, the client leaves, or the store no longer holds what it needs (an ERROR event).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import orjson
from aiohttp import web

from servicecatalog.handlers.context import Api
from servicecatalog.handlers.replies import NO_CACHE
from servicecatalog.listoptions import parse_list_options
from servicecatalog.negotiation import Representation, objects_as
from servicecatalog.requestinfo import Target
from servicecatalog.schemas import JsonObject
from servicecatalog.status import StatusError
from servicecatalog.table import IncludeObject, parse_include_object, partial, table
from servicecatalog.watching import BOOKMARK, Event, Watch

_FORMS = frozenset({Representation.TABLE, Representation.PARTIAL})


async def watch(
    api: Api, request: web.BaseRequest, target: Target, on_start: Callable[[], dict[str, str]]
) -> web.StreamResponse:
    """Stream the changes of a collection; `on_start` is called as the headers go out and gives more of them."""
    query = request.rel_url.query
    form = objects_as(",".join(request.headers.getall("Accept", [])), _FORMS)
    include = parse_include_object(query.get("includeObject", ""))
    options = parse_list_options(query, watch=True)
    view = Watch(api.store, target.resource, target.namespace, options)
    ticket = api.feed.ticket()
    first = view.start()
    if isinstance(first, StatusError):
        raise first
    response = web.StreamResponse(headers={**NO_CACHE, **on_start(), "Content-Type": "application/json"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    stream = _Stream(api, response, target, form, include)
    timeout = options.timeout_seconds or api.watch_timeout
    deadline = asyncio.get_running_loop().time() + timeout
    await stream.send_all(first.events)
    await _follow(api, view, stream, first.revision, ticket, deadline=deadline, bookmarks=options.bookmarks)
    await response.write_eof()
    return response


async def _follow(
    api: Api,
    view: Watch,
    stream: "_Stream",
    revision: int,
    ticket: asyncio.Event,
    *,
    deadline: float,
    bookmarks: bool,
) -> None:
    """Tell changes after `revision` until the watch ends."""
    now = asyncio.get_running_loop().time
    next_bookmark = now() + api.bookmark_interval if bookmarks else deadline
    while not api.feed.closed:
        progress = view.advance(revision)
        if isinstance(progress, StatusError):
            await stream.send_error(progress)
            return
        revision = progress.revision
        await stream.send_all(progress.events)
        if now() >= deadline:
            return
        if bookmarks and now() >= next_bookmark:
            await stream.send_all((view.bookmark(revision),))
            next_bookmark = now() + api.bookmark_interval
        try:
            async with asyncio.timeout_at(min(deadline, next_bookmark)):
                await ticket.wait()
        except TimeoutError:
            continue
        finally:
            ticket = api.feed.ticket()


@dataclass(slots=True)
class _Stream:
    """The response of one watch, in the form its client reads."""

    api: Api
    response: web.StreamResponse
    target: Target
    form: Representation
    include: IncludeObject
    headers_due: bool = True

    async def send_all(self, events: tuple[Event, ...]) -> None:
        for event in events:
            await self._write(event.type, self._shaped(event))

    async def send_error(self, error: StatusError) -> None:
        await self._write("ERROR", error.body())

    async def _write(self, kind: str, body: JsonObject) -> None:
        await self.response.write(orjson.dumps({"type": kind, "object": body}) + b"\n")

    def _shaped(self, event: Event) -> JsonObject:
        obj = event.object
        if self.form is Representation.PARTIAL:
            return partial(obj)
        if self.form is Representation.OBJECT:
            return obj
        version = {"resourceVersion": obj["metadata"]["resourceVersion"]}
        headers, self.headers_due = self.headers_due, False
        named = {**obj, "metadata": {"name": "", **obj["metadata"]}} if event.type == BOOKMARK else obj
        return table(self.target.resource, [named], version, include=self.include, now=self.api.now(), headers=headers)
