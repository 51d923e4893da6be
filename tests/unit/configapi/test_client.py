"""The client of the ConfigService, against servers that answer as a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from controlplane.api.v1 import config_pb2
from controlplane.configapi.client import SERVICE, ApiError, ConfigClient, Server, Tls, connected
from controlplane.configapi.errors import error_of
from controlplane.model.credentials import Secret
from controlplane.resources import status
from controlplane.resources.cause import Cause
from controlplane.resources.status import Status

Answer = Callable[[Any, grpc.ServicerContext], Any]
APISERVICE = config_pb2.Type(api_version="apiregistration.k8s.io/v1", kind="APIService")
REFERENCE = config_pb2.Reference(type=APISERVICE, name="v1.x")


class Fake:
    """A server on a Unix socket with methods that a test gives it, each a message type and what answers."""

    def __init__(self, socket: Path) -> None:
        self.target = f"unix:{socket}"
        self._server: grpc.Server | None = None

    def serve(self, method: str, request: type[Any], answer: Answer) -> None:
        """Takes calls of the method from now on."""
        kind = grpc.unary_stream_rpc_method_handler if method == "Watch" else grpc.unary_unary_rpc_method_handler
        handler = kind(answer, request.FromString, lambda message: message.SerializeToString())
        self._server = grpc.server(ThreadPoolExecutor(2))
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {method: handler}),))
        self._server.add_insecure_port(self.target)
        self._server.start()

    def stop(self) -> None:
        """Is gone."""
        if self._server is not None:
            self._server.stop(None).wait()
            self._server = None


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Fake]:
    """A server that does not listen yet."""
    made = Fake(tmp_path / "api.sock")
    yield made
    made.stop()


@pytest.fixture
def client(fake: Fake) -> Iterator[ConfigClient]:
    """A client of it."""
    with connected(Server(fake.target), timeout=10) as opened:
        yield opened


def refusing(error: Status, index: int | None = None) -> Answer:
    """An answer that is the error which the ConfigService makes of a Status."""

    def answer(_request: object, context: grpc.ServicerContext) -> None:
        context.abort_with_status(rpc_status.to_status(error_of(error, index)))

    return answer


def refused(fake: Fake, client: ConfigClient, error: Status, index: int | None = None) -> ApiError:
    """What the client makes of it."""
    fake.serve("Get", config_pb2.GetRequest, refusing(error, index))
    with pytest.raises(ApiError) as caught:
        client.get(REFERENCE)
    return caught.value


def test_an_error_reads_like_kubectls(fake: Fake, client: ConfigClient) -> None:
    """The reason of the Kubernetes API in brackets, and its message; programs find the parts."""
    error = refused(fake, client, status.not_found("apiregistration.k8s.io", "apiservices", "v1.x"))

    assert 'Error from server (NotFound): apiservices.apiregistration.k8s.io "v1.x" not found' == str(error)
    assert ("NOT_FOUND", "NotFound", 1) == (error.code, error.reason, error.exit_code)
    assert 'apiservices.apiregistration.k8s.io "v1.x" not found' == error.message


@pytest.mark.parametrize(
    ("causes", "sentence"),
    [
        ((Cause("FieldValueRequired", "Required value", "spec.group"),), "spec.group: Required value"),
        (
            (
                Cause("FieldValueRequired", "Required value", "spec.group"),
                Cause("FieldValueInvalid", "no", "spec.version"),
            ),
            "\n* spec.group: Required value\n* spec.version: no",
        ),
    ],
)
def test_every_broken_rule_is_told(fake: Fake, client: ConfigClient, causes: tuple[Cause, ...], sentence: str) -> None:
    """One after the name, several below it, with the fields as if the object were alone in its batch."""
    invalid = Status(422, "Invalid", "m", "apiregistration.k8s.io", "APIService", "v1.x", causes)
    error = refused(fake, client, invalid, 3)

    assert f'The APIService "v1.x" is invalid: {sentence}' == str(error)
    assert [cause.field for cause in causes] == [field for field, _ in error.violations]
    assert ("m", "3") == (error.message, error.metadata["index"])


def test_who_holds_a_field_is_told(fake: Fake, client: ConfigClient) -> None:
    """The fields of a conflict are among the violations."""
    cause = Cause("FieldManagerConflict", 'conflict with "other"', ".spec.group")
    error = refused(fake, client, status.apply_conflict("Apply failed with 1 conflict", [cause]))

    assert "Error from server (Conflict): Apply failed with 1 conflict" == str(error)
    assert ("FAILED_PRECONDITION", ((".spec.group", 'conflict with "other"'),)) == (error.code, error.violations)


def test_what_is_said_moves_no_cursor(fake: Fake, client: ConfigClient) -> None:
    """Whatever the server passes on of what others wrote; its lines stay lines."""
    error = refused(fake, client, Status(409, "Conflict", "a\x1b[2J\x9b2J\rb\n- é"))

    assert "Error from server (Conflict): a\\x1b[2J\\u009b2J\\rb\n- é" == str(error)


@pytest.mark.parametrize(
    "details",
    [
        b"\xff",
        status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message="why").SerializeToString(),
        status_pb2.Status(
            code=code_pb2.NOT_FOUND,
            message="why",
            details=[Packed(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff")],
        ).SerializeToString(),
    ],
)
def test_details_that_cannot_be_read_hide_no_error(fake: Fake, client: ConfigClient, details: bytes) -> None:
    """Something before the server may have made them, or the error."""

    def answer(_request: object, context: grpc.ServicerContext) -> None:
        context.set_trailing_metadata((("grpc-status-details-bin", details),))
        context.abort(grpc.StatusCode.NOT_FOUND, "why")

    fake.serve("Get", config_pb2.GetRequest, answer)
    with pytest.raises(ApiError, match="NOT_FOUND: why") as caught:
        client.get(REFERENCE)

    assert ("NOT_FOUND", "") == (caught.value.code, caught.value.reason)


def test_a_stranger_is_told_to_log_in(fake: Fake, client: ConfigClient) -> None:
    """As kubectl does."""
    error = refused(fake, client, Status(401, "Unauthorized", "Unauthorized"))

    assert "error: You must be logged in to the server (Unauthorized)" == str(error)


def test_nobody_there_is_one_sentence(fake: Fake, client: ConfigClient) -> None:
    """It names the address, the reason and the remedy."""
    with pytest.raises(ApiError) as caught:
        client.get(REFERENCE)

    assert ("UNAVAILABLE", "") == (caught.value.code, caught.value.reason)
    assert str(caught.value).startswith(f"error: the connection to the server {fake.target} failed (")
    assert "No such file or directory" in str(caught.value)
    assert "--server" in str(caught.value)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (code_pb2.PERMISSION_DENIED, "refuses this client (why)"),
        (code_pb2.UNIMPLEMENTED, "has no config API"),
        (code_pb2.DEADLINE_EXCEEDED, "--request-timeout"),
        (code_pb2.UNKNOWN, "failed (UNKNOWN: why)"),
    ],
)
def test_what_is_before_the_service_is_told_apart(fake: Fake, client: ConfigClient, code: int, said: str) -> None:
    """An error without details is not of the Kubernetes API; the sentence names the address."""

    def answer(_request: object, context: grpc.ServicerContext) -> None:
        context.abort_with_status(rpc_status.to_status(status_pb2.Status(code=code, message="why")))

    fake.serve("Get", config_pb2.GetRequest, answer)
    with pytest.raises(ApiError) as caught:
        client.get(REFERENCE)

    assert "" == caught.value.reason
    assert said in str(caught.value)
    assert fake.target in str(caught.value)


def test_who_calls_goes_with_every_call(fake: Fake) -> None:
    """The token and what else the metadata shall hold."""
    seen: list[tuple[str, str]] = []

    def answer(_request: object, context: grpc.ServicerContext) -> config_pb2.Object:
        seen.extend((str(key), str(value)) for key, value in context.invocation_metadata())
        return config_pb2.Object()

    fake.serve("Get", config_pb2.GetRequest, answer)
    server = Server(fake.target, token=Secret(b"hush"), metadata=(("impersonate-user", "eve"),))
    with connected(server, timeout=10) as client:
        client.get(REFERENCE)

    assert {("authorization", "Bearer hush"), ("impersonate-user", "eve")} <= set(seen)


def test_secrets_are_in_no_repr() -> None:
    """Neither the token nor the key."""
    server = Server("h:1", Tls(key=Secret(b"hush")), Secret(b"hush"))

    assert "hush" not in repr(server)


def test_the_time_for_an_answer_is_besides_the_wait_for_proxies(fake: Fake) -> None:
    """A call has the deadline of both together, and none when there is none."""
    left: list[float | None] = []

    def answer(_request: object, context: grpc.ServicerContext) -> config_pb2.WriteResponse:
        left.append(context.time_remaining())
        return config_pb2.WriteResponse()

    fake.serve("Delete", config_pb2.DeleteRequest, answer)
    request = config_pb2.DeleteRequest(options=config_pb2.WriteOptions(wait=Duration(seconds=100)))
    for timeout in (50, 0):
        with connected(Server(fake.target), timeout=timeout) as client:
            client.delete(request)

    assert left[0] is not None
    assert 140 < left[0] < 160
    assert left[1] is None or left[1] > 1e6


def test_every_page_comes(fake: Fake, client: ConfigClient) -> None:
    """Each is asked for with the token of the one before, and the request is left as it was."""
    asked: list[tuple[str, str]] = []

    def answer(request: config_pb2.ListRequest, _context: grpc.ServicerContext) -> config_pb2.ListResponse:
        asked.append((request.label_selector, request.page_token))
        return config_pb2.ListResponse(next_page_token={"": "1", "1": "2", "2": ""}[request.page_token])

    fake.serve("List", config_pb2.ListRequest, answer)
    request = config_pb2.ListRequest(type=APISERVICE, label_selector="a=b")
    pages = list(client.pages(request))

    assert 3 == len(pages)
    assert [("a=b", ""), ("a=b", "1"), ("a=b", "2")] == asked
    assert "" == request.page_token


def test_a_watch_goes_on_where_it_was_cut(fake: Fake) -> None:
    """From the last resource version, after pauses that grow; an error that is none of the connection ends it."""
    begun: list[str] = []
    pauses: list[float] = []

    def answer(request: config_pb2.WatchRequest, context: grpc.ServicerContext) -> Iterable[config_pb2.WatchResponse]:
        begun.append(request.resource_version)
        if len(begun) == 1:
            yield config_pb2.WatchResponse(resource_version="5")
            yield config_pb2.WatchResponse()
        if len(begun) == 2:
            context.abort(grpc.StatusCode.CANCELLED, "stopping")
        if len(begun) < 4:
            context.abort(grpc.StatusCode.UNAVAILABLE, "going")
        context.abort_with_status(rpc_status.to_status(error_of(Status(410, "Expired", "too old"))))

    fake.serve("Watch", config_pb2.WatchRequest, answer)
    with connected(Server(fake.target), timeout=10, pause=pauses.append) as client:
        watch = client.watch(config_pb2.WatchRequest(type=APISERVICE, resource_version="3"))
        told = [next(watch), next(watch)]
        with pytest.raises(ApiError) as caught:
            next(watch)

    assert ["5", ""] == [response.resource_version for response in told]
    assert ["3", "5", "5", "5"] == begun
    assert [0.2, 0.4, 0.8] == pauses
    assert "OUT_OF_RANGE" == caught.value.code


def test_a_server_that_never_answered_is_not_waited_for(client: ConfigClient) -> None:
    """Whoever mistyped an address is told so at once."""
    with pytest.raises(ApiError) as caught:
        next(client.watch(config_pb2.WatchRequest(type=APISERVICE)))

    assert "UNAVAILABLE" == caught.value.code


def test_a_server_that_answered_once_is_waited_for(fake: Fake) -> None:
    """Also when the watch itself had nothing to tell before it was cut."""
    tries = 0

    def pause(_seconds: float) -> None:
        nonlocal tries
        tries += 1
        if tries == 2:
            fake.serve("Watch", config_pb2.WatchRequest, lambda _request, _context: iter([config_pb2.WatchResponse()]))

    fake.serve("Get", config_pb2.GetRequest, lambda _request, _context: config_pb2.Object())
    with connected(Server(fake.target), timeout=10, pause=pause) as client:
        client.get(REFERENCE)
        fake.stop()
        watch = client.watch(config_pb2.WatchRequest(type=APISERVICE))
        response = next(watch)
        watch.close()

    assert config_pb2.WatchResponse() == response
    assert tries >= 2


def test_a_detail_that_is_unknown_is_passed_over(fake: Fake, client: ConfigClient) -> None:
    """A newer server may say more."""

    def answer(_request: object, context: grpc.ServicerContext) -> None:
        details = [Packed(), Packed()]
        details[0].Pack(Duration(seconds=1))
        details[1].Pack(error_details_pb2.ErrorInfo(reason="Odd"))
        context.abort_with_status(
            rpc_status.to_status(status_pb2.Status(code=code_pb2.ABORTED, message="why", details=details))
        )

    fake.serve("Get", config_pb2.GetRequest, answer)
    with pytest.raises(ApiError) as caught:
        client.get(REFERENCE)

    assert "Error from server (Odd): why" == str(caught.value)
