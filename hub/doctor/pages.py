"""Where the pages listen: whether the port is free, or is held by this hub itself."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import AsyncIterator
from functools import partial

from hub.doctor.apart import in_thread
from hub.doctor.finding import Finding, Probe, bad, ok, warn
from hub.doctor.given import Given
from hub.doctor.holder import listens, running

FIRST_OPEN_PORT = 1024


def probes(given: Given) -> list[Probe]:
    """One probe: the address and port of the pages."""
    return [Probe("pages", f"{given.asked.listen}:{given.asked.port}", partial(_look, given))]


async def _look(given: Given) -> AsyncIterator[Finding]:
    listen, port = given.asked.listen, given.asked.port
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
    if listen in ("0.0.0.0", "::"):  # noqa: S104
        remedy = "listen on 127.0.0.1 and put a reverse proxy with TLS before it"
        yield warn("the pages would be open to the whole network, without TLS", remedy)


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
    port = given.asked.port
    pid = running(given.folder)
    ours = listens(pid, port) if pid is not None else False
    if ours:
        return ok(f"held by the hub of this state folder (process {pid})")
    if ours is None:
        return ok(f"in use, as it is while the hub runs (process {pid}, of another user)")
    remedy = f"see who holds it: ss -ltnp 'sport = :{port}'; or choose another with --port"
    return bad("another program listens on this port", remedy)
