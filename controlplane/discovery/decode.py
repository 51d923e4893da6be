"""Discovery answers of servers, read and checked once.

In: bodies of answers. Out: groups and versions, each version as the ready JSON that aggregated discovery
(apidiscovery.k8s.io/v2) lists it by. Law: JSON that leaves here can be decoded by every client: one server's malformed
answer never spoils the document it is joined into.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from controlplane.discovery.documents import GroupDiscovery, VersionDiscovery
from controlplane.model.apiservice import GroupVersion

T = TypeVar("T")
ModelT = TypeVar("ModelT", bound="_Model")


def stale(version: str) -> VersionDiscovery:
    """A group-version whose resources cannot be had now: it is listed, and clients are told that it is incomplete."""
    return _listed(_Version(version=version, freshness="Stale"))


def without_resources(version: str) -> VersionDiscovery:
    """A group-version that its server, asked just now, did not mention."""
    return _listed(_Version(version=version))


def all_stale(groups: tuple[GroupDiscovery, ...]) -> tuple[GroupDiscovery, ...]:
    """The same groups and versions, each of them stale."""
    return tuple(GroupDiscovery(group.name, tuple(stale(item.version) for item in group.versions)) for group in groups)


def read_aggregated(body: bytes) -> tuple[GroupDiscovery, ...]:
    """The groups of an APIGroupDiscoveryList (apidiscovery.k8s.io v2 or v2beta1, which are written alike).

    Raises:
        ValueError: when it is not one; the text names the field.
    """
    document = _read(_AggregatedList, body)
    return tuple(
        GroupDiscovery(
            group.metadata.name,
            tuple(_listed(item) for item in group.versions),
        )
        for group in document.items
    )


def read_resource_list(body: bytes, version: str) -> VersionDiscovery:
    """An APIResourceList (meta/v1) as aggregated discovery would have listed it: subresources under their resource.

    Raises:
        ValueError: when it is not one, or a subresource is namespaced and its resource is not (or the reverse).
    """
    listed = _read(_ResourceList, body)
    parents = {item.name: _resource(item) for item in listed.resources if "/" not in item.name}
    children: defaultdict[str, list[_Subresource]] = defaultdict(list)
    for item in listed.resources:
        name, separator, subresource = item.name.partition("/")
        if not separator:
            continue
        parent = parents.setdefault(name, _Resource(resource=name, scope=item.scope))
        if parent.scope != item.scope:
            raise ValueError(f"resource {name} is {parent.scope}, but its subresource {subresource} is {item.scope}")
        children[name].append(_Subresource(subresource=subresource, response_kind=item.response_kind, verbs=item.verbs))
    resources = [item.model_copy(update={"subresources": children.get(name)}) for name, item in parents.items()]
    return _listed(_Version(version=version, resources=resources))


def read_group_versions(body: bytes) -> tuple[GroupVersion, ...]:
    """The group-versions that an APIGroupList (/apis) or APIVersions (/api) names, in its order.

    Raises:
        ValueError: when it is neither.
    """
    kind = _read(_AnyKind, body).kind
    if kind == "APIVersions":
        return tuple(GroupVersion("", version) for version in _read(_LegacyVersions, body).versions)
    groups = _read(_LegacyGroupList, body).groups
    return tuple(GroupVersion(group.name, item.version) for group in groups for item in group.versions)


def read_openapi_index(body: bytes) -> Mapping[str, str]:
    """The server-relative URL for each path of an OpenAPI v3 index.

    Raises:
        ValueError: when it is not one.
    """
    paths = _read(_OpenApiIndex, body).paths
    return MappingProxyType({path: entry.server_relative_url for path, entry in paths.items()})


# The models below hold the fields that Kubernetes' types have, so that what a server adds of its own is dropped and
# what it gets wrong is noticed here. Go reads null as a field that is absent, and writes no empty list.


def _absent_when_null(value: object) -> object:
    return [] if value is None else value


def _omitted_when_empty(value: list[T] | None) -> list[T] | None:
    return value or None


_List = Annotated[list[T], BeforeValidator(_absent_when_null)]
_OmittedList = Annotated[list[T] | None, AfterValidator(_omitted_when_empty)]


def _stale_or_current(value: str) -> str:
    return "Stale" if value == "Stale" else "Current"


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", alias_generator=to_camel, populate_by_name=True, frozen=True)


class _Kind(_Model):
    group: str = ""
    version: str = ""
    kind: str = ""


# Old clients dereference responseKind without looking (kubernetes/kubernetes#118361).
def _kind_when_null(value: object) -> object:
    return _Kind() if value is None else value


_ResponseKind = Annotated[_Kind, BeforeValidator(_kind_when_null)]


class _Subresource(_Model):
    subresource: str
    response_kind: _ResponseKind = _Kind()
    accepted_types: _OmittedList[_Kind] = None
    verbs: _List[str] = []


class _Resource(_Model):
    resource: str
    response_kind: _ResponseKind = _Kind()
    scope: str = ""
    singular_resource: str = ""
    verbs: _List[str] = []
    short_names: _OmittedList[str] = None
    categories: _OmittedList[str] = None
    subresources: _OmittedList[_Subresource] = None


class _Version(_Model):
    version: str
    resources: _OmittedList[_Resource] = None
    freshness: Annotated[str, AfterValidator(_stale_or_current)] = "Current"


class _Metadata(_Model):
    name: str = ""


class _Group(_Model):
    metadata: _Metadata = _Metadata()
    versions: _List[_Version] = []


class _AggregatedList(_Model):
    kind: Literal["APIGroupDiscoveryList"]
    items: _List[_Group] = []


class _LegacyResource(_Model):
    name: str
    singular_name: str = ""
    namespaced: bool = False
    group: str = ""
    version: str = ""
    kind: str = ""
    verbs: _List[str] = []
    short_names: _OmittedList[str] = None
    categories: _OmittedList[str] = None

    @property
    def scope(self) -> str:
        return "Namespaced" if self.namespaced else "Cluster"

    @property
    def response_kind(self) -> _Kind:
        return _Kind(group=self.group, version=self.version, kind=self.kind)


class _ResourceList(_Model):
    kind: Literal["APIResourceList"]
    resources: _List[_LegacyResource] = []


class _AnyKind(_Model):
    kind: str


class _LegacyVersions(_Model):
    kind: Literal["APIVersions"]
    versions: _List[str] = []


class _LegacyVersion(_Model):
    version: str


class _LegacyGroup(_Model):
    name: str
    versions: _List[_LegacyVersion] = []


class _LegacyGroupList(_Model):
    kind: Literal["APIGroupList"]
    groups: _List[_LegacyGroup] = []


class _OpenApiEntry(_Model):
    server_relative_url: str = Field(alias="serverRelativeURL")


class _OpenApiIndex(_Model):
    paths: dict[str, _OpenApiEntry] = {}


def _read(model: type[ModelT], body: bytes) -> ModelT:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise ValueError(f"{where}: {first['msg']}") from error


def _listed(version: _Version) -> VersionDiscovery:
    body = version.model_dump_json(by_alias=True, exclude_none=True).encode()
    return VersionDiscovery(version.version, body, stale=version.freshness == "Stale")


def _resource(item: _LegacyResource) -> _Resource:
    return _Resource(
        resource=item.name,
        response_kind=item.response_kind,
        scope=item.scope,
        singular_resource=item.singular_name,
        verbs=item.verbs,
        short_names=item.short_names,
        categories=item.categories,
    )
