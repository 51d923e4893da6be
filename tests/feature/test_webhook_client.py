"""The client of reviews against a real HTTPS server that fails in every way it can."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from review_server import NAME, Reply, ReviewServer

from controlplane.auth.webhook.client import ReviewClient, Surroundings, opened
from controlplane.auth.webhook.kubeconfig import Connection
from controlplane.auth.webhook.retry import Failure
from controlplane.errors import SettingsError
from controlplane.model.credentials import KeyPair, Secret

FINE = Reply(body=b"fine")


@dataclass
class Tries:
    """What was observed of the tries, and the pauses between them, which take no time."""

    results: list[tuple[str, int]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def __call__(self, result: str, code: int, seconds: float) -> None:  # noqa: ARG002 - time passes
        """Observes one try."""
        self.results.append((result, code))

    async def pause(self, seconds: float) -> None:
        """Takes no time."""
        self.pauses.append(seconds)


def words(body: bytes) -> tuple[str]:
    """The reading of an answer: its text."""
    return (body.decode(),)


def connection(server: ReviewServer) -> Connection:
    """The connection to a server, without anything to show."""
    return Connection(server.url, server.authority.certificate, NAME)


@asynccontextmanager
async def client(
    wanted: Connection, tries: Tries, seconds: float = 10.0, in_all: float = 60.0
) -> AsyncIterator[ReviewClient]:
    """A client whose pauses take no time, and whose chance is always one half."""
    surroundings = Surroundings(chance=lambda: 0.5, pause=tries.pause)
    async with opened() as session:
        yield ReviewClient(session, wanted, surroundings, seconds=seconds, in_all=in_all)


async def test_a_review_is_posted_to_the_exact_url(tmp_path: Path) -> None:
    """The body arrives as JSON at the path and query of the URL, with the header Authorization."""
    async with ReviewServer(tmp_path, FINE) as server:
        wanted = replace(connection(server), authorization=Secret(b"Bearer abc"))
        async with client(wanted, tries := Tries()) as asking:
            answer = await asking.ask(b'{"a":1}', words, tries)

    request = server.requests[0]
    assert ("fine",) == answer
    assert ("POST", "/review?of=tests", "application/json") == (request.method, request.path_qs, request.content_type)
    assert "Bearer abc" == request.headers["Authorization"]
    assert [{"a": 1}] == server.bodies
    assert [("success", 200)] == tries.results


@pytest.mark.parametrize(("code", "expected"), [(201, ("fine",)), (206, ("fine",)), (207, None)])
async def test_there_is_no_success_beyond_206(tmp_path: Path, code: int, expected: tuple[str] | None) -> None:
    """An answer counts with the status codes that client-go takes for success."""
    async with ReviewServer(tmp_path, Reply(code, b"fine")) as server, client(connection(server), Tries()) as asking:
        answer = await asking.ask(b"{}", words, Tries())

    assert answer == (expected or Failure(f"the server answered {code}", code))


async def test_connections_are_kept(tmp_path: Path) -> None:
    """Questions one after the other go over one connection."""
    async with ReviewServer(tmp_path, FINE) as server, client(connection(server), tries := Tries()) as asking:
        for _ in range(3):
            await asking.ask(b"{}", words, tries)

    assert 1 == len(server.peers)


async def test_a_client_certificate_is_shown(tmp_path: Path) -> None:
    """The server sees the certificate of the connection."""
    async with ReviewServer(tmp_path, FINE) as server:
        certificate, private_key = server.clients.issue("isthmus", server=False)
        wanted = replace(connection(server), client=KeyPair(certificate, Secret(private_key)))
        async with client(wanted, tries := Tries()) as asking:
            await asking.ask(b"{}", words, tries)
            transport = server.requests[0].transport
            shown = transport.get_extra_info("peercert") if transport is not None else None

    assert shown is not None
    assert (("commonName", "isthmus"),) in shown["subject"]


@pytest.mark.parametrize("fault", ["reset", "close"])
async def test_a_lost_connection_is_tried_again(tmp_path: Path, fault: str) -> None:
    """After a connection that ended without an answer the same review is sent again."""
    async with (
        ReviewServer(tmp_path, Reply(fault=fault), FINE) as server,
        client(connection(server), tries := Tries()) as asking,
    ):
        answer = await asking.ask(b"{}", words, tries)

    assert ("fine",) == answer
    assert [("error", 0), ("success", 200)] == tries.results


async def test_five_tries_are_made_with_growing_pauses(tmp_path: Path) -> None:
    """A server that answers 500 is asked five times, 500 ms apart and half as long again each time, and jittered."""
    async with ReviewServer(tmp_path, Reply(500)) as server, client(connection(server), tries := Tries()) as asking:
        answer = await asking.ask(b"{}", words, tries)

    assert answer == Failure("the server answered 500", 500, retried=True)
    assert 5 == len(server.requests)
    assert tries.pauses == pytest.approx([0.55, 0.825, 1.2375, 1.85625])


async def test_the_server_says_when_to_come_back(tmp_path: Path) -> None:
    """The pause is as long as Retry-After says."""
    busy = Reply(429, headers={"Retry-After": "7"})
    async with ReviewServer(tmp_path, busy, FINE) as server, client(connection(server), tries := Tries()) as asking:
        answer = await asking.ask(b"{}", words, tries)

    assert ("fine",) == answer
    assert [7.0] == tries.pauses


async def test_a_pause_beyond_the_end_is_not_waited_for(tmp_path: Path) -> None:
    """Where Retry-After is later than the question's end, the failure is the answer at once."""
    busy = Reply(429, headers={"Retry-After": "61"})
    async with ReviewServer(tmp_path, busy, FINE) as server, client(connection(server), tries := Tries()) as asking:
        answer = await asking.ask(b"{}", words, tries)

    assert isinstance(answer, Failure)
    assert [] == tries.pauses


