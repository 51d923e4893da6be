"""`isthmus explain` over real gRPC."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
import yaml
from click.testing import CliRunner, Result
from explainers import FRONT_PROXIES, THINGS, TOKEN, explainer

from controlplane.admin.service import explain_handlers
from controlplane.auth.front_proxy import RequestHeaderTrust
from controlplane.cli import main
from controlplane.model.explanation import Explanation, Question, Unanswerable

SETTINGS = """
frontDoor: {certificateFile: a, privateKeyFile: b}
manifests: m
xds: {listen: "unix:/x"}
authorization: {listen: "unix:/a"}
discovery: {listen: "unix:/d"}
"""
AS = ("--as", "dora", "--as-group", "developers")
Answer = Callable[[Question], Awaitable[Explanation | Unanswerable]]
Run = Callable[..., Awaitable[Result]]


@asynccontextmanager
async def running(folder: Path, by: Answer | None) -> AsyncIterator[Run]:
    """The command, and a server with the service, or without it."""
    server = grpc.aio.server()
    if by is not None:
        server.add_generic_rpc_handlers(tuple(explain_handlers(by)))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    config = folder / "isthmus.yaml"
    config.write_text(f'{SETTINGS}admin: {{listen: "127.0.0.1:{port}"}}\n')

    async def run(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, main, ["explain", *arguments, "--config", str(config)])

    try:
        yield run
    finally:
        await server.stop(None)


async def test_allowed_is_0_and_refused_is_1(tmp_path: Path) -> None:
    """The outcome is the first line, and the exit code says it too."""
    async with running(tmp_path, explainer().explain) as run:
        allowed, denied = await run("get", THINGS, *AS), await run("DELETE", f"{THINGS}/t", *AS)

    assert (allowed.exit_code, denied.exit_code) == (0, 1)
    assert allowed.stdout.splitlines()[0] == "Outcome:                 allowed, and sent to 10.0.0.7:8443"
    assert denied.stdout.startswith("Outcome:                 answered with 403 by the front door: things.a.io")
    assert "were it allowed" in denied.stdout


async def test_json_and_yaml_are_the_response(tmp_path: Path) -> None:
    """Both hold the same, with every field."""
    async with running(tmp_path, explainer().explain) as run:
        as_json, as_yaml = await run("GET", THINGS, *AS, "-o", "json"), await run("GET", THINGS, *AS, "-o", "yaml")

    told = json.loads(as_json.stdout)
    assert told == yaml.safe_load(as_yaml.stdout)
    assert (told["served"], told["keeping"]["scope"]) == (True, "list a.io/v1 n things/")
    assert told["verdict"]["role"]["origin"] == "roles.yaml, document 3"


async def test_options_say_who_asks(tmp_path: Path) -> None:
    """User, groups, UID and extras, whom it impersonates, and a token, which is not shown."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    person = ("--as", "bob", "--as-uid", "7", "--as-extra", "Scopes=a=b", "--as-extra", "scopes=c")
    other = ("--impersonate", "alice", "--impersonate-group", "g", "--impersonate-extra", "a.io/b c=d")
    async with running(tmp_path, explainer().explain) as run:
        impersonating = json.loads((await run("GET", THINGS, *person, *other, "-o", "json")).stdout)
        by_token = await run("GET", THINGS, "--token-file", str(tmp_path / "token"), "-o", "json")

    user = impersonating["identity"]["user"]
    assert (user["name"], user["uid"]) == ("bob", "7")
    assert user["extra"] == [{"key": "scopes", "values": ["a=b", "c"]}]
    assert any('groups "g"' in each["question"] for each in impersonating["impersonation"])
    assert json.loads(by_token.stdout)["identity"]["user"]["name"] == "tess"
    assert TOKEN not in by_token.output


