"""The OpenAPI v3 schemas of every served kind and of the metadata they share.

In goes nothing; out comes `COMPONENTS`, schema name to schema.
The law: this is the only description of a field. Validation, pruning, `kubectl explain` and the published
document all read it, so they cannot disagree.
"""

from typing import Any, Final

JsonValue = Any
"""Anything JSON can hold; what it must look like is in a schema, not in a Python type."""

JsonObject = dict[str, JsonValue]
"""A JSON object."""

META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1."
CATALOG: Final = "io.k8s.servicecatalog.v1beta1."
REF_PREFIX: Final = "#/components/schemas/"


def component_ref(name: str) -> JsonObject:
    """A reference object that points at one schema of this document."""
    return {"$ref": REF_PREFIX + name}


def _scalar(kind: str, description: str, **more: JsonValue) -> JsonObject:
    return {"type": kind, "description": description, **more}


def _text(description: str, **more: JsonValue) -> JsonObject:
    return _scalar("string", description, **more)


def _flag(description: str) -> JsonObject:
    return _scalar("boolean", description)


def _number(description: str) -> JsonObject:
    return _scalar("integer", description, format="int64")


def _time(description: str) -> JsonObject:
    return _text(description, format="date-time")


def _sub(name: str, description: str) -> JsonObject:
    return {"description": description, "allOf": [component_ref(name)]}


def _many(items: JsonObject, description: str, **more: JsonValue) -> JsonObject:
    return {"type": "array", "description": description, "items": items, **more}


def _text_map(description: str) -> JsonObject:
    return {"type": "object", "description": description, "additionalProperties": {"type": "string"}}


def _free(description: str) -> JsonObject:
    return {"type": "object", "description": description, "x-kubernetes-preserve-unknown-fields": True}


def _struct(description: str, properties: JsonObject, required: tuple[str, ...] = ()) -> JsonObject:
    schema: JsonObject = {"type": "object", "description": description, "properties": properties}
    return {**schema, "required": list(required)} if required else schema


def _type_fields() -> JsonObject:
    return {
        "apiVersion": _text("The versioned schema of this representation of an object."),
        "kind": _text("The REST resource this object represents."),
    }


def _meta() -> dict[str, JsonObject]:
    owner = {
        "apiVersion": _text("API version of the owner."),
        "kind": _text("Kind of the owner."),
        "name": _text("Name of the owner."),
        "uid": _text("UID of the owner."),
        "controller": _flag("True if the owner is the managing controller."),
        "blockOwnerDeletion": _flag("True if the owner waits for this object before it goes."),
    }
    managed = {
        "apiVersion": _text("Version the field set applies to."),
        "fieldsType": _text("Always FieldsV1."),
        "fieldsV1": _free("The set of fields, as a trie."),
        "manager": _text("Who manages these fields."),
        "operation": _text("Apply or Update."),
        "subresource": _text("Subresource the fields were set through; empty for the object itself."),
        "time": _time("When the entry last changed."),
    }
    metadata = {
        "name": _text("Unique within a namespace."),
        "generateName": _text("Prefix from which the server makes a unique name when name is empty."),
        "namespace": _text("The space within which the name must be unique."),
        "uid": _text("Unique in time and space; set by the server."),
        "resourceVersion": _text("Opaque version of this object; set by the server."),
        "generation": _number("Sequence number of the wanted state; set by the server."),
        "creationTimestamp": _time("When the object was created; set by the server."),
        "deletionTimestamp": _time("When deletion was requested; set by the server."),
        "deletionGracePeriodSeconds": _number("Seconds before the object may go; set by the server."),
        "labels": _text_map("Keys and values by which objects are selected."),
        "annotations": _text_map("Keys and values kept for tools."),
        "finalizers": _many({"type": "string"}, "Must be empty before the object goes."),
        "ownerReferences": _many(component_ref(META + "OwnerReference"), "Objects this one depends on."),
        "managedFields": _many(component_ref(META + "ManagedFieldsEntry"), "Which manager set which fields."),
        "selfLink": _text("Deprecated and always empty."),
    }
    list_meta = {
        "resourceVersion": _text("Version of the collection the list was read at."),
        "continue": _text("Token for the next page; empty on the last one."),
        "remainingItemCount": _number("Items that follow this page."),
        "selfLink": _text("Deprecated and always empty."),
    }
    delete = {
        **_type_fields(),
        "dryRun": _many({"type": "string"}, "All: do everything but keep the change."),
        "gracePeriodSeconds": _number("Accepted and ignored."),
        "orphanDependents": _flag("Deprecated, accepted and ignored."),
        "propagationPolicy": _text("Orphan, Background or Foreground; accepted, there are no dependents here."),
        "preconditions": _struct(
            "What must hold for the object.", {"uid": _text("Its UID."), "resourceVersion": _text("Its version.")}
        ),
    }
    status = {
        **_type_fields(),
        "metadata": _sub(META + "ListMeta", "Metadata of the reply."),
        "status": _text("Success or Failure."),
        "message": _text("What happened, for a person."),
        "reason": _text("What happened, for a program."),
        "code": _number("HTTP status code."),
        "details": _free("Object, causes and retry delay, where known."),
    }
    return {
        META + "ObjectMeta": _struct("Metadata that all persisted objects have.", metadata),
        META + "ListMeta": _struct("Metadata that all lists have.", list_meta),
        META + "OwnerReference": _struct("An owning object.", owner, ("apiVersion", "kind", "name", "uid")),
        META + "ManagedFieldsEntry": _struct("A manager and the fields it set.", managed),
        META + "DeleteOptions": _struct("Options of a deletion.", delete),
        META + "Patch": {"type": "object", "description": "The body of a PATCH request."},
        META + "Status": _struct("The outcome of a call that returns no object.", status),
    }


