"""Where the pages listen: whether the port is free, or is held by this hub itself."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import AsyncIterator
from functools import partial

from hub.doctor.finding import Finding, Probe, bad, ok
from hub.doctor.given import Given
from hub.doctor.holder import listens, running
from hub.threads import in_thread
from hub.web_settings import WebSettings, open_trouble

FIRST_OPEN_PORT = 1024


def probes(given: Given) -> list[Probe]:
    """One probe: the address and port of the pages."""
    listen, port = where(given)
    return [Probe("pages", f"{listen}:{port}", partial(_look, given))]


def where(given: Given) -> tuple[str, int]:
    """Where the pages listen: as the command line says, else as the file does."""
    said = given.config.hub.web if given.config is not None else WebSettings()
    asked = given.asked
    listen = said.listen if asked.listen is None else asked.listen
    return listen, said.port if asked.port is None else asked.port


async def _look(given: Given) -> AsyncIterator[Finding]:
    listen, port = where(given)
    error = await in_thread(lambda: _trouble(listen, port))
    if error is None:
        free = "the port is free" if port else "any free port will do"
        yield ok(free)
    elif error.errno == errno.EADDRINUSE:
        yield await in_thread(lambda: _taken(given))
    elif error.errno in (errno.EACCES, errno.EPERM) and port < FIRST_OPEN_PORT:
        yield bad("this user may not listen on so low a port", "choose one with --port, say 8480")
    elif isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        remedy = "give one of `ip address` with --listen, or leave it at 127.0.0.1"
        yield bad("this machine has no such address", remedy)
    else:
        reason = os.strerror(error.errno) if error.errno else str(error)
        yield bad(f"cannot listen there: {reason}", "choose others with --listen and --port")
    settings = given.config.hub.web if given.config is not None else WebSettings()
    if error is None and (trouble := open_trouble(settings, listen)):
        words, _, remedy = trouble.partition(". ")
        yield bad(words, remedy)


def _trouble(listen: str, port: int) -> OSError | None:
    """Why one cannot listen there. The socket is bound for a moment and never listens."""
    family = socket.AF_INET6 if ":" in listen else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((listen, port))
    except OSError as error:
        return error
    return None


def _taken(given: Given) -> Finding:
    _, port = where(given)
    pid = running(given.folder)
    ours = listens(pid, port) if pid is not None else False
    if ours:
        return ok(f"held by the hub of this state folder (process {pid})")
    if ours is None:
        return ok(f"in use, as it is while the hub runs (process {pid}, of another user)")
    remedy = f"see who holds it: ss -ltnp 'sport = :{port}'; or choose another with --port"
    return bad("another program listens on this port", remedy)
