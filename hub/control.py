"""How commands on the same machine talk to a running hub: one Unix socket in its run folder.

A connection carries one JSON object and its answer, each on a line. Who may open the state folder
may ask; the kernel says who it is (SO_PEERCRED), and that name stands in the journal.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import structlog

from hub.clock import Clock
from hub.errors import NotReady, Refused
from hub.origin import account
from hub.ports import ConfigurationFacade
from hub.secrets import Secrets

SOCKET = "control.sock"
LONGEST = 64 * 1024
ASK_WITHIN_S = 5.0
ANSWER_WITHIN_S = 60.0
AT_ONCE = 8
_PEER = struct.Struct("3i")  # pid, uid, gid: unix(7)

log = structlog.get_logger("control")


class Control:
    """The hub's end: answers `view`, `look` and `apply` for one configuration."""

    def __init__(
        self,
        configuration: ConfigurationFacade,
        folder: Path,
        clock: Clock,
        secrets: Secrets | None = None,
    ) -> None:
        self._secrets = secrets or Secrets()
        self._configuration = configuration
        self._folder = folder
        self._clock = clock
        self._room = asyncio.Semaphore(AT_ONCE)

    async def serve(self) -> None:
        """Listen until cancelled; the socket goes with it."""
        opening = asyncio.ensure_future(asyncio.to_thread(_listen, self._folder))
        try:
            try:
                listener = await asyncio.shield(opening)
            except asyncio.CancelledError:  # the thread goes on, and what it opens is ours to close
                with suppress(OSError):
                    (await opening).close()
                raise
            with listener:
                server = await asyncio.start_unix_server(self._answer, sock=listener, limit=LONGEST)
                async with server:
                    await server.serve_forever()
        finally:
            (self._folder / SOCKET).unlink(missing_ok=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, TimeoutError):
            async with self._room:
                async with asyncio.timeout(ASK_WITHIN_S):
                    line = await reader.readline()
                answer = await self._obey(line, _who(writer.get_extra_info("socket")))
                answer = self._secrets.clean_data(answer)
                writer.write(json.dumps(answer).encode() + b"\n")
                async with asyncio.timeout(ASK_WITHIN_S):
                    await writer.drain()
        writer.close()

    async def _obey(self, line: bytes, by: str) -> dict[str, Any]:
        try:
            asked = json.loads(line)
            match asked["do"]:
                case "view":
                    return {"view": await self._configuration.view()}
                case "look":
                    return {"plan": await self._configuration.look(str(asked.get("kept", "")))}
                case "apply":
                    confirmed = asked.get("confirmed") is True
                    plan = str(asked["plan"])
                    done = await self._configuration.apply(plan, by, confirmed=confirmed)
                    return {"plan": done}
                case other:
                    return {"error": f"the hub does not know what {other!r} is"}
        except Refused as refusal:
            return {"error": str(refusal)}
        except (ValueError, KeyError, TypeError):
            return {"error": "this is no question that the hub understands"}
        except Exception as error:
            log.exception("a command on this machine could not be answered")
            return {"error": f"the hub could not do it ({type(error).__name__}); see its log"}


def ask(folder: Path, question: dict[str, Any], within_s: float = ANSWER_WITHIN_S) -> Any:
    """Ask the hub that runs on this state's run folder; blocking.

    Raises `NotReady` where no hub answers, `Refused` with the hub's reason.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as end:
        end.settimeout(within_s)
        try:
            with _short(folder) as near:
                end.connect(f"{near}/{SOCKET}")
        except PermissionError:
            whose = f"the state folder {folder.parent} belongs to another user"
            raise Refused(f"{whose}; ask as that user, or as root") from None
        except OSError:
            raise NotReady(f"no hub runs on the state folder {folder.parent}") from None
        try:
            end.sendall(json.dumps(question).encode() + b"\n")
            with end.makefile("rb") as stream:
                line = stream.readline()
        except TimeoutError:
            raise NotReady(f"the hub did not answer within {within_s:g} s") from None
        except OSError:
            line = b""
    try:
        answer = json.loads(line)
    except ValueError:
        raise NotReady("the hub ended before it had answered") from None
    if "error" in answer:
        raise Refused(str(answer["error"]))
    return answer


def _listen(folder: Path) -> socket.socket:
    """The socket, in place once it listens: whoever finds it is answered."""
    begun = f"{SOCKET}.new"
    (folder / begun).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    before = os.umask(0o177)
    try:
        with _short(folder) as near:
            listener.bind(f"{near}/{begun}")
            listener.listen()
            os.replace(f"{near}/{begun}", f"{near}/{SOCKET}")  # noqa: PTH105
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


@contextmanager
def _short(folder: Path) -> Iterator[str]:
    """A short name for a folder: a socket's address holds 107 bytes (unix(7)), paths hold more."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _who(end: socket.socket) -> str:
    raw = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    return account(_PEER.unpack(raw)[1])
