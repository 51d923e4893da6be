"""Bodies to HTTP responses, and request bodies to bytes.

In go JSON values and aiohttp requests; out come responses and bytes.
The law: every reply is JSON that caches must ask about again, unless it says otherwise itself.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Final

import orjson
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from servicecatalog.decode import MAX_BODY
from servicecatalog.schemas import JsonObject
from servicecatalog.status import StatusError, bad_request, too_large

MAX_WARNINGS: Final = 20
NO_CACHE: Final = {"Cache-Control": "no-cache, private"}


def json_reply(body: JsonObject, *, code: int = 200, warnings: Iterable[str] = ()) -> web.Response:
    """A JSON response; the first warnings become `Warning: 299` headers (RFC 7234, section 5.5)."""
    reply = web.Response(body=orjson.dumps(body), status=code, content_type="application/json", headers=NO_CACHE)
    for warning in islice(warnings, MAX_WARNINGS):
        reply.headers.add("Warning", f'299 - "{_quoted(warning)}"')
    return reply


def text_reply(text: str) -> web.Response:
    """A plain text response with code 200."""
    return web.Response(text=text, headers=NO_CACHE)


def error_reply(error: StatusError) -> web.Response:
    """The Status response of a refused request, with Retry-After where the Status names a delay."""
    reply = json_reply(error.body(), code=error.code)
    delay = (error.details or {}).get("retryAfterSeconds")
    if delay:
        reply.headers["Retry-After"] = str(delay)
    return reply


async def read_body(request: web.BaseRequest) -> bytes:
    """The whole body of a request.

    Raises:
        StatusError: 413 when it is longer than MAX_BODY bytes, 400 when its transfer or content encoding is broken.
    """
    body = bytearray()
    try:
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > MAX_BODY:
                raise too_large(MAX_BODY)
    except (web.RequestPayloadError, HttpProcessingError) as error:
        raise bad_request("the body of the request cannot be read: its encoding is broken") from error
    return bytes(body)


def _quoted(text: str) -> str:
    """The text as it may stand in a quoted string of a header: escaped, and without control characters."""
    plain = "".join(char if char.isprintable() else "?" for char in text[:1024])
    return plain.replace("\\", "\\\\").replace('"', '\\"')
