"""The index of OpenAPI v3 documents."""

from collections.abc import Callable
from types import MappingProxyType

import pytest

from controlplane.discovery.documents import BackendDocument, CoreDocument, Documents
from controlplane.discovery.openapi import merged_index, own_documents
from controlplane.model.apiservice import GroupVersion
from controlplane.model.topology import Api

_GROUP_VERSION = GroupVersion("a.io", "v1")
_PATH = "/openapi/v3/apis/a.io/v1"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"{_PATH}?hash=0AF", f"{_PATH}?hash=0AF"),
        (f"{_PATH}?hash=a%3D%3D", f"{_PATH}?hash=a%3D%3D"),
        (_PATH, _PATH),
        (f"{_PATH}?hash=0AF&token=x", _PATH),
        (f"{_PATH}?token=x", _PATH),
        (f"{_PATH}?hash=", _PATH),
        (f"{_PATH}#there", _PATH),
        (f"{_PATH}/", None),
        ("/openapi/v3/apis/other.io/v1?hash=0AF", None),
        (f"https://elsewhere.example{_PATH}", None),
        (f"//elsewhere.example{_PATH}", None),
        ("https://[::1", None),
        ("", None),
    ],
)
def test_a_backends_url_is_kept_only_on_its_own_path(url: str, expected: str | None) -> None:
    """A URL that the front door would route elsewhere is left out; of a query only the hash is kept."""
    assert expected == own_documents({"apis/a.io/v1": url}, [_GROUP_VERSION]).get(_GROUP_VERSION)


def test_a_backends_other_documents_are_left_out() -> None:
    """A backend speaks for what is registered with it."""
    index = {"apis/a.io/v1": _PATH, "apis": "/openapi/v3/apis", "apis/b.io/v1": "/openapi/v3/apis/b.io/v1"}

    assert own_documents(index, [_GROUP_VERSION, GroupVersion("c.io", "v1")]) == {_GROUP_VERSION: _PATH}


def test_the_index_joins_the_cores_with_the_backends(an_api: Callable[..., Api]) -> None:
    """Backends' documents replace the core's of the same path; without one, the core's is left out all the same."""
    ours, silent, local = an_api("v1.a.io"), an_api("v1.b.io", service="silent"), an_api("v1.c.io", service="")
    apis = {api.service.group_version: api for api in (ours, silent, local)}
    document = BackendDocument(openapi=MappingProxyType({_GROUP_VERSION: f"{_PATH}?hash=1"}))
    paths = ("version", "apis/a.io/v1", "apis/b.io/v1", "apis/c.io/v1", "api/v1")
    core = CoreDocument(openapi={path: f"core {path}" for path in paths})

    assert list(merged_index(apis, Documents({ours.backend: document}), core).items()) == [
        ("api/v1", "core api/v1"),
        ("apis/a.io/v1", f"{_PATH}?hash=1"),
        ("apis/c.io/v1", "core apis/c.io/v1"),
        ("version", "core version"),
    ]
