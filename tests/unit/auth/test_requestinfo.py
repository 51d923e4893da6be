from __future__ import annotations

import pytest
from steps import LARGE, MANY, steps

from controlplane.auth.requestinfo import Unreadable, asked_by_path, check_path, heeding_query, request_info
from controlplane.model.identity import RequestInfo

P = "/api/v1/pods?fieldSelector=metadata.name=p"
# method, target -> verb, group, version, namespace, resource, subresource, name
RESOURCE_REQUESTS = [
    ("GET", "/api/v1/pods", "list", "", "v1", "", "pods", "", ""),
    ("HEAD", "/api/v1/pods", "list", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods/", "list", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/namespaces", "list", "", "v1", "", "namespaces", "", ""),
    ("GET", "/api/v1/namespaces/n", "get", "", "v1", "n", "namespaces", "", "n"),
    ("PUT", "/api/v1/namespaces/n/status", "update", "", "v1", "n", "namespaces", "status", "n"),
    ("PUT", "/api/v1/namespaces/n/finalize", "update", "", "v1", "n", "namespaces", "finalize", "n"),
    ("GET", "/api/v1/namespaces/n/pods", "list", "", "v1", "n", "pods", "", ""),
    ("GET", "/api/v1/namespaces/n/pods/p", "get", "", "v1", "n", "pods", "", "p"),
    ("HEAD", "/api/v1/namespaces/n/pods/p", "get", "", "v1", "n", "pods", "", "p"),
    ("PATCH", "/api/v1/namespaces/n/pods/p", "patch", "", "v1", "n", "pods", "", "p"),
    ("POST", "/api/v1/namespaces/n/pods", "create", "", "v1", "n", "pods", "", ""),
    ("DELETE", "/api/v1/namespaces/n/pods/p", "delete", "", "v1", "n", "pods", "", "p"),
    ("DELETE", "/api/v1/namespaces/n/pods", "deletecollection", "", "v1", "n", "pods", "", ""),
    ("DELETE", "/api/v1/namespaces", "deletecollection", "", "v1", "", "namespaces", "", ""),
    ("DELETE", "/api/v1/nodes", "deletecollection", "", "v1", "", "nodes", "", ""),
    ("OPTIONS", "/api/v1/pods", "", "", "v1", "", "pods", "", ""),
    ("get", "/api/v1/pods", "", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/namespaces/n/pods/p/log", "get", "", "v1", "n", "pods", "log", "p"),
    ("GET", "/api/v1/namespaces/n/pods/p/proxy/a/b", "get", "", "v1", "n", "pods", "proxy", "p"),
    ("GET", "/api/v1/proxy/namespaces/n/pods/p/a/b", "proxy", "", "v1", "n", "pods", "", "p"),
    ("POST", "/api/v1/proxy/nodes/x", "proxy", "", "v1", "", "nodes", "", "x"),
    ("GET", "/api/v1/watch/pods", "watch", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/watch/namespaces/n/pods", "watch", "", "v1", "n", "pods", "", ""),
    ("GET", "/api/v1/watch/namespaces/n/pods/p", "watch", "", "v1", "n", "pods", "", "p"),
    ("DELETE", "/api/v1/watch/pods", "watch", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/watch/pods?fieldSelector=metadata.name=p", "watch", "", "v1", "", "pods", "", ""),
    ("GET", "/apis/batch/v1/jobs", "list", "batch", "v1", "", "jobs", "", ""),
    ("GET", "/apis/batch/v1/jobs/j/scale", "get", "batch", "v1", "", "jobs", "scale", "j"),
    ("GET", "/apis/a.io/v2/namespaces/n/things/t", "get", "a.io", "v2", "n", "things", "", "t"),
    ("GET", "/apis/a.io/v2/things/a%20b", "get", "a.io", "v2", "", "things", "", "a b"),
    ("GET", "/apis/a.io/v2/things/a%252Fb", "get", "a.io", "v2", "", "things", "", "a%2Fb"),
    ("GET", "/api/v1/pods?watch", "watch", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?watch=", "watch", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?watch=true", "watch", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?watch=no", "watch", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?watch=1&watch=0", "watch", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?watch=0&watch=1", "list", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?watch=0", "list", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?watch=False", "list", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?watch=fal%C5%BFe", "list", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?watch=fal%C5%BFe&limit=x", "watch", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?watch=1;x=1", "list", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?watch=%zz", "list", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?w%61tch=1", "watch", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?watch=true&limit=x", "watch", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?watch=false&limit=x", "list", "", "v1", "", "pods", "", ""),
    ("POST", "/api/v1/pods?watch=true", "create", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods/p?watch=true", "get", "", "v1", "", "pods", "", "p"),
    ("GET", "/api/v1/pods?fieldSelector=metadata.name=p", "list", "", "v1", "", "pods", "", "p"),
    ("GET", "/api/v1/pods?fieldSelector=metadata.name%3D%3Dp&watch=1", "watch", "", "v1", "", "pods", "", "p"),
    ("GET", "/api/v1/pods?fieldSelector=metadata.name=p,spec.x!=y", "list", "", "v1", "", "pods", "", "p"),
    ("GET", "/api/v1/pods?fieldSelector=metadata.name=p,x", "list", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?fieldSelector=metadata.name=p,x&watch=1", "watch", "", "v1", "", "pods", "", ""),
    ("GET", P + "&fieldSelector=metadata.name=q", "list", "", "v1", "", "pods", "", "p"),
    ("GET", P + "&labelSelector=a%20b", "list", "", "v1", "", "pods", "", ""),
    ("GET", P + "&limit=", "list", "", "v1", "", "pods", "", ""),
    ("GET", P + "&limit=5", "list", "", "v1", "", "pods", "", "p"),
    ("GET", P + "&timeoutSeconds=9223372036854775808", "list", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?fieldSelector=metadata.name=..", "list", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?fieldSelector=metadata.name=a/b", "list", "", "v1", "", "pods", "", ""),
    ("DELETE", "/api/v1/pods?fieldSelector=metadata.name=p", "deletecollection", "", "v1", "", "pods", "", ""),
]  # fmt: skip

NON_RESOURCE_REQUESTS = [
    ("GET", "/", "/", "get"),
    ("GET", "/api", "/api", "get"),
    ("GET", "/api/v1", "/api/v1", "get"),
    ("GET", "/api/v1/", "/api/v1/", "get"),
    ("GET", "/apis", "/apis", "get"),
    ("GET", "/apis/a.io/v1", "/apis/a.io/v1", "get"),
    ("GET", "/apis/a.io/v1/", "/apis/a.io/v1/", "get"),
    ("POST", "/healthz/x?watch=1", "/healthz/x", "post"),
    ("GET", "/openapi/v3/apis/a.io/v1", "/openapi/v3/apis/a.io/v1", "get"),
    ("GET", "/apix/v1/pods/p", "/apix/v1/pods/p", "get"),
    ("GET", "/metrics/a%20b", "/metrics/a b", "get"),
    ("Odd", "/x", "/x", "odd"),
]


@pytest.mark.parametrize(
    ("method", "target", "verb", "group", "version", "namespace", "resource", "subresource", "name"), RESOURCE_REQUESTS
)
def test_resource_requests_are_read_as_kube_apiserver_reads_them(
    method: str,
    target: str,
    verb: str,
    group: str,
    version: str,
    namespace: str,
    resource: str,
    subresource: str,
    name: str,
) -> None:
    """Every field of a resource request's RequestInfo is the one kube-apiserver finds."""
    actual = request_info(method, target)

    assert isinstance(actual, RequestInfo)
    expected = (True, verb, group, version, namespace, resource, subresource, name)
    assert expected == (
        actual.is_resource_request,
        actual.verb,
        actual.api_group,
        actual.api_version,
        actual.namespace,
        actual.resource,
        actual.subresource,
        actual.name,
    )


@pytest.mark.parametrize(("method", "target", "path", "verb"), NON_RESOURCE_REQUESTS)
def test_other_requests_are_their_path_and_lower_case_method(method: str, target: str, path: str, verb: str) -> None:
    """A path outside of the API, or too short to name a resource, is a non-resource request."""
    actual = request_info(method, target)

    assert RequestInfo(is_resource_request=False, path=path, verb=verb) == actual


@pytest.mark.parametrize("target", ["/api/v1/watch", "/api/v1/proxy/", "/apis/a.io/v1/watch"])
def test_a_path_verb_without_a_resource_is_unreadable(target: str) -> None:
    """A special verb with nothing after it has no RequestInfo, for the reason kube-apiserver gives."""
    actual = request_info("GET", target)

    assert Unreadable(f"unable to determine kind and namespace from url, {target}") == actual


def test_a_query_changes_nothing_but_what_is_asked_of_a_collection() -> None:
    """What the path alone asks for is all there is without a query, and for every other verb."""
    for method, target in (("GET", "/api/v1/pods"), ("GET", "/api/v1/pods/p?watch=1"), ("GET", "/x?watch=1")):
        asked = asked_by_path(method, target)
        assert isinstance(asked, RequestInfo)
        assert asked is heeding_query(asked, target)
    assert asked_by_path("GET", "/api/v1/pods?watch=1") == request_info("GET", "/api/v1/pods")


@pytest.mark.parametrize(
    "raw_path",
    [
        "/",
        "/api",
        "/api/",
        "/api/v1/pods?x=%zz;&y=..%2f",
        "/apis/a.io/v1/namespaces/n/things/a:b@c,d;e=f~!$&'()*+",
        "/apis/a.io/v1/things/a%20b",
        "/apis/a.io/v1/things/%C3%A9",
        "/apis/a.io/v1/things/a%252Fb",
        "/apis/a.io/v1/things/.hidden",
        "/apis/a.io/v1/things/...",
        "/healthz/a%20b",
        "/openapi/v3/apis/a.io/v1",
        "/logs/<x>",
    ],
)
def test_paths_with_one_reading_pass(raw_path: str) -> None:
    """A path that routing, deciding and a backend read alike is not refused."""
    actual = check_path(raw_path)

    assert actual is None


@pytest.mark.parametrize(
    ("raw_path", "reason"),
    [
        ("", "does not begin with a slash"),
        ("*", "does not begin with a slash"),
        ("?x", "does not begin with a slash"),
        ("http://h/api", "does not begin with a slash"),
        ("/api/v1/pods#x", "holds a fragment"),
        ("/api/v1/pods?a=1#x", "holds a fragment"),
        ("/api/v1/a\rb", "holds a control character"),
        ("/api/v1/pods?a=\x00", "holds a control character"),
        ("/api/v1/a b", "holds a character that must be percent-encoded"),
        ("/api/v1/é", "holds a character that must be percent-encoded"),
        ("/api/v1/%", "holds a percent sign that begins no escape"),
        ("/api/v1/%4", "holds a percent sign that begins no escape"),
        ("/api/v1/%zz", "holds a percent sign that begins no escape"),
        ("/api/v1\\pods", "holds a backslash or an escaped slash"),
        ("/apis/a.io%2Fv1", "holds a backslash or an escaped slash"),
        ("/api/v1/pods/a%2fb", "holds a backslash or an escaped slash"),
        ("/api/v1/pods/a%5Cb", "holds a backslash or an escaped slash"),
        ("/api/v1/pods/%ff", "is not UTF-8 once decoded"),
        ("/api/v1/pods/%C0%AF", "is not UTF-8 once decoded"),
        ("/api/v1/pods/%ED%A0%80", "is not UTF-8 once decoded"),
        ("/api/v1/pods/a%00", "holds an escaped control character"),
        ("/api/v1/pods/a%0d%0a", "holds an escaped control character"),
        ("/api/v1/pods/a%C2%85", "holds an escaped control character"),
        ("//api/v1", "holds an empty segment"),
        ("//", "holds an empty segment"),
        ("/api//v1", "holds an empty segment"),
        ("/api/v1//", "holds an empty segment"),
        ("/api/v1/..", "holds a dot segment"),
        ("/api/./v1", "holds a dot segment"),
        ("/api/v1/%2e%2E/x", "holds a dot segment"),
        ("/api/v1/.%2e", "holds a dot segment"),
        ("/%61pis/a.io/v1", "holds an escape in a segment that chooses the API"),
        ("/apis/%61.io/v1", "holds an escape in a segment that chooses the API"),
        ("/apis/a.io/v%31/things", "holds an escape in a segment that chooses the API"),
        ("/api/v%31/pods", "holds an escape in a segment that chooses the API"),
        ("/openapi/v3/apis/a.io/v%31", "holds an escape in a segment that chooses the API"),
        ("/openapi/v3/%61pis/a.io/v1", "holds an escape in a segment that chooses the API"),
    ],
)
def test_paths_with_two_readings_are_refused(raw_path: str, reason: str) -> None:
    """A path that two parties might read differently is refused, with the reason."""
    actual = check_path(raw_path)

    assert reason == actual


PODS = "/api/v1/namespaces/n/pods"
SELECTORS = "fieldSelector=spec.nodeName%3Dx&labelSelector=a+in+(c,b)"


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", f"{PODS}?{SELECTORS}"),
        ("GET", f"{PODS}?watch=1&{SELECTORS}"),
        ("DELETE", f"{PODS}?{SELECTORS}"),
        ("GET", f"{PODS}?limit=x&{SELECTORS}"),
        ("GET", f"{PODS}?{SELECTORS}&labelSelector=other&fieldSelector=other=1"),
        ("GET", f"{PODS}?field%53elector=spec.nodeName=x&labelSelector=a+in+(c,b)"),
    ],
)
def test_selectors_narrow_what_is_asked_for(method: str, target: str) -> None:
    """A list, a watch and a deletion of a collection have the first selectors that there are."""
    info = request_info(method, target)

    assert isinstance(info, RequestInfo)
    assert ("spec.nodeName=x", "a in (c,b)") == (info.field_selector, info.label_selector)
    assert isinstance(hash(info), int)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", PODS),
        ("GET", f"{PODS}/p?{SELECTORS}"),
        ("POST", f"{PODS}?{SELECTORS}"),
        ("DELETE", f"{PODS}/p?{SELECTORS}"),
        ("GET", f"/api/v1/watch/namespaces/n/pods?{SELECTORS}"),
        ("DELETE", f"/api/v1/watch/pods?{SELECTORS}"),
        ("GET", f"{PODS}?fieldSelector=x;y&labelSelector=a%2"),
        ("GET", f"{PODS}?fieldSelectors=x&labelSelecto=a&%20labelSelector=a&aa=fieldSelector=b"),
        ("GET", f"{PODS}?fieldSelector=&labelSelector="),
        ("GET", f"/healthz?{SELECTORS}"),
    ],
)
def test_other_requests_have_no_selectors(method: str, target: str) -> None:
    """Neither have other verbs, paths with a verb in them, nor queries that say it only in part."""
    info = request_info(method, target)

    assert isinstance(info, RequestInfo)
    assert ("", "") == (info.field_selector, info.label_selector)


@pytest.mark.parametrize("target", LARGE, ids=lambda target: target[:40])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_no_request_takes_many_steps(method: str, target: str) -> None:
    """However many parts a large request has, none of them is looked at by itself: that takes too long."""
    assert steps(lambda: check_path(target)) < MANY
    assert steps(lambda: request_info(method, target)) < MANY
