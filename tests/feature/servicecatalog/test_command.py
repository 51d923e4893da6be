"""The demo API server as a person starts and stops it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import aiohttp
import pytest
import servicecatalog
from catalog_server import BROKERS, Client, Pki


@pytest.fixture
def command(pki: Pki, tmp_path: Path) -> tuple[list[str], dict[str, str], Path]:
    """The command line of a server on a free port, its environment, and its audit log."""
    log = tmp_path / "audit.log"
    flags = {
        "--secure-port": "0",
        "--tls-cert-file": pki.options.cert_file,
        "--tls-private-key-file": pki.options.key_file,
        "--requestheader-client-ca-file": pki.options.client_ca_file,
        "--requestheader-allowed-names": "front-proxy-client,another",
        "--audit-log-path": log,
    }
    package = Path(servicecatalog.__file__).parents[1]
    arguments = [sys.executable, "-m", "servicecatalog", *(str(part) for flag in flags.items() for part in flag)]
    return arguments, {**os.environ, "PYTHONPATH": str(package)}, log


async def test_the_command_serves_until_it_is_told_to_stop(
    command: tuple[list[str], dict[str, str], Path], pki: Pki
) -> None:
    """`python -m servicecatalog` prints its address, serves, audits to a file, and stops on SIGTERM within 2 s."""
    arguments, environment, log = command
    process = await asyncio.create_subprocess_exec(*arguments, env=environment, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            line = (await process.stdout.readline()).decode().strip()
        address = line.removeprefix("serving servicecatalog.k8s.io/v1beta1 on ")
        async with aiohttp.ClientSession(base_url=address) as session:
            client = Client(session, pki.proxy)
            async with client.watch(f"{BROKERS}?watch=1") as events:
                process.send_signal(signal.SIGTERM)
                async with asyncio.timeout(2):
                    assert await events.ends()
                    code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert address.startswith("https://127.0.0.1:")
    assert code == 0
    stages = [json.loads(entry)["stage"] for entry in log.read_text().splitlines()]
    assert stages == ["ResponseStarted", "ResponseComplete"]
