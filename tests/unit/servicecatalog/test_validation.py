"""Pruning and checking of objects by their schema."""

import pytest
from servicecatalog.resources import Resource, find_resource
from servicecatalog.schemas import JsonObject, JsonValue
from servicecatalog.validation import object_causes, prune


def resource(plural: str) -> Resource:
    """The resource of that name."""
    found = find_resource(plural)
    assert found is not None
    return found


BROKERS = resource("clusterservicebrokers")
INSTANCES = resource("serviceinstances")
BINDINGS = resource("servicebindings")


def a_broker(**spec: JsonValue) -> JsonObject:
    """A valid broker with more spec fields."""
    return {"apiVersion": "v", "kind": "k", "metadata": {"name": "b"}, "spec": {"url": "https://b", **spec}}


def test_pruning_names_and_removes_unknown_fields() -> None:
    """Unknown fields are dropped at every depth and reported by path, in order."""
    obj = {"metadata": {"name": "b", "odd": 1}, "spec": {"url": "u", "urrl": "v"}, "extra": {}}
    pruned, unknown = prune(obj, BROKERS.schema)

    assert pruned == {"metadata": {"name": "b"}, "spec": {"url": "u"}}
    assert unknown == ("metadata.odd", "spec.urrl", "extra")


def test_pruning_looks_into_lists() -> None:
    """Items of lists are pruned too, and their index is in the path."""
    obj = {"spec": {"parametersFrom": [{"secretKeyRef": {"name": "n", "key": "k", "odd": 1}}]}}
    pruned, unknown = prune(obj, INSTANCES.schema)

    assert pruned == {"spec": {"parametersFrom": [{"secretKeyRef": {"name": "n", "key": "k"}}]}}
    assert unknown == ("spec.parametersFrom[0].secretKeyRef.odd",)


def test_free_form_fields_are_kept_as_they_are() -> None:
    """Parameters are the broker's business: nothing in them is unknown, and nulls stay."""
    obj = {"spec": {"parameters": {"anything": {"at": ["all", None]}, "none": None}}}

    assert prune(obj, INSTANCES.schema) == (obj, ())


def test_nulls_are_absent() -> None:
    """A null field of a known structure is as if it were not given."""
    obj = {"metadata": {"name": "b", "creationTimestamp": None, "labels": {"a": None}}}

    assert prune(obj, BROKERS.schema) == ({"metadata": {"name": "b", "labels": {}}}, ())


@pytest.mark.parametrize(
    ("obj", "field", "message"),
    [
        ({"metadata": {"name": "b"}}, "spec", "Required value"),
        ({"metadata": {"name": "b"}, "spec": {}}, "spec.url", "Required value"),
        (a_broker(url=7), "spec.url", 'spec.url in body must be of type string: "integer"'),
        (a_broker(insecureSkipTLSVerify="no"), "spec.insecureSkipTLSVerify", "must be of type boolean"),
        (a_broker(relistRequests=True), "spec.relistRequests", "must be of type integer"),
        (a_broker(relistBehavior="Never"), "spec.relistBehavior", 'supported values: "Duration", "Manual"'),
        ({**a_broker(), "metadata": {"name": "A"}}, "metadata.name", "a lowercase RFC 1123 subdomain"),
        ({**a_broker(), "metadata": {"name": "a" * 254}}, "metadata.name", "no more than 253 characters"),
        ({**a_broker(), "metadata": {}}, "metadata.name", "name or generateName is required"),
        ({**a_broker(), "metadata": {"name": "b", "labels": {"-": ""}}}, "metadata.labels", "name part must consist"),
        ({**a_broker(), "metadata": {"name": "b", "labels": {"a": "-"}}}, "metadata.labels", "a valid label"),
        (
            {**a_broker(), "metadata": {"name": "b", "annotations": {"a": "x" * 270000}}},
            "metadata.annotations",
            "Too long",
        ),
        ({**a_broker(), "metadata": {"name": "b", "finalizers": ["a b"]}}, "metadata.finalizers", "name part"),
    ],
)
def test_each_defect_is_one_cause(obj: JsonObject, field: str, message: str) -> None:
    """A defect is reported with the path of its field and a sentence that says what is wrong."""
    causes = object_causes(BROKERS, obj, None)

    assert [cause.field for cause in causes] == [field]
    assert message in causes[0].message


def test_a_sound_object_has_no_causes() -> None:
    """A valid broker passes."""
    assert object_causes(BROKERS, a_broker(), None) == ()


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({}, ["spec.clusterServiceClassExternalName", "spec.clusterServicePlanExternalName"]),
        (
            {"clusterServiceClassName": "a", "clusterServiceClassExternalName": "b", "clusterServicePlanName": "c"},
            ["spec.clusterServiceClassName"],
        ),
        ({"clusterServiceClassName": "a", "clusterServicePlanName": "c"}, []),
    ],
)
def test_an_instance_names_one_class_and_one_plan(spec: JsonObject, fields: list[str]) -> None:
    """Neither none nor two of the ways to name a class or plan are valid."""
    obj = {"metadata": {"name": "i"}, "spec": spec}

    assert [cause.field for cause in object_causes(INSTANCES, obj, None)] == fields


def test_a_binding_stays_with_its_instance() -> None:
    """The instance of a binding cannot be changed."""
    live = {"metadata": {"name": "b"}, "spec": {"instanceRef": {"name": "one"}}}
    changed = {"metadata": {"name": "b"}, "spec": {"instanceRef": {"name": "two"}}}

    assert [cause.field for cause in object_causes(BINDINGS, changed, live)] == ["spec.instanceRef"]
    assert object_causes(BINDINGS, live, live) == ()
