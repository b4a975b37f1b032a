"""How what a worker's threads say gets to its loop, and their log lines to the hub."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import structlog

from hub.link import Link


def to_loop(loop: asyncio.AbstractEventLoop, call: Any, *given: Any) -> None:
    """Have something called on the loop, from any thread."""
    with contextlib.suppress(RuntimeError):  # the loop has ended: nobody is left to tell
        loop.call_soon_threadsafe(call, *given)


class LinkLog(logging.Handler):
    """Sends log lines to the hub, from whichever thread they come."""

    def __init__(self, link: Link, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(logging.INFO)
        self._link = link
        self._loop = loop

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)[:4000]
        message = {"t": "log", "level": record.levelno, "name": record.name, "text": text}
        to_loop(self._loop, self._link.offer, message)


def log_through_logging() -> None:
    """Structured log lines of detectors go to the hub too, and never with values of variables."""
    plain = structlog.dev.plain_traceback
    structlog.configure(
        processors=[structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
