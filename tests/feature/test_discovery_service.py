"""Discovery as clients see it: real backends over mutual TLS, asked and joined, served over HTTP."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import orjson
import pytest
import structlog
from discovery_face import KUBECTL, ApiServer, FrontDoor

from controlplane.discovery.negotiate import AGGREGATED_CONTENT_TYPE

# Longer than anything but a hang takes on a busy machine, shorter than a backend is given to answer.
PROMPT = 4.0


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[FrontDoor]:
    """A front door with nothing registered yet."""
    door = FrontDoor(tmp_path)
    refreshing = asyncio.create_task(door.refresh.run())
    await door.start()
    yield door
    refreshing.cancel()
    await asyncio.gather(refreshing, return_exceptions=True)
    await door.stop()


async def test_the_first_request_after_a_registration_has_its_resources(door: FrontDoor) -> None:
    """Kubectl get works at once: the answer waits for a backend that was never asked."""
    door.register(await door.behind("web", ApiServer({"a.io": ["v1", "v2"]})), "v1.a.io")

    assert await door.discover() == {"a.io/v1": ["ships"]}


async def test_a_group_version_that_the_backend_does_not_serve_has_no_resources(door: FrontDoor) -> None:
    """It is listed and current: the backend was asked and did not mention it."""
    door.register(await door.behind("web", ApiServer({"a.io": ["v1"]})), "v1.a.io", "v2.a.io")

    assert await door.discover() == {"a.io/v2": [], "a.io/v1": ["ships"]}


@pytest.mark.parametrize("refusal", [404, 406])
async def test_a_backend_with_legacy_discovery_only_is_listed_with_its_resources(door: FrontDoor, refusal: int) -> None:
    """Each of its group-versions is asked for by itself."""
    server = ApiServer({"a.io": ["v1", "v2"]}, aggregated=False, refusal=refusal)
    door.register(await door.behind("web", server), "v1.a.io", "v2.a.io")

    assert await door.discover() == {"a.io/v2": ["ships"], "a.io/v1": ["ships"]}


async def test_a_dead_backend_is_stale_and_harms_no_other(door: FrontDoor) -> None:
    """A refused connection is known at once."""
    door.register(await door.behind("dead", None), "v1.dead.io")
    door.register(await door.behind("web", ApiServer({"a.io": ["v1"]})), "v1.a.io")

    assert await door.discover() == {"a.io/v1": ["ships"], "dead.io/v1": ["Stale"]}
    _, _, body = await door.get("/apis")
    assert [group["name"] for group in orjson.loads(body)["groups"]] == ["a.io", "dead.io"]


async def test_a_backend_that_never_answers_slows_nobody_down(door: FrontDoor) -> None:
    """It is stale before its attempt ends, and later requests do not wait at all."""
    door.register(await door.behind("hanging", ApiServer({}, hangs=True)), "v1.hanging.io")
    door.register(await door.behind("web", ApiServer({"a.io": ["v1"]})), "v1.a.io")

    async with asyncio.timeout(PROMPT):
        found = await door.discover()

    assert found == {"a.io/v1": ["ships"], "hanging.io/v1": ["Stale"]}


async def test_registered_groups_stand_among_the_cores_and_shadow_them(door: FrontDoor) -> None:
    """Priorities place them; a registered version is the backend's, other versions of the group stay the core's."""
    core = ApiServer({"apps": ["v1"], "shared.io": ["v2", "v1"]}, resource="cores", legacy_group=True)
    door.before(await door.behind("core", core))
    door.register(await door.behind("web", ApiServer({"high.io": ["v1"]})), "v1.high.io", priority=19000)
    door.register(await door.behind("two", ApiServer({"shared.io": ["v1"]})), "v1.shared.io")

    found = await door.discover()

    assert list(found.items()) == [
        ("high.io/v1", ["ships"]),
        ("apps/v1", ["cores"]),
        ("shared.io/v2", ["cores"]),
        ("shared.io/v1", ["ships"]),
    ]
    assert await door.discover("/api") == {"/v1": ["cores"]}
    _, _, version = await door.get("/version")
    assert orjson.loads(version)["gitVersion"] == "v1.36.3"


async def test_what_the_core_has_just_begun_to_serve_is_in_the_next_answer(door: FrontDoor) -> None:
    """A client that made a CustomResourceDefinition finds its resources, and not a minute later."""
    core = ApiServer({"apps": ["v1"]}, resource="cores")
    door.before(await door.behind("core", core))
    assert await door.discover() == {"apps/v1": ["cores"]}

    core.groups["crd.io"] = ["v1"]

    assert await door.discover() == {"apps/v1": ["cores"], "crd.io/v1": ["cores"]}


async def test_without_the_core_nothing_is_claimed(door: FrontDoor) -> None:
    """A list without the core's groups would have clients act on it; they are told to come again."""
    door.register(await door.behind("web", ApiServer({"a.io": ["v1"]})), "v1.a.io")
    door.before(await door.behind("core", None))

    status, headers, body = await door.get("/apis", KUBECTL)

    assert (status, headers["Retry-After"], orjson.loads(body)["reason"]) == (503, "5", "ServiceUnavailable")


