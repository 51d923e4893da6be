"""Accept headers."""

import pytest
from servicecatalog.negotiation import Representation, objects_as, wants_discovery_v2
from servicecatalog.status import StatusError

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
OFFERED = frozenset({Representation.TABLE, Representation.PARTIAL})


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Representation.OBJECT),
        ("*/*", Representation.OBJECT),
        ("application/json", Representation.OBJECT),
        (f"{TABLE},application/json", Representation.TABLE),
        (f"application/json;q=0.5, {TABLE}", Representation.TABLE),
        (f"application/json, {TABLE}", Representation.OBJECT),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", Representation.OBJECT),
        ("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", Representation.PARTIAL),
        ("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,*/*", Representation.OBJECT),
        ("application/vnd.kubernetes.protobuf,application/json", Representation.OBJECT),
        ("application/json;stream=watch", Representation.OBJECT),
    ],
)
def test_the_first_clause_that_is_served_wins(accept: str, form: Representation) -> None:
    """Clauses are tried by quality, then by order; unknown forms and media types are passed over."""
    assert objects_as(accept, OFFERED) is form


@pytest.mark.parametrize("accept", ["application/yaml", "text/html", "application/json;q=0", "application/json;as=Foo"])
def test_nothing_acceptable_is_406(accept: str) -> None:
    """A client that reads none of the forms is told so."""
    with pytest.raises(StatusError) as caught:
        objects_as(accept, OFFERED)

    assert caught.value.code == 406


@pytest.mark.parametrize(
    ("accept", "v2"),
    [
        ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json", True),
        ("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json", False),
        ("application/json", False),
        ("", False),
    ],
)
def test_aggregated_discovery_is_asked_for_by_name(accept: str, *, v2: bool) -> None:
    """Only the exact v2 form selects the aggregated document."""
    assert wants_discovery_v2(accept) is v2


def test_v2beta1_alone_is_406() -> None:
    """The removed beta form is not served, not even as the only choice."""
    with pytest.raises(StatusError) as caught:
        wants_discovery_v2("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList")

    assert caught.value.code == 406
