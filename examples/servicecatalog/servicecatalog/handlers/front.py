"""The one entrance: every request of the server.

In goes an aiohttp request; out comes a response, whatever happens.
The law: the order is health, caller, documents, objects. A StatusError becomes its Status; any other exception
becomes a 500 that tells nothing, and one log line. Each request is audited.
"""

import asyncio
import logging
from dataclasses import replace
from typing import Final

from aiohttp import web

from servicecatalog.audit import Record, Stage, audit_event
from servicecatalog.decode import parse_flag
from servicecatalog.handlers import collections, objects
from servicecatalog.handlers.context import Api
from servicecatalog.handlers.documents import HEALTH_PATHS
from servicecatalog.handlers.replies import error_reply, text_reply
from servicecatalog.handlers.watch import watch
from servicecatalog.identity import Stranger, User, authenticate, common_name, header_text
from servicecatalog.requestinfo import Target, Verb, parse_target
from servicecatalog.resources import GROUP, VERSION
from servicecatalog.status import StatusError, internal_error, method_not_allowed, unauthorized, unknown_path

logger = logging.getLogger(__name__)

CLIENT_LEFT: Final = 499
"""The code that the audit log shows for a request whose client did not wait; no client ever sees it."""

_HANDLERS: Final = {
    Verb.GET: objects.get,
    Verb.CREATE: objects.create,
    Verb.UPDATE: objects.update,
    Verb.PATCH: objects.patch,
    Verb.DELETE: objects.delete,
    Verb.LIST: collections.list_objects,
    Verb.DELETE_COLLECTION: collections.delete_collection,
}


class Front:
    """The request handler of one server."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        target = _target(request)
        record = self._record(request, target)
        try:
            if request.rel_url.raw_path in HEALTH_PATHS:
                response: web.StreamResponse = text_reply("ok")
            else:
                record = record.of(self._caller(request))
                response = await self._serve(request, target, record)
        except StatusError as error:
            response = error_reply(error)
        except (ConnectionError, asyncio.CancelledError):
            # The client left: a watch had its 200 already, anything else got no answer.
            self._audit(record, Stage.RESPONSE_COMPLETE, 200 if record.verb == Verb.WATCH.value else CLIENT_LEFT)
            raise
        except Exception:
            logger.exception("request failed: audit_id=%s verb=%s", record.audit_id, record.verb)
            response = error_reply(internal_error(record.audit_id))
        if not response.prepared:
            response.headers["Audit-Id"] = record.audit_id
        self._audit(record, Stage.RESPONSE_COMPLETE, response.status)
        return response

    async def _serve(self, request: web.BaseRequest, target: Target | None, record: Record) -> web.StreamResponse:
        if target is None:
            document = self._api.documents.reply(request)
            if document is None:
                raise unknown_path()
            return document
        if target.verb is None:
            raise method_not_allowed()
        if target.verb is Verb.WATCH:
            return await watch(self._api, request, target, lambda: self._watch_started(record))
        return await _HANDLERS[target.verb](self._api, request, target)

    def _caller(self, request: web.BaseRequest) -> User:
        certificate = request.get_extra_info("peercert")
        headers = ((key, value) for key, value in request.headers.items())
        caller = authenticate(common_name(certificate), self._api.allowed_names, headers)
        if isinstance(caller, Stranger):
            logger.info("request refused: %s", caller.reason)
            raise unauthorized()
        return caller

    def _record(self, request: web.BaseRequest, target: Target | None) -> Record:
        record = Record(
            audit_id=_plain(request.headers.get("Audit-Id", "")) or self._api.new_uid(),
            received=self._api.now(),
            verb=request.method.lower(),
            uri=header_text(request.rel_url.raw_path_qs),
            user_agent=header_text(request.headers.get("User-Agent", "")),
            source=request.remote or "",
        )
        if target is None:
            return record
        place = {"namespace": target.namespace, "name": target.name, "subresource": target.subresource}
        where = {"resource": target.resource.plural, "apiGroup": GROUP, "apiVersion": VERSION, **place}
        verb = target.verb.value if target.verb else record.verb
        return replace(record, verb=verb, target=tuple((key, value) for key, value in where.items() if value))

    def _watch_started(self, record: Record) -> dict[str, str]:
        self._audit(record, Stage.RESPONSE_STARTED, 200)
        return {"Audit-Id": record.audit_id}

    def _audit(self, record: Record, stage: Stage, code: int) -> None:
        self._api.audit(audit_event(record, stage, code, self._api.now()))


def _target(request: web.BaseRequest) -> Target | None:
    watching = parse_flag(request.rel_url.query.get("watch"))
    return parse_target(request.method, request.rel_url.raw_path, watch=watching)


def _plain(audit_id: str) -> str:
    """A client's audit ID, if it is fit to be sent back and written down."""
    return audit_id if audit_id.isascii() and audit_id.isprintable() and len(audit_id) <= 256 else ""
