"""The conversation with one server."""

from collections.abc import Mapping

import orjson
import pytest

from controlplane.discovery.client import Reply, Unreachable
from controlplane.discovery.decode import stale, without_resources
from controlplane.discovery.documents import BackendDocument, CoreDocument, GroupDiscovery, GroupList, VersionDiscovery
from controlplane.discovery.fetch import backend_discovery, backend_openapi, core_document
from controlplane.discovery.negotiate import AGGREGATED_CONTENT_TYPE
from controlplane.model.apiservice import GroupVersion

_V1 = GroupVersion("a.io", "v1")
_V2 = GroupVersion("a.io", "v2")
_LEGACY = GroupVersion("", "v1")
_BOTH = frozenset({_V1, _V2})
_RESOURCE_LIST = orjson.dumps({"kind": "APIResourceList", "resources": [{"name": "ships", "kind": "Ship"}]})
_OPENAPI = b'{"paths": {"apis/a.io/v1": {"serverRelativeURL": "/openapi/v3/apis/a.io/v1?hash=1"}}}'
_GONE = Unreachable("connection refused")


class _Server:
    """Answers each path with a reply prepared for it, 404 otherwise, and remembers what it was asked."""

    def __init__(self, replies: Mapping[str, Reply | Unreachable]) -> None:
        self.replies = dict(replies)
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, path: str, *, accept: str, etag: str = "") -> Reply | Unreachable:
        assert "application/json" in accept
        self.asked.append((path, etag))
        return self.replies.get(path, Reply(404))


def _aggregated(*versions: str, group: str = "a.io", etag: str = '"1"') -> Reply:
    items = [{"metadata": {"name": group}, "versions": [{"version": version} for version in versions]}]
    body = orjson.dumps({"kind": "APIGroupDiscoveryList", "items": items})
    return Reply(200, AGGREGATED_CONTENT_TYPE, etag, body)


def _plain(document: object) -> Reply:
    return Reply(200, "application/json", "", orjson.dumps(document))


async def test_an_aggregated_answer_is_all_there_is_to_ask() -> None:
    """One request answers for every group-version, and only for those that were asked for."""
    server = _Server({"/apis": _aggregated("v1", "v2", "v3")})

    document = await backend_discovery(server, _BOTH, BackendDocument())

    assert document == BackendDocument({_V1: without_resources("v1"), _V2: without_resources("v2")}, etag='"1"')
    assert server.asked == [("/apis", "")]


async def test_v2beta1_of_an_older_backend_is_taken() -> None:
    """Backends older than aggregated discovery's release still speak it."""
    reply = _aggregated("v1")
    older = Reply(200, AGGREGATED_CONTENT_TYPE.replace("v=v2", "v=v2beta1"), "", reply.body)

    document = await backend_discovery(_Server({"/apis": older}), frozenset({_V1}), BackendDocument())

    assert document.versions == {_V1: without_resources("v1")}


async def test_a_version_that_the_backend_does_not_mention_is_current_without_resources() -> None:
    """It was asked just now, so nothing about it is stale."""
    document = await backend_discovery(_Server({"/apis": _aggregated("v1")}), _BOTH, BackendDocument())

    assert (document.versions[_V2], document.failure) == (without_resources("v2"), "")


async def test_an_unchanged_answer_keeps_what_was_there() -> None:
    """304 means the document before, whose ETag was sent."""
    server = _Server({"/apis": _aggregated("v1")})
    before = await backend_discovery(server, frozenset({_V1}), BackendDocument())
    server.replies["/apis"] = Reply(304)

    assert await backend_discovery(server, frozenset({_V1}), before) == before
    assert server.asked == [("/apis", ""), ("/apis", '"1"')]


async def test_a_new_registration_is_not_answered_by_304() -> None:
    """What is kept holds only what was asked for then, so more is asked for without an ETag."""
    server = _Server({"/apis": _aggregated("v1", "v2")})
    before = await backend_discovery(server, frozenset({_V1}), BackendDocument())
    after = await backend_discovery(server, _BOTH, before)

    assert server.asked == [("/apis", ""), ("/apis", "")]
    assert after.versions.keys() == _BOTH


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (_GONE, "connection refused"),
        (Reply(503), "/apis was answered with status 503"),
        (Reply(200, AGGREGATED_CONTENT_TYPE, '"2"', b"{"), "the answer to /apis is no discovery document"),
    ],
)
async def test_a_failed_attempt_leaves_everything_stale(reply: Reply | Unreachable, reason: str) -> None:
    """No answer, 503 and nonsense are not retried in the legacy form, and old resources are dropped."""
    before = BackendDocument({_V1: VersionDiscovery("v1", b"old"), _V2: VersionDiscovery("v2", b"old")}, etag='"1"')
    server = _Server({"/apis": reply})

    document = await backend_discovery(server, _BOTH, before)

    assert (document.versions, document.etag) == ({_V1: stale("v1"), _V2: stale("v2")}, "")
    assert document.failure.startswith(reason)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(404),
        Reply(406),
        Reply(403),
        Reply(500),
        Reply(304),
        Reply(200, "", "", b"x"),
        _plain({"kind": "APIGroupList"}),
    ],
)
async def test_anything_else_is_answered_by_legacy_discovery(reply: Reply) -> None:
    """Each group-version is asked for by itself, and one that fails does not harm the other."""
    server = _Server({"/apis": reply, "/apis/a.io/v1": Reply(200, "application/json", "", _RESOURCE_LIST)})

    document = await backend_discovery(server, _BOTH, BackendDocument())

    resource = orjson.loads(document.versions[_V1].body)["resources"][0]
    assert (resource["resource"], resource["scope"]) == ("ships", "Cluster")
    assert (document.versions[_V2], document.failure) == (stale("v2"), "/apis/a.io/v2 was answered with status 404")


