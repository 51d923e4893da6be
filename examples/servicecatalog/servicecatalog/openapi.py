"""The OpenAPI v3 document of the group-version, and the index that points to it.

In go the resource table and the schemas; out come JSON documents (OpenAPI 3.0.0 with Kubernetes' extensions).
The law: every operation names its group-version-kind and lists the query parameters the server honours, because
kubectl decides from them what it may ask for (dryRun, fieldValidation).
"""

import copy
from typing import Final

from servicecatalog.resources import GROUP, GROUP_VERSION, RESOURCES, VERSION, Resource
from servicecatalog.schemas import CATALOG, COMPONENTS, META, JsonObject, component_ref

DOCUMENT_PATH: Final = f"apis/{GROUP_VERSION}"
_PATCH_TYPES: Final = ("application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json")
_SHARED_KINDS: Final = ("DeleteOptions",)

_WRITE: Final = (
    ("dryRun", "string", "All: validate and answer, but keep nothing."),
    ("fieldManager", "string", "Who is recorded as the manager of the fields set."),
    ("fieldValidation", "string", "Strict, Warn or Ignore: what unknown and duplicate fields lead to."),
)
_PATCH: Final = (*_WRITE, ("force", "boolean", "Take fields over from other appliers."))
_DELETE: Final = (
    ("dryRun", "string", "All: validate and answer, but keep nothing."),
    ("gracePeriodSeconds", "integer", "Accepted and ignored."),
    ("propagationPolicy", "string", "Orphan, Background or Foreground."),
)
_SELECT: Final = (
    ("fieldSelector", "string", "Restrict to objects with these fields."),
    ("labelSelector", "string", "Restrict to objects with these labels."),
)
_LIST: Final = (
    *_SELECT,
    ("allowWatchBookmarks", "boolean", "Send BOOKMARK events."),
    ("continue", "string", "Token of the previous page."),
    ("limit", "integer", "Largest number of objects on a page."),
    ("resourceVersion", "string", "Version to read at, or to watch from."),
    ("resourceVersionMatch", "string", "Exact or NotOlderThan."),
    ("sendInitialEvents", "boolean", "Start a watch with the present state."),
    ("timeoutSeconds", "integer", "Longest duration of a watch."),
    ("watch", "boolean", "Send changes instead of a list."),
)


def openapi_document() -> JsonObject:
    """The whole document."""
    paths: JsonObject = {f"/{DOCUMENT_PATH}/": {"get": _documents()}}
    for resource in RESOURCES:
        paths.update(_paths(resource))
    info = {"title": "Service catalog demo API server", "version": "v0.1.0"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": _schemas()}}


def openapi_index(document_hash: str) -> JsonObject:
    """The `/openapi/v3` index; the hash makes the address change whenever the document does."""
    url = f"/openapi/v3/{DOCUMENT_PATH}?hash={document_hash}"
    return {"paths": {DOCUMENT_PATH: {"serverRelativeURL": url}}}


def _kind(kind: str) -> JsonObject:
    return {"group": GROUP, "kind": kind, "version": VERSION}


def _schemas() -> JsonObject:
    schemas = copy.deepcopy(COMPONENTS)
    for resource in RESOURCES:
        for kind in (resource.kind, f"{resource.kind}List"):
            schemas[CATALOG + kind]["x-kubernetes-group-version-kind"] = [_kind(kind)]
    for kind in _SHARED_KINDS:
        schemas[META + kind]["x-kubernetes-group-version-kind"] = [_kind(kind)]
    schemas[META + "Status"]["x-kubernetes-group-version-kind"] = [{"group": "", "kind": "Status", "version": "v1"}]
    return schemas


def _paths(resource: Resource) -> JsonObject:
    root = f"/{DOCUMENT_PATH}"
    base = f"{root}/namespaces/{{namespace}}" if resource.namespaced else root
    spot = ("namespace",) if resource.namespaced else ()
    collection = f"{base}/{resource.plural}"
    one = f"{collection}/{{name}}"
    listing = resource.kind + "List"
    paths: JsonObject = {
        collection: {
            "get": _operation(resource, "list", _LIST, listing),
            "post": _operation(resource, "post", _WRITE, resource.kind, body=resource.kind),
            "delete": _operation(resource, "deletecollection", (*_SELECT, *_DELETE), listing),
            "parameters": _path_parameters(spot),
        },
        one: {
            "get": _operation(resource, "get", (), resource.kind),
            "put": _operation(resource, "put", _WRITE, resource.kind, body=resource.kind),
            "patch": _operation(resource, "patch", _PATCH, resource.kind, patch=True),
            "delete": _operation(resource, "delete", _DELETE, ""),
            "parameters": _path_parameters((*spot, "name")),
        },
        f"{one}/status": {
            "get": _operation(resource, "get", (), resource.kind, suffix="Status"),
            "put": _operation(resource, "put", _WRITE, resource.kind, body=resource.kind, suffix="Status"),
            "patch": _operation(resource, "patch", _PATCH, resource.kind, patch=True, suffix="Status"),
            "parameters": _path_parameters((*spot, "name")),
        },
    }
    if resource.namespaced:
        everywhere = _operation(resource, "list", _LIST, listing, suffix="ForAllNamespaces")
        paths[f"{root}/{resource.plural}"] = {"get": everywhere, "parameters": _path_parameters(())}
    return paths


def _path_parameters(names: tuple[str, ...]) -> list[JsonObject]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, "description": f"The {name}."}
        for name in names
    ]


def _query_parameter(parameter: tuple[str, str, str]) -> JsonObject:
    name, kind, description = parameter
    return {"name": name, "in": "query", "description": description, "schema": {"type": kind}}


def _content(types: tuple[str, ...], schema: JsonObject) -> JsonObject:
    return {media_type: {"schema": schema} for media_type in types}


def _operation(
    resource: Resource,
    action: str,
    parameters: tuple[tuple[str, str, str], ...],
    answer: str,
    *,
    body: str = "",
    patch: bool = False,
    suffix: str = "",
) -> JsonObject:
    """One operation; an empty `answer` is a Status, an empty `body` none."""
    answered = component_ref(CATALOG + answer if answer else META + "Status")
    replies = {"200": {"description": "OK", "content": _content(("application/json",), answered)}}
    operation: JsonObject = {
        "operationId": f"{action}{resource.kind}{suffix}",
        "description": f"{action} {resource.kind}",
        "tags": ["servicecatalog_v1beta1"],
        "parameters": [_query_parameter(parameter) for parameter in parameters],
        "responses": {**replies, "401": {"description": "Unauthorized"}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _kind(resource.kind),
    }
    if body:
        content = _content(("application/json", "application/yaml"), component_ref(CATALOG + body))
        operation["requestBody"] = {"required": True, "content": content}
    if patch:
        content = _content(_PATCH_TYPES, component_ref(META + "Patch"))
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _documents() -> JsonObject:
    return {
        "operationId": "getAPIResources",
        "description": "get available resources",
        "tags": ["servicecatalog_v1beta1"],
        "responses": {"200": {"description": "OK"}},
    }
