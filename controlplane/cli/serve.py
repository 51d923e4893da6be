"""`isthmus serve`: the control plane alone.

In: a settings file. Out: a control plane that serves until SIGTERM or SIGINT. Law: everything that can be wrong with
the settings is said before anything listens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import click

from controlplane import telemetry
from controlplane.cli import uncollected
from controlplane.settings.load import load
from controlplane.sources.reading import Ahead, Readers


@click.command("serve")
@click.option(
    "--config", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The settings file (YAML)."
)
@click.option(
    "--authz-workers",
    type=click.IntRange(0),
    help="How many processes decide about requests, instead of authorization.workers; 0: the control plane does.",
)
def command(config: Path, authz_workers: int | None) -> None:
    """Run the control plane alone, with a settings file."""
    loaded = load(config, workers=authz_workers)
    telemetry.configure(loaded.log.level, loaded.log.format)
    readers = Readers()
    with telemetry.last_words(), ThreadPoolExecutor(1, "ahead") as threads, _stopping(readers):
        ahead = [threads.submit(Ahead.of, loaded.manifests.absolute(), readers)]
        with uncollected():
            # It takes a second, in which other processes read what there is.
            from controlplane import app  # noqa: PLC0415 -- not before they have been started

        async def serve() -> None:
            # Before the event loop ends, which waits for its threads.
            with _stopping(readers):
                # Whoever takes it has it alone: nothing holds on to what files once were.
                await app.serve(loaded, ahead=lambda: ahead.pop().result())

        asyncio.run(serve())


@contextmanager
def _stopping(readers: Readers) -> Iterator[None]:
    try:
        yield
    finally:
        readers.stop()
