"""Removals withheld from a real stream, told and let go by the commands."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
from click.testing import CliRunner, Result
from xds_face import Opener, delta_request, resource, until, within

from controlplane.admin.reports import Reports
from controlplane.admin.service import handlers
from controlplane.aio import Watchable
from controlplane.cli import main
from controlplane.model.resource import CLUSTER, ResourceName
from controlplane.model.topology import Topology
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.guard import ShrinkLimit
from controlplane.xds.report import proxies

SETTINGS = """
frontDoor: {certificateFile: a, privateKeyFile: b}
manifests: m
xds: {listen: "unix:/x"}
authorization: {listen: "unix:/a"}
discovery: {listen: "unix:/d"}
"""
FULL = Snapshot().updated([resource(CLUSTER, f"c{number}") for number in range(10)])
SHRUNK = FULL.updated([], [ResourceName(CLUSTER, f"c{number}") for number in range(9)])
WOULD_GO = (
    "proxies: 9 of 10 Cluster resources would go from proxy envoy-1; they are kept until confirmed; "
    "put the registrations back, or run `isthmus confirm-removals` if they are meant to go\n"
)


async def test_withheld_removals_go_when_they_are_confirmed(open_face: Opener, tmp_path: Path) -> None:
    """Nine of ten clusters are kept and told of until the command confirms them; then they go, and it says so once."""
    face = await open_face(shrink_limit=ShrinkLimit(percent=50.0, at_least=2))
    xds, admin = face.service, grpc.aio.server()
    reports = Reports(
        topology=Watchable(Topology()),
        problems=list,
        connected=lambda: proxies(xds.statuses()),
        withheld=xds.withheld,
        confirm=xds.confirm_removals,
        epoch=lambda: 0.0,
        pause=asyncio.Event().wait,
    )
    admin.add_generic_rpc_handlers(tuple(handlers(reports)))
    port = admin.add_insecure_port("127.0.0.1:0")
    await admin.start()
    config = tmp_path / "isthmus.yaml"
    config.write_text(f'{SETTINGS}admin: {{listen: "127.0.0.1:{port}"}}\n')

    async def run(verb: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, main, [verb, "--config", str(config)])

    face.cache.publish(FULL)
    call = face.delta()
    async with within(30):
        await call.write(delta_request(CLUSTER, "*"))
        first = await call.read()
        await call.write(delta_request(CLUSTER, response_nonce=first.nonce))
        face.cache.publish(SHRUNK)
        await until(lambda: bool(xds.withheld()))
        before, confirmed = await run("status"), await run("confirm-removals")
        removed = await call.read()
        again, after = await run("confirm-removals"), await run("status")
    call.cancel()
    await admin.stop(None)

    assert before.stderr == WOULD_GO
    assert confirmed.stdout == "Confirmed for proxy envoy-1: 9 of 10 Cluster resources go now.\n"
    assert set(removed.removed_resources) == {f"c{number}" for number in range(9)}
    assert (again.exit_code, again.stdout) == (0, "No removals are withheld, so there is nothing to confirm.\n")
    assert after.stderr == ""
