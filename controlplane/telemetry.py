"""Logs: one line an event, constant event strings with fields, JSON or for people.

In: the wish for a level and a format. Out: structlog set up. Law: only `configure` changes anything global, and only
the command line calls it.
"""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog

LogFormat = Literal["json", "text"]


def configure(level: str, log_format: LogFormat) -> None:
    """Sends logs of at least `level` ("debug", "info", "warning", "error") to stderr in `log_format`."""
    renderer: structlog.typing.Processor
    renderer = (
        structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
