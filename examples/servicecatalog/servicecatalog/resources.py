"""The five resources this server serves, and the columns they are printed with.

In goes nothing; out comes `RESOURCES`, in the order discovery lists them.
The law: a resource is data. Whatever differs between kinds is a field here, never a branch elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from servicecatalog.schemas import CATALOG, COMPONENTS, JsonObject

GROUP: Final = "servicecatalog.k8s.io"
VERSION: Final = "v1beta1"
GROUP_VERSION: Final = f"{GROUP}/{VERSION}"
CATEGORY: Final = "svcat"
OBJECT_VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
STATUS_VERBS: Final = ("get", "patch", "update")


@dataclass(frozen=True, slots=True)
class Column:
    """One printed column between NAME and AGE; `cell` reads its text from an object."""

    name: str
    description: str
    cell: Callable[[JsonObject], str]


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource: its names, its scope, its columns and the rules its schema cannot express.

    `one_of` holds groups of spec fields of which exactly one must be set. `immutable` holds spec fields that never
    change. `defaults` fills absent fields of a fresh object and returns a new spec.
    """

    plural: str
    singular: str
    kind: str
    namespaced: bool
    short_names: tuple[str, ...]
    columns: tuple[Column, ...]
    one_of: tuple[tuple[str, ...], ...] = ()
    immutable: tuple[str, ...] = ()
    defaults: Callable[[JsonObject, str], JsonObject] = lambda spec, _name: spec

    @property
    def schema(self) -> JsonObject:
        """The OpenAPI schema of the kind."""
        return COMPONENTS[CATALOG + self.kind]

    @property
    def qualified(self) -> str:
        """The resource and its group, as error messages write them."""
        return f"{self.plural}.{GROUP}"


def _reads(*path: str) -> Callable[[JsonObject], str]:
    """A cell that shows the first set field of the paths given (dots separate steps)."""

    def cell(obj: JsonObject) -> str:
        for one in path:
            value: object = obj
            for step in one.split("."):
                value = value.get(step) if isinstance(value, dict) else None
            if value:
                return str(value)
        return ""

    return cell


def _readiness(obj: JsonObject) -> str:
    """Ready, the reason why not, or Pending while nobody has judged the object."""
    if obj["metadata"].get("deletionTimestamp"):
        return "Deleting"
    for condition in obj.get("status", {}).get("conditions", ()):
        if condition.get("type") == "Ready":
            return "Ready" if condition.get("status") == "True" else str(condition.get("reason") or "NotReady")
    return "Pending"


def _broker_defaults(spec: JsonObject, _name: str) -> JsonObject:
    return {"relistBehavior": "Duration", **spec}


def _binding_defaults(spec: JsonObject, name: str) -> JsonObject:
    return {"secretName": name, **spec}


_STATUS: Final = Column("Status", "Ready, or why it is not.", _readiness)
_EXTERNAL: Final = Column("External-Name", "Name the broker gave it.", _reads("spec.externalName"))
_BROKER: Final = Column("Broker", "Broker that offers it.", _reads("spec.clusterServiceBrokerName"))

RESOURCES: Final[tuple[Resource, ...]] = (
    Resource(
        plural="clusterservicebrokers",
        singular="clusterservicebroker",
        kind="ClusterServiceBroker",
        namespaced=False,
        short_names=("csb",),
        columns=(Column("URL", "Address of the broker.", _reads("spec.url")), _STATUS),
        defaults=_broker_defaults,
    ),
    Resource(
        plural="clusterserviceclasses",
        singular="clusterserviceclass",
        kind="ClusterServiceClass",
        namespaced=False,
        short_names=("csc",),
        columns=(_EXTERNAL, _BROKER),
    ),
    Resource(
        plural="clusterserviceplans",
        singular="clusterserviceplan",
        kind="ClusterServicePlan",
        namespaced=False,
        short_names=("csp",),
        columns=(
            _EXTERNAL,
            _BROKER,
            Column("Class", "Class the plan belongs to.", _reads("spec.clusterServiceClassRef.name")),
        ),
    ),
    Resource(
        plural="serviceinstances",
        singular="serviceinstance",
        kind="ServiceInstance",
        namespaced=True,
        short_names=("si",),
        columns=(
            Column(
                "Class",
                "Class of the instance.",
                _reads("spec.clusterServiceClassExternalName", "spec.clusterServiceClassName"),
            ),
            Column(
                "Plan",
                "Plan of the instance.",
                _reads("spec.clusterServicePlanExternalName", "spec.clusterServicePlanName"),
            ),
            _STATUS,
        ),
        one_of=(
            ("clusterServiceClassExternalName", "clusterServiceClassName"),
            ("clusterServicePlanExternalName", "clusterServicePlanName"),
        ),
    ),
    Resource(
        plural="servicebindings",
        singular="servicebinding",
        kind="ServiceBinding",
        namespaced=True,
        short_names=("sbd",),
        columns=(
            Column("Service-Instance", "Instance the binding is for.", _reads("spec.instanceRef.name")),
            Column("Secret-Name", "Secret that receives the credentials.", _reads("spec.secretName")),
            _STATUS,
        ),
        immutable=("instanceRef",),
        defaults=_binding_defaults,
    ),
)


def find_resource(plural: str) -> Resource | None:
    """The resource of that plural name; None when it is not served."""
    return next((resource for resource in RESOURCES if resource.plural == plural), None)
