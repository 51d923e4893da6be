"""The kinds that are kept here, and how each is addressed and shown.

In: nothing. Out: one `Kind` each, as discovery, URLs and kubectl know it. Law: nothing is served that is not in
`KINDS`; names, scopes, categories and columns are kube-apiserver's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from controlplane.resources.schema import Struct
from controlplane.resources.schemas import SCHEMAS
from controlplane.resources.status import qualified

_RBAC: Final = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; `priority` 0 is always shown, above 0 only in wide output. `form` is "name" for names."""

    name: str
    description: str
    priority: int = 0
    type: str = "string"
    form: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object.

    `fields` are those that a field selector may name. `creates_on_update`: an update of an object that is not there
    creates it. `unconditional`: an update may leave out the resourceVersion.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    columns: tuple[Column, ...]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    fields: tuple[str, ...] = ("metadata.name", "metadata.namespace")
    creates_on_update: bool = False
    unconditional: bool = True

    @property
    def singular(self) -> str:
        """The resource's singular name."""
        return self.kind.lower()

    @property
    def api_version(self) -> str:
        """Group and version, as objects say them."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """The resource with its group, as messages name it."""
        return qualified(self.group, self.plural)

    @property
    def schema(self) -> Struct:
        """The form of its objects."""
        return SCHEMAS[self.kind]


_NAME: Final = Column("Name", "Name must be unique within a namespace.", form="name")
_AGE: Final = Column("Age", "How long ago the object was made.")
_CREATED: Final = Column("Created At", "When the object was made.", type="date")


def _binding(kind: str, plural: str, *, namespaced: bool) -> Kind:
    columns = (
        _NAME,
        Column("Role", "The kind and name of the role that is bound."),
        _AGE,
        Column("Users", "The users in the binding.", 1),
        Column("Groups", "The groups in the binding.", 1),
        Column("ServiceAccounts", "The service accounts in the binding.", 1),
    )
    return Kind(_RBAC, "v1", kind, plural, namespaced, columns, creates_on_update=True)


_ALL: Final = (
    Kind(
        "apiregistration.k8s.io",
        "v1",
        "APIService",
        "apiservices",
        namespaced=False,
        columns=(
            _NAME,
            Column("Service", "The Service that serves the API, or Local."),
            Column("Available", "Whether the API can be reached."),
            _AGE,
        ),
        categories=("api-extensions",),
        subresources=("status",),
        unconditional=False,
    ),
    Kind(
        "",
        "v1",
        "Service",
        "services",
        namespaced=True,
        columns=(
            _NAME,
            Column("Type", "How the Service is exposed."),
            Column("Cluster-IP", "The address inside the cluster."),
            Column("External-IP", "The addresses outside the cluster."),
            Column("Port(s)", "The ports that are exposed."),
            _AGE,
            Column("Selector", "The labels that choose what serves.", 1),
        ),
        short_names=("svc",),
        categories=("all",),
        subresources=("status",),
        fields=("metadata.name", "metadata.namespace", "spec.clusterIP", "spec.type"),
        creates_on_update=True,
    ),
    Kind(
        "discovery.k8s.io",
        "v1",
        "EndpointSlice",
        "endpointslices",
        namespaced=True,
        columns=(
            _NAME,
            Column("AddressType", "The kind of all its addresses."),
            Column("Ports", "The ports that its endpoints serve."),
            Column("Endpoints", "The addresses of its endpoints."),
            _AGE,
        ),
    ),
    Kind(
        _RBAC, "v1", "ClusterRole", "clusterroles", namespaced=False, columns=(_NAME, _CREATED), creates_on_update=True
    ),
    Kind(_RBAC, "v1", "Role", "roles", namespaced=True, columns=(_NAME, _CREATED), creates_on_update=True),
    _binding("ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    _binding("RoleBinding", "rolebindings", namespaced=True),
    Kind(
        "",
        "v1",
        "Secret",
        "secrets",
        namespaced=True,
        columns=(
            _NAME,
            Column("Type", "What the Secret is for."),
            Column("Data", "How many entries it has.", type="integer"),
            _AGE,
        ),
        fields=("metadata.name", "metadata.namespace", "type"),
    ),
)
KINDS: Final[Mapping[str, Kind]] = {kind.kind: kind for kind in _ALL}
"""Every kind, by its name."""