def _specs() -> dict[str, JsonObject]:
    class_references = {
        "clusterServiceClassExternalName": _text("The class, by the name its broker gave it."),
        "clusterServiceClassName": _text("The class, by the name of its ClusterServiceClass."),
        "clusterServicePlanExternalName": _text("The plan, by the name its broker gave it."),
        "clusterServicePlanName": _text("The plan, by the name of its ClusterServicePlan."),
    }
    offering = {
        "clusterServiceBrokerName": _text("Broker that offers it."),
        "externalName": _text("Name the broker gave it."),
        "externalID": _text("Identifier the broker knows it by."),
        "description": _text("What it is, in a line."),
        "externalMetadata": _free("Whatever else the broker says about it."),
    }
    parameters = {
        "parameters": _free("Parameters handed to the broker as they are."),
        "parametersFrom": _many(component_ref(CATALOG + "ParametersFromSource"), "Secrets that hold more parameters."),
    }
    name_only = {"name": _text("Name of the object.")}
    key = {"name": _text("Name of the Secret."), "key": _text("Key within the Secret.")}
    broker = {
        "url": _text("Address of the broker."),
        "insecureSkipTLSVerify": _flag("Do not verify the broker's certificate."),
        "caBundle": _text("PEM bundle that verifies the broker's certificate.", format="byte"),
        "authInfo": _free("How to authenticate to the broker."),
        "relistBehavior": _text("When the catalog is read again.", enum=["Duration", "Manual"]),
        "relistDuration": _text("How often the catalog is read again, as a Go duration."),
        "relistRequests": _number("Raise it to have the catalog read again now."),
    }
    service_class = {
        **offering,
        "bindable": _flag("Instances can be bound."),
        "bindingRetrievable": _flag("Bindings can be fetched again."),
        "planUpdatable": _flag("Instances can change plan."),
        "tags": _many({"type": "string"}, "Words a person may search for."),
        "requires": _many({"type": "string"}, "Permissions the service needs."),
        "defaultProvisionParameters": _free("Parameters used when an instance gives none."),
    }
    plan = {
        **offering,
        "clusterServiceClassRef": _sub(CATALOG + "ClusterObjectReference", "Class the plan belongs to."),
        "free": _flag("The plan costs nothing."),
        "bindable": _flag("Overrides the class."),
        "instanceCreateParameterSchema": _free("JSON schema of provision parameters."),
    }
    instance = {
        **class_references,
        **parameters,
        "externalID": _text("Identifier used towards the broker."),
        "updateRequests": _number("Raise it to have the instance updated now."),
    }
    binding = {
        **parameters,
        "instanceRef": _sub(CATALOG + "LocalObjectReference", "Instance the binding is for."),
        "secretName": _text("Secret that receives the credentials; the binding's own name by default."),
        "externalID": _text("Identifier used towards the broker."),
    }
    class_required = ("clusterServiceBrokerName", "externalName", "externalID", "description")
    return {
        CATALOG + "ClusterObjectReference": _struct("A cluster-scoped object, by name.", name_only, ("name",)),
        CATALOG + "LocalObjectReference": _struct("An object of the same namespace, by name.", name_only, ("name",)),
        CATALOG + "SecretKeyReference": _struct("One key of a Secret.", key, ("name", "key")),
        CATALOG + "ParametersFromSource": _struct(
            "A place parameters come from.",
            {"secretKeyRef": _sub(CATALOG + "SecretKeyReference", "A key of a Secret of the same namespace.")},
        ),
        CATALOG + "ClusterServiceBrokerSpec": _struct("The wanted broker.", broker, ("url",)),
        CATALOG + "ClusterServiceClassSpec": _struct("A service a broker offers.", service_class, class_required),
        CATALOG + "ClusterServicePlanSpec": _struct(
            "A tier of a service.", plan, (*class_required, "clusterServiceClassRef")
        ),
        CATALOG + "ServiceInstanceSpec": _struct("The wanted instance.", instance),
        CATALOG + "ServiceBindingSpec": _struct("The wanted binding.", binding, ("instanceRef",)),
    }


