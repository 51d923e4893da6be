"""Which server the commands call, over real connections."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest
from click.testing import CliRunner, Result
from config_api import Api, role, secret
from isthmus_command import ROOT, command
from mtls import SERVER_NAME, Mtls
from rpc_face import face_of, ignored

from controlplane.api.v1 import config_pb2
from controlplane.cli import main
from controlplane.configapi.client import SERVICE
from controlplane.faces import rpc
from controlplane.faces.rpc import RpcFace
from controlplane.xds.service import server_options


@pytest.fixture(autouse=True)
def _contexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's contexts."""
    monkeypatch.setenv("ISTHMUSCONFIG", str(tmp_path / "contexts.yaml"))


async def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    """Runs the command as it is."""
    return await asyncio.to_thread(CliRunner(env=env).invoke, main, arguments)


async def test_a_context_is_enough(api: Api) -> None:
    """Its server is called, its namespace is meant, and its token is shown; a flag goes before it."""
    await api.apply(secret("s", k="v"))
    await api.apply(secret("t", k="v") | {"metadata": {"name": "t", "namespace": "prod"}})
    token = api.folder.parent / "token"
    token.write_text("wrong")
    set_up = ("config", "set-context", "dev", "-s", f"unix:{api.socket}", "-n", "prod")
    await run(*set_up)
    await run("config", "use-context", "dev")
    found = await run("get", "secrets", "-o", "name")
    other = await run("get", "secrets", "-o", "name", "-n", "default")
    await run(*set_up, "--token-file", str(token))
    refused = await run("get", "secrets")

    assert ["secret/t\n", "secret/s\n"] == [found.stdout, other.stdout]
    assert (1, "error: You must be logged in to the server (Unauthorized)\n") == (refused.exit_code, refused.stderr)


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[tuple[int, Mtls]]:
    """A face with TLS that knows one object."""
    mtls = Mtls(tmp_path)

    async def get(request: config_pb2.GetRequest, context: grpc.aio.ServicerContext) -> config_pb2.Object:
        body = '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"}}'
        return config_pb2.Object(reference=request.reference, json=body)

    handler = grpc.unary_unary_rpc_method_handler(
        get, config_pb2.GetRequest.FromString, config_pb2.Object.SerializeToString
    )
    async with AsyncExitStack() as stack:
        face = RpcFace("config", face_of(mtls), (grpc.method_handlers_generic_handler(SERVICE, {"Get": handler}),))
        yield await stack.enter_async_context(rpc.listening(face, server_options(), lambda _: ignored)), mtls


async def test_a_face_with_tls_is_called_with_a_certificate(secure: tuple[int, Mtls], tmp_path: Path) -> None:
    """Both sides are verified; what is missing or wrong is one sentence."""
    port, _ = secure
    get = ("get", "secret/s", "-o", "name", "-s", f"localhost:{port}", "--tls-server-name", SERVER_NAME)
    ca = ("--certificate-authority", str(tmp_path / "planes-ca.crt"))
    pair = ("--client-certificate", str(tmp_path / "envoy.crt"), "--client-key", str(tmp_path / "envoy.key"))
    good = await run(*get, *ca, *pair)
    stranger = await run(*get, *ca)
    plain = await run("get", "secret/s", "-s", f"localhost:{port}")
    unknown = await run(*get, *pair, "--certificate-authority", str(tmp_path / "clients-ca.crt"))

    assert (0, "secret/s\n", "") == (good.exit_code, good.stdout, good.stderr)
    for result in (stranger, plain, unknown):
        assert (1, "", 1) == (result.exit_code, result.stdout, len(result.stderr.splitlines()))
        assert f"the connection to the server localhost:{port} failed" in result.stderr


async def test_kinds_names_and_contexts_are_completed(api: Api) -> None:
    """As bash asks: what begins so, and nothing when the server is away."""
    for name in ("readers", "writers"):
        await api.apply(role(name))
    await api.apply(secret("s", k="v"))
    await run("config", "set-context", "dev", "-s", f"unix:{api.socket}")

    async def completes(words: str) -> list[str]:
        env = {"_ISTHMUS_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        runner = CliRunner(env=env)
        result = await asyncio.to_thread(runner.invoke, main, [], prog_name="isthmus")
        assert "" == result.stderr
        return [line.partition(",")[2] for line in result.stdout.split()]

    server = "--context dev"
    assert ["apiservices"] == await completes(f"isthmus get {server} api")
    assert ["clusterroles,clusterroles", "clusterroles,clusterrolebindings"] == await completes(
        f"isthmus delete {server} clusterroles,clusterrole"
    )
    assert ["readers", "writers"] == await completes(f"isthmus delete {server} clusterroles ")
    assert ["readers"] == await completes(f"isthmus delete {server} clusterrole r")
    assert ["clusterrole/writers"] == await completes(f"isthmus describe {server} clusterrole/w")
    assert ["services/", "secrets/"] == await completes(f"isthmus delete {server} clusterrole/writers se")
    assert ["s"] == await completes(f"isthmus delete {server} secrets ")
    assert [] == await completes(f"isthmus delete {server} -n prod secrets ")
    assert [] == await completes(f"isthmus delete {server} roses ")
    assert [] == await completes("isthmus delete --server unix:/nowhere clusterrole ")
    assert [] == await completes("isthmus delete --server nowhere clusterrole ")
    assert ["dev"] == await completes("isthmus get --context d")
    assert ["dev"] == await completes("isthmus config use-context ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_every_shell_gets_a_script(shell: str) -> None:
    """It asks the command `isthmus`, however it was called to print the script."""
    result = await run("completion", shell)

    assert 0 == result.exit_code
    assert f"_ISTHMUS_COMPLETE={shell}_complete" in result.stdout
    binary = shutil.which(shell)
    if binary is not None:
        process = await asyncio.create_subprocess_exec(binary, "-n", stdin=asyncio.subprocess.PIPE)
        await process.communicate(result.stdout.encode())
        assert 0 == process.returncode


async def test_nobody_who_reads_is_no_failure_to_talk_about(api: Api, tmp_path: Path) -> None:
    """`isthmus apply ... | head -1` ends without a traceback."""
    path = tmp_path / "m.json"
    path.write_text("\n".join(str(role(f"r{number}")).replace("'", '"') for number in range(2000)))
    line = " ".join([*command(api.socket, "apply", "-f", str(path)), "|", "head", "-1"])
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = await asyncio.to_thread(
        subprocess.run, ["/bin/sh", "-c", line], capture_output=True, text=True, env=environment, timeout=60, check=True
    )

    assert ("clusterrole.rbac.authorization.k8s.io/r0 created\n", "") == (done.stdout, done.stderr)
