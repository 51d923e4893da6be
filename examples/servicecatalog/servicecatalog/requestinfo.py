"""What a request is about: its path and method, taken apart.

In go a method, a raw path and whether the query asks for a watch; out comes a Target.
The law: the path is split before it is percent-decoded, so an encoded slash can never select another resource.
"""

from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

from servicecatalog.resources import GROUP, VERSION, Resource, find_resource


class Verb(Enum):
    """What a client wants to do with objects."""

    GET = "get"
    LIST = "list"
    WATCH = "watch"
    CREATE = "create"
    UPDATE = "update"
    PATCH = "patch"
    DELETE = "delete"
    DELETE_COLLECTION = "deletecollection"


_COLLECTION_VERBS = {"GET": Verb.LIST, "POST": Verb.CREATE, "DELETE": Verb.DELETE_COLLECTION}
_OBJECT_VERBS = {"GET": Verb.GET, "PUT": Verb.UPDATE, "PATCH": Verb.PATCH, "DELETE": Verb.DELETE}
_STATUS_VERBS = {"GET": Verb.GET, "PUT": Verb.UPDATE, "PATCH": Verb.PATCH}
_ALL_NAMESPACES_VERBS = {"GET": Verb.LIST}


@dataclass(frozen=True, slots=True)
class Target:
    """A request for objects. `verb` is None when the path exists but the method on it does not.

    `name` is empty for a collection; `namespace` is empty for cluster scope and for all namespaces.
    """

    verb: Verb | None
    resource: Resource
    namespace: str
    name: str
    subresource: str


def parse_target(method: str, path: str, *, watch: bool) -> Target | None:
    """The objects a request is about; None when the path is not one of objects."""
    steps = [unquote(step) for step in path.split("/")]
    if steps[:4] != ["", "apis", GROUP, VERSION]:
        return None
    rest = steps[4:]
    namespace = ""
    if len(rest) >= 3 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
        if not namespace:
            return None
    resource = find_resource(rest[0]) if rest else None
    if resource is None or (namespace and not resource.namespaced) or len(rest) > 3 or "" in rest:
        return None
    name, subresource = (*rest[1:], "", "")[:2]
    if (name and resource.namespaced and not namespace) or subresource not in ("", "status"):
        return None
    verb = _verbs(resource, namespace, name, subresource).get(method)
    if verb is Verb.LIST and watch:
        verb = Verb.WATCH
    return Target(verb, resource, namespace, name, subresource)


def _verbs(resource: Resource, namespace: str, name: str, subresource: str) -> dict[str, Verb]:
    if subresource:
        return _STATUS_VERBS
    if name:
        return _OBJECT_VERBS
    if resource.namespaced and not namespace:
        return _ALL_NAMESPACES_VERBS
    return _COLLECTION_VERBS