async def test_a_header_says_what_a_front_proxy_says(tmp_path: Path) -> None:
    """With its certificate; the text tells which headers it was recognised by."""
    (tmp_path / "proxy.crt").write_bytes(FRONT_PROXIES.issue("proxy-1")[0])
    said = ("--header", "X-Remote-User: dora", "-H", "X-Remote-Group:developers", "-H", "X-Remote-Uid: 7")
    by = explainer(trust=RequestHeaderTrust(), clock=time.time())
    async with running(tmp_path, by.explain) as run:
        told = await run("GET", THINGS, "--cert", str(tmp_path / "proxy.crt"), *said)

    assert told.exit_code == 0
    assert (
        "the front proxy proxy-1, which says so in x-remote-user, x-remote-group; not used: x-remote-uid" in told.stdout
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["GET", "/", "--header", "X-Remote-User"], "--header is not NAME:VALUE"),
        (["GET", "/", "--header", "Authorization: Bearer t"], "give its token as bearer token"),
        (["LIST", "/apis"], "'LIST' is no HTTP method; write one of GET"),
        (["GET", "apis"], "the path 'apis' does not begin with a slash"),
        (["GET", "/\udcff"], "an argument is not UTF-8; percent-encode it in a path"),
        (["GET", "/", "--as", "\udcff"], "an argument is not UTF-8"),
        (["GET", "/", "--token-file", "/none"], "--token-file: /none cannot be read (No such file or directory)"),
        (["GET", "/", "--token-file", "/dev/null"], "--token-file: /dev/null is empty"),
        (["GET", "/", "--cert", "/dev/null"], "--cert: /dev/null holds no certificate"),
        (["GET", "/", "--group", "x"], "there are no node groups here"),
        (["GET", "/", "--as", "a", "--cert", "b"], "give one of them"),
        (["GET", "/", "--as-group", "a"], "are of the user of --as"),
        (["GET", "/", "--as", "a", "--as-extra", "b"], "--as-extra 'b' is not KEY=VALUE"),
    ],
)
async def test_what_cannot_be_asked_is_2_and_one_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    """On stderr, and nothing on stdout."""
    async with running(tmp_path, explainer().explain) as run:
        result = await run(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr


@pytest.mark.parametrize(
    ("by", "sentence"),
    [
        (explainer(started=False).explain, "has not read everything yet"),
        (
            explainer(failing=True).explain,
            "deciding failed (RuntimeError); the request itself would be answered with 500",
        ),
        (None, "is an older one; upgrade it"),
    ],
)
async def test_no_answer_is_2_and_one_sentence(by: Answer | None, sentence: str, tmp_path: Path) -> None:
    """A control plane that is starting, one that cannot decide, one without the service; no token is in it."""
    (tmp_path / "token").write_text(TOKEN)
    async with running(tmp_path, by) as run:
        result = await run("GET", THINGS, "--token-file", str(tmp_path / "token"))

    assert result.exit_code == 2
    assert sentence in result.stderr
    assert TOKEN not in result.output


def test_without_a_control_plane_there_is_no_answer(tmp_path: Path) -> None:
    """The sentence of every command that asks, and exit code 2."""
    config = tmp_path / "isthmus.yaml"
    config.write_text(f'{SETTINGS}admin: {{listen: "unix:/nowhere/admin.sock"}}\n')
    result = CliRunner().invoke(main, ["explain", "GET", "/", "--config", str(config)])

    assert result.exit_code == 2
    assert "no control plane answers at unix:/nowhere/admin.sock" in result.stderr


async def test_a_private_key_beside_a_certificate_stays_here(tmp_path: Path) -> None:
    """Only certificates are sent."""
    asked: list[Question] = []

    async def answer(question: Question) -> Unanswerable:
        asked.append(question)
        return Unanswerable("no")

    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    (tmp_path / "both").write_text(f"-----BEGIN PRIVATE KEY-----\nk\n-----END PRIVATE KEY-----\n{begin}\nc\n{end}\n")
    async with running(tmp_path, answer) as run:
        await run("GET", "/", "--cert", str(tmp_path / "both"))

    assert [question.client_certificate for question in asked] == [f"{begin}\nc\n{end}\n"]
