"""The pages of discovery."""

import gzip
import hashlib
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from controlplane import __version__
from controlplane.discovery.answers import Answers, Page, respond
from controlplane.discovery.decode import stale
from controlplane.discovery.documents import CoreDocument, Documents, GroupDiscovery, GroupList, VersionDiscovery
from controlplane.discovery.negotiate import AGGREGATED_CONTENT_TYPE
from controlplane.discovery.status import Refusal
from controlplane.model.topology import Api

AnApi = Callable[..., Api]

_V1 = VersionDiscovery("v1", b'{"version":"v1","freshness":"Current"}')
_CORE = CoreDocument(
    reached=True,
    api=GroupList((GroupDiscovery("", (_V1,)),)),
    apis=GroupList((GroupDiscovery("apps", (_V1,)),)),
    version=b'{"major":"1"}',
)


def _answers(*apis: Api, core: CoreDocument | None = None) -> Answers:
    listed = {api.service.group_version: api for api in apis}
    return Answers(listed, Documents(core=core), with_core=core is not None)


def _body(answers: Answers, path: str, accept: str = "") -> dict[str, Any]:
    page = respond(answers, path, accept)
    assert isinstance(page, Page)
    document: dict[str, Any] = orjson.loads(page.body)
    return document


@pytest.mark.parametrize("path", ["/apis", "/apis/"])
def test_apis_lists_groups_with_their_preferred_version(an_api: AnApi, path: str) -> None:
    """The first version is the preferred one."""
    versions = [{"groupVersion": f"a.io/{version}", "version": version} for version in ("v2", "v1")]

    assert _body(_answers(an_api("v1.a.io"), an_api("v2.a.io")), path) == {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [{"name": "a.io", "versions": versions, "preferredVersion": versions[0]}],
    }


@pytest.mark.parametrize("path", ["/apis/a.io", "/apis/a.io/"])
def test_a_group_has_a_document_of_its_own(an_api: AnApi, path: str) -> None:
    """The same group as in the list."""
    version = {"groupVersion": "a.io/v1", "version": "v1"}

    assert _body(_answers(an_api("v1.a.io")), path) == {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": "a.io",
        "versions": [version],
        "preferredVersion": version,
    }


def test_aggregated_discovery_lists_every_group_with_its_versions(an_api: AnApi) -> None:
    """Registered groups and the core's are joined in one document."""
    answers = _answers(an_api("v1.a.io"), core=_CORE)

    assert _body(answers, "/apis", AGGREGATED_CONTENT_TYPE) == {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [
            {"metadata": {"name": "apps"}, "versions": [{"version": "v1", "freshness": "Current"}]},
            {"metadata": {"name": "a.io"}, "versions": [orjson.loads(stale("v1").body)]},
        ],
    }


@pytest.mark.parametrize(
    ("core", "versions", "items"),
    [
        (None, [], []),
        (_CORE, ["v1"], [{"metadata": {"name": ""}, "versions": [{"version": "v1", "freshness": "Current"}]}]),
    ],
)
def test_api_lists_the_legacy_core_group_where_there_is_one(
    core: CoreDocument | None, versions: list[str], items: list[object]
) -> None:
    """Without a core both forms are empty lists, which clients take as "no such group"."""
    answers = _answers(core=core)

    assert _body(answers, "/api") == {"kind": "APIVersions", "versions": versions, "serverAddressByClientCIDRs": []}
    assert _body(answers, "/api", AGGREGATED_CONTENT_TYPE)["items"] == items


def test_version_is_the_cores_where_there_is_one() -> None:
    """What kubectl compares itself with is who serves most of the API."""
    assert _body(_answers(core=_CORE), "/version") == {"major": "1"}


def test_version_names_the_kubernetes_release_whose_behaviour_is_kept() -> None:
    """Without a core, kubectl is told 1.36, and that it is Isthmus."""
    version = _body(_answers(), "/version")

    assert ("1", "36", f"v1.36.0+isthmus.{__version__}") == (version["major"], version["minor"], version["gitVersion"])


def test_the_root_lists_the_paths_of_every_group(an_api: AnApi) -> None:
    """Groups and versions come and go with their APIServices."""
    paths = _body(_answers(an_api("v1.a.io"), core=_CORE), "/")["paths"]

    assert paths == [
        "/api",
        "/api/v1",
        "/apis",
        "/apis/a.io",
        "/apis/a.io/v1",
        "/apis/apps",
        "/apis/apps/v1",
        "/healthz",
        "/livez",
        "/openapi/v3",
        "/readyz",
        "/version",
    ]


def test_the_openapi_index_is_a_map_of_urls() -> None:
    """As kube-openapi writes it."""
    core = CoreDocument(reached=True, openapi={"api/v1": "/openapi/v3/api/v1?hash=1"})

    assert _body(_answers(core=core), "/openapi/v3") == {
        "paths": {"api/v1": {"serverRelativeURL": "/openapi/v3/api/v1?hash=1"}}
    }


@pytest.mark.parametrize(
    "path", ["/apis/b.io", "/apis/a.io/v1", "/apis//", "/apis/A.IO", "/apiss", "//apis", "", "/openapi"]
)
def test_what_is_not_there_is_a_404(an_api: AnApi, path: str) -> None:
    """Only exact paths are answered."""
    answer = respond(_answers(an_api("v1.a.io")), path, "")

    assert isinstance(answer, Refusal)
    assert (answer.code, answer.reason) == (404, "NotFound")


@pytest.mark.parametrize("path", ["/api", "/apis", "/apis/", "/apis/a.io"])
def test_what_cannot_be_served_as_asked_is_a_406(an_api: AnApi, path: str) -> None:
    """v2beta1 alone is no longer served."""
    answer = respond(_answers(an_api("v1.a.io")), path, AGGREGATED_CONTENT_TYPE.replace("v=v2", "v=v2beta1"))

    assert isinstance(answer, Refusal)
    assert (answer.code, answer.reason) == (406, "NotAcceptable")


def test_nothing_is_listed_before_the_core_said_what_it_serves(an_api: AnApi) -> None:
    """A list that lacks the core's groups would be taken for the truth."""
    answer = respond(_answers(an_api("v1.a.io"), core=CoreDocument()), "/apis", "")

    assert isinstance(answer, Refusal)
    assert (answer.code, answer.retry_after) == (503, 5)


def test_equal_worlds_give_equal_bytes_whatever_their_order(an_api: AnApi) -> None:
    """Replicas agree on the ETag."""
    apis = [an_api(f"v{version}.{group}.io", 100) for version in (1, 2) for group in "abc"]

    assert _answers(*apis).apis_aggregated.etag == _answers(*reversed(apis)).apis_aggregated.etag


def test_an_etag_is_the_quoted_upper_case_sha_512() -> None:
    """As kube-apiserver makes them."""
    assert Page(b"{}").etag == f'"{hashlib.sha512(b"{}").hexdigest().upper()}"'


def test_a_compressed_page_is_the_same_page() -> None:
    """Gzip carries no time stamp and no change."""
    assert gzip.decompress(Page(b"{}" * 99).compressed) == b"{}" * 99


def test_a_status_says_code_reason_and_message() -> None:
    """A refusal's body is a meta/v1 Status."""
    assert orjson.loads(Refusal(503, "ServiceUnavailable", "try again", retry_after=5).body) == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "try again",
        "reason": "ServiceUnavailable",
        "details": {"retryAfterSeconds": 5},
        "code": 503,
    }
