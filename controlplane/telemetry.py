"""Logs: one line an event, constant event strings with fields, JSON or for people.

In: the wish for a level and a format. Out: structlog, and the logging of libraries, set up. Law: only `configure`
changes anything global, and only a program's own command calls it; as JSON, every line is one object.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

import structlog

LogFormat = Literal["json", "text"]

_PACKAGE: Final = "controlplane."


class _Logger(structlog.PrintLogger):
    """Writes to stderr, and knows which part of the program it belongs to."""

    def __init__(self, name: str = "isthmus") -> None:
        super().__init__(sys.stderr)
        self.name = name.removeprefix(_PACKAGE).partition(".")[0] if name.startswith(_PACKAGE) else name


def configure(level: str, log_format: LogFormat) -> None:
    """Sends logs of at least `level` ("debug", "info", "warning", "error") to stderr in `log_format`.

    Libraries are heard from "warning" on, at whatever level: what they say below it may hold what they were sent.
    """
    renderer: structlog.typing.Processor
    renderer = (
        structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=_Logger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer], foreign_pre_chain=shared
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)


@contextmanager
def last_words() -> Iterator[None]:
    """Logs what ends the program, where logs are JSON; the command line, which says it otherwise, says it to people.

    Raises:
        SystemExit: in place of what was logged, with the exit code that it carries.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(structlog.get_config()["processors"][-1], structlog.processors.JSONRenderer):
            raise
        code = getattr(error, "exit_code", None)
        structlog.get_logger("isthmus").error("ended", reason=str(error), exc_info=code is None)
        raise SystemExit(code or 1) from None
