"""A worker: answers Envoy by the policy that is pushed to it.

In: the socket that leads to the control plane. Out: an authorization face. Law: it denies until it has been pushed a
whole policy, and ends when the control plane is gone or says what is no message.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from math import inf

import structlog
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from controlplane import telemetry
from controlplane.aio import Watchable
from controlplane.auth.ruling import Ruling
from controlplane.auth.service import METHOD, SERVICE, Keeping
from controlplane.faces.unary import health, server
from controlplane.model.policy import Policy
from controlplane.model.problem import Problem
from controlplane.process import collecting_seldom, stop_signals, until_one_ends
from controlplane.settings.settings import Settings
from controlplane.workers.changes import POLICY, Assembly
from controlplane.workers.frames import FrameError, Message, framed, whole
from controlplane.workers.local import local
from controlplane.workers.reading import read
from controlplane.workers.samples import encoded


def start(settings: Settings, keeping: Keeping | None, number: int) -> Message:
    """What a worker is told first; its number counts from 1."""
    return {
        "kind": "start",
        "number": number,
        # Whether something was set at all makes a difference to some sections.
        "settings": settings.model_dump_json(by_alias=True, exclude_unset=True),
        "keeping": None if keeping is None else [keeping.epoch, keeping.seconds],
    }


async def work(connection: socket.socket) -> None:
    """Lives until the control plane is gone, or a signal ends it.

    Raises:
        FrameError: when the control plane says what it should not.
        SettingsError: when the files of the first policy cannot be used.
        StartError: when the address cannot be listened on, or the certificates cannot be used.
    """
    reader, writer = await asyncio.open_unix_connection(sock=connection)
    try:
        started = await read(reader)
        if started is not None:
            await _serve(reader, writer, *_started(started))
    finally:
        writer.transport.abort()


async def _serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int, settings: Settings, keeping: Keeping | None
) -> None:
    telemetry.configure(settings.log.level, settings.log.format)
    structlog.contextvars.bind_contextvars(worker=number)
    policy, registry = Watchable(Policy()), CollectorRegistry()

    def reporter(source: str) -> Callable[[Iterable[Problem]], None]:
        def report(problems: Iterable[Problem]) -> None:
            told = [[each.origin.path, each.subject, each.field, each.message, each.remedy] for each in problems]
            writer.write(framed({"kind": "problems", "source": source, "problems": told}))

        return report

    async with AsyncExitStack() as stack:
        stop = stack.enter_context(stop_signals())
        here = await stack.enter_async_context(local(settings, policy, registry, keeping))
        await stack.enter_async_context(collecting_seldom(here.rulings.latest))
        methods = {f"/{SERVICE}/{METHOD}": here.answer, **health.methods(SERVICE, here.rulings.latest)}
        face = settings.authorization.worker(number)
        await stack.enter_async_context(server.listening("authorization", face, methods, reporter))
        writer.write(framed({"kind": "listening"}))
        await until_one_ends(
            asyncio.create_task(here.rulings.run(), name="rulings"),
            asyncio.create_task(_follow(reader, writer, policy, registry), name="policy"),
            asyncio.create_task(_acknowledge(here.rulings.latest, writer), name="acknowledge"),
            asyncio.create_task(stop.wait(), name="stop"),
        )


async def _follow(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, policy: Watchable[Policy], registry: CollectorRegistry
) -> None:
    """Takes what is pushed, and answers what is asked, until the control plane is gone."""
    assembly = Assembly()
    while (message := await read(reader)) is not None:
        if message["kind"] == POLICY:
            whole = assembly.take(message)
            if whole is not None:
                policy.publish(whole)
        elif message["kind"] == "ask":
            writer.write(framed({"kind": "metrics", "metrics": encoded(registry)}))
        else:
            raise FrameError("a message is of no kind that there is")
        # Where much is pushed, requests are answered in between.
        await asyncio.sleep(0)


async def _acknowledge(latest: Watchable[Ruling | None], writer: asyncio.StreamWriter) -> None:
    """Says by which policy requests are decided now."""
    seen: Ruling | None = None
    while True:
        seen = await latest.changed(seen)
        if seen is not None:
            writer.write(framed({"kind": "applied", "generation": seen.policy.generation}))


def _started(message: Message) -> tuple[int, Settings, Keeping | None]:
    try:
        settings, kept = Settings.model_validate_json(message["settings"]), message["keeping"]
        number = whole(message["number"], least=1)
        return number, settings, None if kept is None else _keeping(*kept)
    except (KeyError, TypeError, ValueError, ValidationError):
        raise FrameError("the first message is no start") from None


def _keeping(epoch: object, seconds: object) -> Keeping:
    if not isinstance(epoch, str) or not isinstance(seconds, int | float) or not 0 < seconds < inf:
        raise FrameError("the first message is no start")
    return Keeping(epoch, float(seconds))
