"""The gate every object of a client passes before the registry sees it.

In go a decoded body and what the URL says; out comes an object of known shape, and the warnings to send back.
The law: behind this gate `apiVersion` and `kind` are right, `metadata` has the types its schema says, the namespace
is the URL's, and no unknown field is left.
"""

from dataclasses import dataclass

from servicecatalog.decode import Decoded, decode_object
from servicecatalog.names import namespace_defect
from servicecatalog.resources import GROUP_VERSION, VERSION, Resource
from servicecatalog.schemas import COMPONENTS, META, JsonObject
from servicecatalog.status import StatusError, bad_request, invalid, invalid_value
from servicecatalog.validation import prune, schema_causes
from servicecatalog.writeoptions import FieldValidation


@dataclass(frozen=True, slots=True)
class Accepted:
    """An object fit for the registry, and a warning for each field that was dropped."""

    object: JsonObject
    warnings: tuple[str, ...]


def accept_object(resource: Resource, namespace: str, decoded: Decoded, validation: FieldValidation) -> Accepted:
    """Check and prune a client's object.

    Raises:
        StatusError: 400 for another kind, version or namespace, a malformed metadata, or (Strict) a field that is
            unknown or given twice; 422 for a namespace that cannot exist.
    """
    body = decode_object(decoded)
    _check_type(resource, body)
    pruned, unknown = prune(body, resource.schema)
    obj: JsonObject = {**pruned, "apiVersion": GROUP_VERSION, "kind": resource.kind}
    obj.setdefault("metadata", {})
    for cause in schema_causes(obj["metadata"], COMPONENTS[META + "ObjectMeta"], "metadata"):
        raise _unfit(resource, f"{cause.field}: {cause.message}")
    _place(resource, namespace, obj["metadata"])
    warnings = tuple(
        [f'unknown field "{path}"' for path in unknown] + [f'duplicate field "{path}"' for path in decoded.duplicates]
    )
    if warnings and validation is FieldValidation.STRICT:
        raise _unfit(resource, f"strict decoding error: {', '.join(warnings)}")
    return Accepted(obj, warnings if validation is FieldValidation.WARN else ())


def check_name(metadata: JsonObject, name: str) -> None:
    """Make the object's name the URL's.

    Raises:
        StatusError: 400 when the object has another name.
    """
    if metadata.setdefault("name", name) != name:
        message = f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
        raise bad_request(message)


def _check_type(resource: Resource, body: JsonObject) -> None:
    version, kind = body.get("apiVersion") or GROUP_VERSION, body.get("kind") or resource.kind
    if version != GROUP_VERSION:
        message = f"the API version in the data ({version}) does not match the expected API version ({GROUP_VERSION})"
        raise bad_request(message)
    if kind != resource.kind:
        raise bad_request(f"the kind in the data ({kind}) does not match the expected kind ({resource.kind})")


def _place(resource: Resource, namespace: str, metadata: JsonObject) -> None:
    """Put the object in the namespace of the URL; cluster-scoped objects have none."""
    if not resource.namespaced:
        metadata.pop("namespace", None)
        return
    if namespace_defect(namespace):
        cause = invalid_value("metadata.namespace", namespace, namespace_defect(namespace))
        raise invalid(resource.kind, metadata.get("name", ""), [cause])
    if (metadata.get("namespace") or namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    metadata["namespace"] = namespace


def _unfit(resource: Resource, why: str) -> StatusError:
    subject = f'{resource.kind} in version "{VERSION}" cannot be handled as a {resource.kind}'
    return bad_request(f"{subject}: {why}")