async def test_a_legacy_list_that_cannot_be_read_is_stale() -> None:
    """The reason says which answer it was."""
    server = _Server({"/apis/a.io/v1": Reply(200, "application/json", "", b"[]")})

    document = await backend_discovery(server, frozenset({_V1}), BackendDocument())

    assert document.versions == {_V1: stale("v1")}
    assert document.failure.startswith("the answer to /apis/a.io/v1 is no discovery document")


async def test_the_legacy_core_group_is_asked_for_by_its_own_path() -> None:
    """/apis never lists it."""
    server = _Server({"/apis": _aggregated("v1"), "/api/v1": Reply(200, "application/json", "", _RESOURCE_LIST)})

    document = await backend_discovery(server, frozenset({_V1, _LEGACY}), BackendDocument())

    assert document.versions.keys() == {_V1, _LEGACY}
    assert b"ships" in document.versions[_LEGACY].body


async def test_openapi_is_kept_when_it_cannot_be_had_and_dropped_when_there_is_none() -> None:
    """Documentation that cannot be asked for now is better than none."""
    server = _Server({"/openapi/v3": Reply(200, "application/json", "", _OPENAPI)})
    found = await backend_openapi(server, frozenset({_V1}), BackendDocument())
    kept = await backend_openapi(_Server({"/openapi/v3": _GONE}), frozenset({_V1}), found)
    unreadable = await backend_openapi(_Server({"/openapi/v3": _plain([])}), frozenset({_V1}), found)
    dropped = await backend_openapi(_Server({}), frozenset({_V1}), found)

    assert found.openapi == {_V1: "/openapi/v3/apis/a.io/v1?hash=1"}
    assert (found, found, BackendDocument()) == (kept, unreadable, dropped)


def _core() -> _Server:
    return _Server(
        {
            "/api": _aggregated("v1", group="", etag='"api"'),
            "/apis": _aggregated("v1", etag='"apis"'),
            "/version": _plain({"major": "1"}),
            "/openapi/v3": Reply(200, "application/json", "", _OPENAPI),
        }
    )


async def test_the_core_is_asked_for_everything() -> None:
    """Both lists, its version and its OpenAPI index."""
    assert await core_document(_core(), CoreDocument()) == CoreDocument(
        reached=True,
        api=GroupList((GroupDiscovery("", (without_resources("v1"),)),), '"api"'),
        apis=GroupList((GroupDiscovery("a.io", (without_resources("v1"),)),), '"apis"'),
        version=b'{"major":"1"}',
        openapi={"apis/a.io/v1": "/openapi/v3/apis/a.io/v1?hash=1"},
    )


async def test_an_unchanged_core_gives_an_equal_document() -> None:
    """304 for both lists keeps both."""
    server = _core()
    before = await core_document(server, CoreDocument())
    server.replies |= {"/api": Reply(304), "/apis": Reply(304)}

    assert await core_document(server, before) == before


async def test_a_core_that_is_gone_is_listed_as_stale() -> None:
    """What it served before is still named, so that nobody takes it for removed."""
    before = await core_document(_core(), CoreDocument())
    gone = _Server(dict.fromkeys(("/api", "/apis", "/version", "/openapi/v3"), _GONE))

    after = await core_document(gone, before)

    assert after == CoreDocument(
        reached=True,
        api=GroupList((GroupDiscovery("", (stale("v1"),)),)),
        apis=GroupList((GroupDiscovery("a.io", (stale("v1"),)),)),
        version=before.version,
        openapi=before.openapi,
        failure="connection refused",
    )


@pytest.mark.parametrize("path", ["/api", "/apis"])
async def test_a_core_is_reached_when_both_lists_were_had(path: str) -> None:
    """Half of what it serves is not what it serves."""
    server = _core()
    server.replies[path] = _GONE

    document = await core_document(server, CoreDocument())

    assert (document.reached, document.failure) == (False, "connection refused")


async def test_a_core_without_the_legacy_group_is_reached_too() -> None:
    """Any API server may be the core; one without /api, /version and OpenAPI simply has none."""
    document = await core_document(_Server({"/apis": _aggregated("v1")}), CoreDocument())

    assert (True, GroupList(), b"", {}) == (document.reached, document.api, document.version, document.openapi)


async def test_a_core_without_aggregated_discovery_is_asked_group_by_group() -> None:
    """The order of its lists is kept, and a group-version that fails is stale in an otherwise whole list."""
    groups = [{"name": name, "versions": [{"version": "v1"}]} for name in ("b.io", "a.io")]
    server = _Server(
        {
            "/api": _plain({"kind": "APIVersions", "versions": ["v1"]}),
            "/apis": _plain({"kind": "APIGroupList", "groups": groups}),
            "/api/v1": Reply(200, "application/json", "", _RESOURCE_LIST),
            "/apis/a.io/v1": Reply(200, "application/json", "", _RESOURCE_LIST),
        }
    )

    document = await core_document(server, CoreDocument())

    listed = [(group.name, item.stale) for group in document.apis.groups for item in group.versions]
    assert (document.reached, listed) == (True, [("b.io", True), ("a.io", False)])
    assert b"ships" in document.api.groups[0].versions[0].body


async def test_an_answer_that_is_no_list_leaves_the_core_unreached() -> None:
    """A login page or another kind of server is not an API server without groups."""
    document = await core_document(_Server({"/apis": _plain({"kind": "Status"})}), CoreDocument())

    assert not document.reached
    assert document.failure.startswith("the answer to /apis is no discovery document")