@pytest.mark.parametrize("code", [301, 400, 401, 403, 404, 503])
async def test_other_statuses_are_final(tmp_path: Path, code: int) -> None:
    """What trying again does not change is not tried again, and a redirect is not followed."""
    moved = Reply(code, headers={"Location": "/elsewhere"})
    async with ReviewServer(tmp_path, moved) as server, client(connection(server), tries := Tries()) as asking:
        answer = await asking.ask(b"{}", words, tries)

    assert answer == Failure(f"the server answered {code}", code)
    assert [("error", code)] == tries.results


async def test_an_answer_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    """A try ends with its time limit, and is not repeated."""
    async with (
        ReviewServer(tmp_path, Reply(fault="hang")) as server,
        client(connection(server), tries := Tries(), seconds=0.05) as asking,
    ):
        answer = await asking.ask(b"{}", words, tries)

    assert answer == Failure("no answer within 0.05 s", timeout=True)
    assert [("timeout", 0)] == tries.results


async def test_an_answer_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    """A body of more than 1 MiB is a failure."""
    async with (
        ReviewServer(tmp_path, Reply(body=b"x" * (1 << 20) + b"x")) as server,
        client(connection(server), tries := Tries()) as asking,
    ):
        answer = await asking.ask(b"{}", words, tries)

    assert answer == Failure("the answer is larger than 1 MiB", 200)


async def test_an_answer_that_means_nothing_is_a_failure(tmp_path: Path) -> None:
    """What the reader finds wrong with the body is the reason, and is not tried again."""
    async with ReviewServer(tmp_path, FINE) as server, client(connection(server), tries := Tries()) as asking:
        answer = await asking.ask(b"{}", lambda _: "the answer is not JSON", tries)

    assert answer == Failure("the answer is not JSON", 200)
    assert [("error", 200)] == tries.results


async def test_another_authority_is_not_believed(tmp_path: Path) -> None:
    """A server whose certificate comes from elsewhere gets no review."""
    async with ReviewServer(tmp_path, FINE) as server:
        wanted = replace(connection(server), roots=server.clients.certificate)
        async with client(wanted, tries := Tries()) as asking:
            answer = await asking.ask(b"{}", words, tries)

    assert isinstance(answer, Failure)
    assert answer.reason.startswith("the server's certificate is not trusted: ")
    assert [] == server.requests


async def test_another_name_is_not_believed(tmp_path: Path) -> None:
    """A server whose certificate is for another name gets no review."""
    async with (
        ReviewServer(tmp_path, FINE) as server,
        client(replace(connection(server), server_name=""), tries := Tries()) as asking,
    ):
        answer = await asking.ask(b"{}", words, tries)

    assert isinstance(answer, Failure)
    assert "IP address mismatch" in answer.reason


async def test_whoever_answers_is_believed_where_that_is_wanted(tmp_path: Path) -> None:
    """insecure-skip-tls-verify asks no certificate."""
    async with ReviewServer(tmp_path, FINE) as server, client(Connection(server.url, None), tries := Tries()) as asking:
        answer = await asking.ask(b"{}", words, tries)

    assert ("fine",) == answer


async def test_a_server_that_is_not_there_is_not_tried_again(tmp_path: Path) -> None:
    """A refused connection is a failure at once, as in kube-apiserver."""
    async with ReviewServer(tmp_path, FINE) as server:
        wanted = connection(server)
    async with client(wanted, tries := Tries()) as asking:
        answer = await asking.ask(b"{}", words, tries)

    assert answer == Failure(f"the server cannot be reached: Connect call failed ('127.0.0.1', {server.port})")


async def test_giving_up_is_observed(tmp_path: Path) -> None:
    """A question whose asker leaves counts as canceled."""
    async with (
        ReviewServer(tmp_path, Reply(fault="hang")) as server,
        client(connection(server), tries := Tries()) as asking,
    ):
        task = asyncio.create_task(asking.ask(b"{}", words, tries))
        await server.arrived.wait()
        task.cancel()
        await asyncio.wait({task})

    assert [("canceled", 0)] == tries.results


async def test_a_token_file_is_read_again_once_it_was_refused(tmp_path: Path) -> None:
    """The token that replaced the one the server did not believe is shown with the next question."""
    tokens: Iterator[bytes] = iter((b"old\n", b"new\n"))
    async with ReviewServer(tmp_path, FINE, Reply(401), FINE) as server, opened() as session:
        wanted = replace(connection(server), token_file=Path("/token"))
        surroundings = Surroundings(read=lambda _: next(tokens))
        asking = ReviewClient(session, wanted, surroundings, seconds=10, in_all=60)
        for _ in range(3):
            await asking.ask(b"{}", words, Tries())

    assert ["Bearer old", "Bearer old", "Bearer new"] == [each.headers["Authorization"] for each in server.requests]


async def test_certificates_that_cannot_be_used_are_said_before_anybody_is_asked(tmp_path: Path) -> None:
    """Roots that are no PEM, and a key of another certificate, are errors of the settings."""
    async with ReviewServer(tmp_path, FINE) as server:
        certificate, _ = server.clients.issue("isthmus", server=False)
        _, other_key = server.clients.issue("other", server=False)
        wanted = connection(server)
        for broken in (
            replace(wanted, roots=b"nothing"),
            replace(wanted, client=KeyPair(certificate, Secret(other_key))),
            replace(wanted, client=KeyPair(certificate, Secret(b""))),
        ):
            with pytest.raises(SettingsError, match=r"PEM"):
                async with client(broken, Tries()):
                    pass