async def test_an_unchanged_document_is_not_sent_again(door: FrontDoor) -> None:
    """The ETag that came with a document, and nothing like it, is answered with 304 and no body."""
    door.register(await door.behind("web", ApiServer({"a.io": ["v1"]})), "v1.a.io")
    _, headers, body = await door.get("/apis", KUBECTL)
    etag = headers["ETag"]

    assert (headers["Content-Type"], headers["Vary"], headers["Cache-Control"]) == (
        AGGREGATED_CONTENT_TYPE,
        "Accept",
        "public",
    )
    status, again, nothing = await door.get("/apis", KUBECTL, If_None_Match=etag)
    assert (304, etag, b"") == (status, again["ETag"], nothing)
    assert (await door.get("/apis", KUBECTL, If_None_Match=f"W/{etag}"))[::2] == (200, body)


async def test_a_new_registration_makes_a_new_document(door: FrontDoor) -> None:
    """The old ETag no longer holds; the backend that did not change is not asked again."""
    first = ApiServer({"a.io": ["v1"]})
    door.register(await door.behind("first", first), "v1.a.io")
    _, headers, _ = await door.get("/apis", KUBECTL)
    door.register(await door.behind("second", ApiServer({"b.io": ["v1"]})), "v1.b.io")

    status, _, _ = await door.get("/apis", KUBECTL, If_None_Match=headers["ETag"])

    assert (status, first.asked.count("/apis")) == (200, 1)


async def test_a_large_document_is_compressed_for_who_takes_it(door: FrontDoor) -> None:
    """From 128 KiB on, and only where Accept-Encoding allows."""
    versions = [f"v{number}" for number in range(1, 901)]
    door.register(await door.behind("web", ApiServer({"a.io": versions})), *(f"{version}.a.io" for version in versions))
    _, plain, body = await door.get("/apis", KUBECTL, Accept_Encoding="identity")
    _, packed, compressed = await door.get("/apis", KUBECTL, Accept_Encoding="gzip")

    assert (plain.get("Content-Encoding"), packed.get("Content-Encoding")) == (None, "gzip")
    assert gzip.decompress(compressed) == body


async def test_the_openapi_index_leads_to_the_backends(door: FrontDoor) -> None:
    """It fills in as soon as the backend's own index was had."""
    door.register(await door.behind("web", ApiServer({"a.io": ["v1", "v2"]})), "v1.a.io")
    expected = {"paths": {"apis/a.io/v1": {"serverRelativeURL": "/openapi/v3/apis/a.io/v1?hash=1"}}}

    async with asyncio.timeout(30):
        seen = door.documents.value
        while orjson.loads((await door.get("/openapi/v3"))[2]) != expected:
            seen = await door.documents.changed(seen)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", 200),
        ("/api", 200),
        ("/api/", 200),
        ("/apis", 200),
        ("/apis/", 200),
        ("/apis?timeout=32s", 200),
        ("/apis/a.io", 200),
        ("/apis/a.io/", 200),
        ("/version", 200),
        ("/healthz", 200),
        ("/livez", 200),
        ("/readyz", 200),
        ("/apis/b.io", 404),
        ("/apis/a%2Eio", 404),
        ("/apis//", 404),
        ("/elsewhere", 404),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_every_path_answers_and_no_other(door: FrontDoor, path: str, method: str, expected: int) -> None:
    """HEAD is GET without the body."""
    door.register(await door.behind("web", ApiServer({"a.io": ["v1"]})), "v1.a.io")

    status, headers, body = await door.get(path, method=method)

    assert expected == status
    assert bool(body) == (method == "GET")
    assert int(headers["Content-Length"]) > 0


@pytest.mark.parametrize(("path", "expected"), [("/livez", 200), ("/readyz", 503), ("/apis", 503)])
async def test_nothing_is_said_before_the_first_topology(door: FrontDoor, path: str, expected: int) -> None:
    """Alive, not ready, and no list that could be taken for an empty one."""
    status, _, _ = await door.get(path)

    assert expected == status


async def test_a_defect_shows_nothing_of_itself(door: FrontDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client gets a Status, the log gets the rest."""

    def fail(*_: object) -> Callable[..., object]:
        raise RuntimeError("inner workings")

    monkeypatch.setattr("controlplane.discovery.service.respond", fail)
    door.register(await door.behind("web", ApiServer({"a.io": ["v1"]})), "v1.a.io")

    with structlog.testing.capture_logs([structlog.processors.format_exc_info]) as log:
        status, _, body = await door.get("/apis")

    assert (status, orjson.loads(body)["reason"]) == (500, "InternalError")
    assert b"inner workings" not in body
    assert any("inner workings" in entry.get("exception", "") for entry in log)
