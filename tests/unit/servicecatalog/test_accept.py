"""The gate that clients' objects pass."""

import pytest
from servicecatalog.accept import accept_object, check_name
from servicecatalog.decode import Decoded
from servicecatalog.resources import Resource, find_resource
from servicecatalog.schemas import JsonObject, JsonValue
from servicecatalog.status import StatusError
from servicecatalog.writeoptions import FieldValidation

API_VERSION = "servicecatalog.k8s.io/v1beta1"


def resource(plural: str) -> Resource:
    """The resource of that name."""
    found = find_resource(plural)
    assert found is not None
    return found


def accepted(
    plural: str, namespace: str, body: JsonValue, validation: FieldValidation = FieldValidation.STRICT
) -> JsonObject:
    """The object as accepted."""
    return accept_object(resource(plural), namespace, Decoded(body, ()), validation).object


def test_type_and_namespace_are_filled_in() -> None:
    """What the URL says already need not be in the body."""
    body = {"metadata": {"name": "i"}, "spec": {}}
    expected = {
        "apiVersion": API_VERSION,
        "kind": "ServiceInstance",
        "metadata": {"name": "i", "namespace": "n"},
        "spec": {},
    }

    assert accepted("serviceinstances", "n", body) == expected


@pytest.mark.parametrize(
    ("plural", "namespace", "body", "words"),
    [
        ("clusterservicebrokers", "", [], "must be an object"),
        ("clusterservicebrokers", "", {"kind": "ServiceInstance"}, "does not match the expected kind"),
        ("clusterservicebrokers", "", {"apiVersion": "v1"}, "does not match the expected API version"),
        ("clusterservicebrokers", "", {"metadata": []}, "must be of type object"),
        ("clusterservicebrokers", "", {"metadata": {"labels": {"a": 1}}}, "must be of type string"),
        ("serviceinstances", "n", {"metadata": {"namespace": "m"}}, "does not match the namespace sent on the request"),
        ("clusterservicebrokers", "", {"spec": {"urrl": "u"}}, 'strict decoding error: unknown field "spec.urrl"'),
    ],
)
def test_what_cannot_be_meant_for_here_is_a_bad_request(
    plural: str, namespace: str, body: JsonValue, words: str
) -> None:
    """Another kind, version or namespace, and a malformed metadata, are 400."""
    with pytest.raises(StatusError, match=words) as caught:
        accepted(plural, namespace, body)

    assert caught.value.code == 400


def test_a_namespace_that_cannot_exist_is_invalid() -> None:
    """The namespace of the URL must be a DNS label."""
    with pytest.raises(StatusError, match=r"metadata\.namespace") as caught:
        accepted("serviceinstances", "Not_A_Namespace", {"metadata": {"name": "i"}})

    assert caught.value.code == 422


@pytest.mark.parametrize(
    ("validation", "warnings"),
    [
        (FieldValidation.WARN, ('unknown field "spec.urrl"', 'duplicate field "spec.url"')),
        (FieldValidation.IGNORE, ()),
    ],
)
def test_unknown_and_duplicate_fields_are_warned_about_or_dropped(
    validation: FieldValidation, warnings: tuple[str, ...]
) -> None:
    """Both modes drop the field; only Warn tells the client."""
    decoded = Decoded({"spec": {"url": "u", "urrl": "v"}}, ("spec.url",))
    outcome = accept_object(resource("clusterservicebrokers"), "", decoded, validation)

    assert outcome.object["spec"] == {"url": "u"}
    assert outcome.warnings == warnings


def test_the_name_is_the_one_of_the_url() -> None:
    """An object without a name takes the URL's; another name is 400."""
    metadata: JsonObject = {}
    check_name(metadata, "a")

    assert metadata == {"name": "a"}
    with pytest.raises(StatusError, match=r"the name of the object \(a\) does not match the name on the URL \(b\)"):
        check_name(metadata, "b")
