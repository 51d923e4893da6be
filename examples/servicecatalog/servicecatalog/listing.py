"""Lists: one consistent page of a collection.

In go the store and ListOptions; out comes a Page.
The law: all pages of one list show the collection at one revision, the one in their resourceVersion, so a watch from
there misses nothing; when the store no longer reaches that revision the answer is 410.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Final

import orjson

from servicecatalog.listoptions import EXACT, ListOptions
from servicecatalog.resources import GROUP_VERSION, Resource
from servicecatalog.schemas import JsonObject
from servicecatalog.status import StatusError, bad_request, expired, from_the_future
from servicecatalog.store import Key, Store

_BEGINNING: Final[Key] = ("", "")


@dataclass(frozen=True, slots=True)
class Page:
    """Objects sorted by namespace and name, and the `metadata` of the list they make."""

    objects: tuple[JsonObject, ...]
    metadata: JsonObject


def list_page(store: Store, resource: Resource, namespace: str, options: ListOptions) -> Page:
    """The page the options ask for; an empty namespace lists all of them.

    Raises:
        StatusError: 400 for a bad continue token, 410 for a revision no longer held, 504 for one not yet reached.
    """
    after = _BEGINNING
    revision = store.revision
    wanted = options.resource_version or 0
    if options.continue_token:
        revision, after = _read_token(options.continue_token)
        if revision > store.revision:
            raise bad_request("continue key is not valid: it was made for another server")
    elif wanted > store.revision:
        raise from_the_future(wanted, store.revision)
    elif wanted and (options.resource_version_match == EXACT or (options.limit and not options.resource_version_match)):
        revision = wanted
    held = store.snapshot_at(resource.plural, revision)
    if held is None:
        raise _gone(options, revision, store.revision)
    matching = [
        (key, obj) for key, obj in held if key > after and namespace in ("", key[0]) and options.selector.matches(obj)
    ]
    page = matching[: options.limit] if options.limit else matching
    metadata: JsonObject = {"resourceVersion": str(revision)}
    if len(page) < len(matching):
        metadata["continue"] = _write_token(revision, page[-1][0])
        if not options.selector:
            metadata["remainingItemCount"] = len(matching) - len(page)
    return Page(tuple(obj for _, obj in page), metadata)


def list_body(resource: Resource, page: Page) -> JsonObject:
    """The page as a list of the kind."""
    kind = f"{resource.kind}List"
    return {"apiVersion": GROUP_VERSION, "kind": kind, "metadata": page.metadata, "items": list(page.objects)}


def _gone(options: ListOptions, wanted: int, current: int) -> StatusError:
    if options.continue_token:
        why = "The provided continue parameter is too old to display a consistent list result."
        return expired(f"{why} You must start a new list without the continue parameter.")
    return expired(f"too old resource version: {wanted} ({current})")


def _write_token(revision: int, after: Key) -> str:
    token = {"v": "meta.k8s.io/v1", "rv": revision, "after": list(after)}
    return base64.urlsafe_b64encode(orjson.dumps(token)).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, Key]:
    try:
        padded = token.encode() + b"=" * (-len(token) % 4)
        content = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        revision, (namespace, name) = content["rv"], content["after"]
    except (binascii.Error, ValueError, TypeError, KeyError) as error:
        raise bad_request("continue key is not valid: it cannot be decoded") from error
    if not (isinstance(revision, int) and isinstance(namespace, str) and isinstance(name, str)):
        raise bad_request("continue key is not valid: it has the wrong types")
    return revision, (namespace, name)
