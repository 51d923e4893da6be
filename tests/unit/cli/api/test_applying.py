"""Applying in batches, although a batch is all or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest

from controlplane.api.v1 import config_pb2
from controlplane.cli.api.applying import Applied, Applying, Refused
from controlplane.cli.api.manifests import Manifest
from controlplane.cli.api.waiting import Waiting
from controlplane.configapi.client import ApiError
from controlplane.resources.kinds import KINDS

Rollout = config_pb2.Rollout
DOWN = ApiError("UNAVAILABLE", "", "nobody answers")


class Server:
    """Refuses a batch for the first of its objects called bad-..., or as a whole when `whole` gives a reason."""

    def __init__(self, whole: Callable[[Sequence[str]], ApiError | None] = lambda _: None) -> None:
        self.batches: list[list[str]] = []
        self.requests: list[config_pb2.BatchApplyRequest] = []
        self._whole = whole
        self.rollout = Rollout()

    def batch_apply(self, request: config_pb2.BatchApplyRequest) -> config_pb2.BatchApplyResponse:
        """Applies objects, or none."""
        names = [json.loads(text)["name"] for text in request.json]
        self.batches.append(names)
        self.requests.append(request)
        if error := self._whole(names):
            raise error
        for index, name in enumerate(names):
            if name.startswith("bad"):
                raise ApiError("INVALID_ARGUMENT", "Invalid", f"{name} is bad", metadata={"index": str(index)})
        return config_pb2.BatchApplyResponse(written=[config_pb2.Written() for _ in names], rollout=self.rollout)


def run(
    server: Server, *names: str, waiting: Waiting | None = None, applying: Applying | None = None
) -> tuple[list[str], list[str]]:
    """The names of the objects that were applied, and of those that were refused."""
    manifests = [Manifest("", KINDS["Role"], "default", name, json.dumps({"name": name})) for name in names]
    results = list((applying or Applying("me")).run(server, manifests, waiting or Waiting(None)))  # type: ignore[arg-type]
    applied = [result.manifest.name for result in results if isinstance(result, Applied)]
    return applied, [result.manifest.name for result in results if isinstance(result, Refused)]


def test_a_bad_object_keeps_no_other_away() -> None:
    """The rest of its batch is sent again without it."""
    server = Server()

    assert (["a", "b"], ["bad"]) == run(server, "a", "bad", "b")
    assert [["a", "bad", "b"], ["a", "b"]] == server.batches


def test_many_bad_objects_cost_a_call_each() -> None:
    """After some refusals in a batch the rest of it goes one by one."""
    server = Server()
    bad = [f"bad{number}" for number in range(5)]

    assert (["a", "b"], bad) == run(server, "a", *bad, "b")
    assert [7, 6, 5, 1, 1, 1, 1] == [len(batch) for batch in server.batches]


def test_a_batch_that_is_too_big_is_halved() -> None:
    """Until an object is too big by itself, which is refused then."""

    def whole(names: Sequence[str]) -> ApiError | None:
        too_big = len(names) > 2 or "huge" in names
        return ApiError("RESOURCE_EXHAUSTED", "RequestEntityTooLarge", "too big") if too_big else None

    server = Server(whole)

    assert (["a", "b", "c", "d"], ["huge"]) == run(server, "a", "b", "huge", "c", "d")


def test_nothing_is_sent_once_the_server_is_gone() -> None:
    """What came before is told, and the error ends everything."""
    server = Server(lambda names: DOWN if "200" in names else None)
    manifests = [
        Manifest("", KINDS["Role"], "default", str(number), json.dumps({"name": str(number)})) for number in range(400)
    ]
    told = []
    with pytest.raises(ApiError) as caught:
        told.extend(Applying("me").run(server, manifests, Waiting(None)))  # type: ignore[arg-type]

    assert DOWN is caught.value
    assert 128 == len(told)
    assert 2 == len(server.batches)


def test_an_error_about_no_object_ends_everything() -> None:
    """A stranger is told so once, not for each object."""
    stranger = ApiError("UNAUTHENTICATED", "Unauthorized", "Unauthorized", metadata={"index": "0"})

    with pytest.raises(ApiError, match="logged in"):
        run(Server(lambda _: stranger), "a", "b")


def test_all_or_nothing_is_one_call() -> None:
    """What is refused is told, and nothing is sent again."""
    server = Server()
    applying = Applying("me", atomic=True)

    assert ([], ["bad"]) == run(server, "a", "bad", "b", applying=applying)
    assert (["a", "b"], []) == run(server, "a", "b", applying=applying)
    assert 2 == len(server.batches)


def test_a_request_says_how() -> None:
    """Manager, force, dry run and how strict; a dry run waits for nobody."""
    server = Server()
    strict = config_pb2.FIELD_VALIDATION_STRICT
    run(server, "a", waiting=Waiting(7), applying=Applying("me", force=True, validation=strict))
    run(server, "a", waiting=Waiting(7), applying=Applying("you", dry_run=True))
    first, second = server.requests

    assert ("me", False, strict, 7, True) == (
        first.options.field_manager,
        first.options.dry_run,
        first.options.field_validation,
        first.options.wait.seconds,
        first.force,
    )
    assert ("you", True, False, False) == (
        second.options.field_manager,
        second.options.dry_run,
        second.options.HasField("wait"),
        second.force,
    )


def test_whoever_was_late_once_is_not_waited_for_again() -> None:
    """A thousand objects do not take a thousand times as long."""
    server, waiting = Server(), Waiting(7)
    server.rollout = Rollout(state=Rollout.STATE_TIMED_OUT, behind=["envoy-1"])
    names = [str(number) for number in range(200)]

    assert (names, []) == run(server, *names, waiting=waiting)
    assert [True, False] == [request.options.HasField("wait") for request in server.requests]
    assert waiting.timed_out
