"""What this process and its children print, cleaned of secrets before it leaves.

Standard output and standard error are guarded as a whole, so that it makes no difference whether a
driver logs, prints or raises. What code writes to a descriptor or file of its own passes by.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO, cast

import structlog

from hub.secrets import Secrets

LONGEST_LINE = 64 * 1024
LAST_WORDS_WITHIN_S = 0.2


class Guarded(io.TextIOBase):
    """A text stream that cleans all that is written to it."""

    def __init__(self, stream: TextIO, secrets: Secrets) -> None:
        super().__init__()
        self.stream = stream
        self._secrets = secrets

    def write(self, text: str, /) -> int:
        """Write it cleaned; returns the length of what was given. What cannot be written is lost:
        whoever logs has more important things to do, and must not end because of a full disk.
        """
        with contextlib.suppress(OSError):
            self.stream.write(self._secrets.clean(text))
        return len(text)

    def flush(self) -> None:
        """Pass on what waits, as far as that can be."""
        with contextlib.suppress(OSError):
            self.stream.flush()

    def isatty(self) -> bool:
        """Whether somebody looks at it."""
        return self.stream.isatty()

    def writable(self) -> bool:
        """It is for writing."""
        return True

    def fileno(self) -> int:
        """The descriptor below; what is written there is not cleaned."""
        return self.stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream below."""
        return self.stream.encoding


def guard_output(secrets: Secrets) -> None:
    """From now on, clean what this process prints of these secrets and of those added later.

    Tracebacks are logged without the values of variables, in which a secret might stand in pieces.
    """
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, plain])
    sys.stdout = _guarded(sys.stdout, secrets)
    sys.stderr = _guarded(sys.stderr, secrets)


def _guarded(stream: TextIO, secrets: Secrets) -> TextIO:
    below = stream.stream if isinstance(stream, Guarded) else stream
    return cast(TextIO, Guarded(below, secrets))


@dataclass(frozen=True, slots=True)
class Child:
    """A child process whose output comes out on our standard error, line by line."""

    process: asyncio.subprocess.Process
    copying: asyncio.Task[None]

    async def ended(self) -> int:
        """Its exit status, once it has ended and its last words are passed on."""
        code = await self.process.wait()
        _, late = await asyncio.wait({self.copying}, timeout=LAST_WORDS_WITHIN_S)
        if late:  # a grandchild lives on and holds the pipe
            self.copying.cancel()
        return code


async def spawn(argv: Sequence[str], pass_fds: Sequence[int], env: Mapping[str, str]) -> Child:
    """Start a child that leads a session of its own and reads nothing. Raises `OSError`."""
    reading, writing = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            pass_fds=pass_fds,
            env=env,
            start_new_session=True,
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return Child(process, asyncio.create_task(_copy(reading), name="output of a child"))


async def _copy(descriptor: int) -> None:
    stream = asyncio.StreamReader(limit=LONGEST_LINE)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(descriptor, "rb", buffering=0)
    )
    rest = b""
    try:
        while chunk := await stream.read(LONGEST_LINE):
            whole, newline, rest = (rest + chunk).rpartition(b"\n")
            _pass_on(whole + newline)
            if len(rest) > LONGEST_LINE:
                rest = _pass_on(rest)
    finally:
        _pass_on(rest)
        transport.close()


def _pass_on(text: bytes) -> bytes:
    if text:
        with contextlib.suppress(ValueError, OSError):  # nobody reads any more
            sys.stderr.write(text.decode("utf-8", "replace"))
            sys.stderr.flush()
    return b""