def _statuses() -> dict[str, JsonObject]:
    condition = {
        "type": _text("What the condition is about, such as Ready."),
        "status": _text("True, False or Unknown.", enum=["True", "False", "Unknown"]),
        "reason": _text("Why, for a program."),
        "message": _text("Why, for a person."),
        "lastTransitionTime": _time("When status last changed."),
        "observedGeneration": _number("Generation the condition was judged at."),
    }
    conditions = _many(
        component_ref(CATALOG + "Condition"),
        "What is known about the object.",
        **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    watched = {"conditions": conditions, "observedGeneration": _number("Generation last acted upon.")}
    broker = {**watched, "lastCatalogRetrievalTime": _time("When the catalog was last read.")}
    removable = {"removedFromBrokerCatalog": _flag("The broker no longer offers it.")}
    instance = {
        **watched,
        "provisionStatus": _text("Whether the broker provisioned it."),
        "dashboardURL": _text("Where a person manages the instance."),
    }
    return {
        CATALOG + "Condition": _struct("One observation of an object.", condition, ("type", "status")),
        CATALOG + "ClusterServiceBrokerStatus": _struct("The observed broker.", broker),
        CATALOG + "ClusterServiceClassStatus": _struct("The observed class.", removable),
        CATALOG + "ClusterServicePlanStatus": _struct("The observed plan.", removable),
        CATALOG + "ServiceInstanceStatus": _struct("The observed instance.", instance),
        CATALOG + "ServiceBindingStatus": _struct("The observed binding.", watched),
    }


def _kinds() -> dict[str, JsonObject]:
    described = {
        "ClusterServiceBroker": "A server that offers services to the cluster.",
        "ClusterServiceClass": "A service that a broker offers.",
        "ClusterServicePlan": "A tier of a service that a broker offers.",
        "ServiceInstance": "A provisioned service.",
        "ServiceBinding": "Credentials for a provisioned service.",
    }
    kinds: dict[str, JsonObject] = {}
    for kind, description in described.items():
        properties = {
            **_type_fields(),
            "metadata": _sub(META + "ObjectMeta", "Standard object metadata."),
            "spec": _sub(CATALOG + kind + "Spec", "The wanted state."),
            "status": _sub(CATALOG + kind + "Status", "The observed state."),
        }
        kinds[CATALOG + kind] = _struct(description, properties, ("spec",))
        items = _many(component_ref(CATALOG + kind), f"The {kind} objects.")
        listing = {**_type_fields(), "metadata": _sub(META + "ListMeta", "Standard list metadata."), "items": items}
        kinds[CATALOG + kind + "List"] = _struct(f"A list of {kind} objects.", listing, ("items",))
    return kinds


COMPONENTS: Final[dict[str, JsonObject]] = {**_meta(), **_specs(), **_statuses(), **_kinds()}


def resolve(schema: JsonObject) -> JsonObject:
    """The schema itself, or the component it refers to by `$ref` or a one-item `allOf`."""
    while "$ref" in schema or "allOf" in schema:
        target = schema if "$ref" in schema else schema["allOf"][0]
        schema = COMPONENTS[target["$ref"].removeprefix(REF_PREFIX)]
    return schema
