"""What clients take."""

import pytest

from controlplane.discovery.negotiate import accepts_gzip, accepts_json, asks_for_aggregated, is_aggregated, media_type

_V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_V2BETA1 = _V2.replace("v=v2", "v=v2beta1")


@pytest.mark.parametrize(
    ("accept", "aggregated", "plain"),
    [
        ("", False, True),
        ("application/json", False, True),
        ("*/*", False, True),
        ("application/*", False, True),
        (f"{_V2},{_V2BETA1},application/json", True, True),
        (f"{_V2};profile=nopeer,{_V2},{_V2BETA1},application/json", True, True),
        (f"application/json, {_V2};q=0.5", True, True),
        (_V2BETA1, False, False),
        (f"{_V2BETA1},application/json", False, True),
        ("application/vnd.kubernetes.protobuf", False, False),
        ("application/vnd.kubernetes.protobuf,application/json", False, True),
        ("application/yaml", False, False),
        ("application/json;q=0", False, False),
        ("application/json;q=much", False, False),
        ("application/json;stream=watch", False, False),
        ("application/json;as=Table;g=meta.k8s.io;v=v1", False, False),
        ("application/json;as=Table;g=meta.k8s.io;v=v1,application/json", False, True),
        ("APPLICATION/JSON; charset=utf-8", False, True),
        (",;=,", False, False),
    ],
)
def test_accept_is_read_as_kube_apiserver_reads_it(accept: str, *, aggregated: bool, plain: bool) -> None:
    """Aggregated where a clause asks for v2, plain where JSON will do, neither where nothing served will do."""
    assert (aggregated, plain) == (asks_for_aggregated(accept), accepts_json(accept))


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("", False), ("gzip", True), ("br, gzip;q=0.5", True), ("gzip;q=0", False), ("*", True), ("identity", False)],
)
def test_gzip_is_sent_only_to_who_takes_it(encoding: str, *, expected: bool) -> None:
    """Accept-Encoding decides."""
    assert expected is accepts_gzip(encoding)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (_V2, True),
        (_V2BETA1, True),
        ("application/json; as=APIGroupDiscoveryList; v=v2; g=apidiscovery.k8s.io", True),
        ("application/json", False),
        ("", False),
        ("application/vnd.kubernetes.protobuf;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", False),
    ],
)
def test_a_content_type_says_whether_the_document_is_aggregated(content_type: str, *, expected: bool) -> None:
    """The parameters count in any order; v2beta1 from older servers is taken."""
    assert expected is is_aggregated(content_type)


def test_quotes_around_a_parameter_do_not_belong_to_it() -> None:
    """A quoted value is the same value."""
    assert media_type('application/json; v="v2"').parameters["v"] == "v2"
