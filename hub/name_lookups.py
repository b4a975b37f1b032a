"""Looking up host names, apart from everything else that waits for a thread.

With the internet down a name server may be silent for ten seconds for each name. asyncio looks
names up in the few threads that also write files, so that a siren or a sign-in would wait behind
every mail that cannot go out. Here each name has a thread of its own while it is looked up, and all
who ask for it meanwhile share that.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import Any

MOST_AT_ONCE = 64


class NamesApart(asyncio.SelectorEventLoop):
    """asyncio's own event loop, but for names."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[tuple[Any, ...], asyncio.Future[Any]] = {}

    async def getaddrinfo(
        self,
        host: Any,
        port: Any,
        *,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        """As `socket.getaddrinfo`. Raises `socket.gaierror`, also where too many wait already."""
        name = (host, port, family, type, proto, flags)
        found = self._asked.get(name)
        if found is None:
            if len(self._asked) >= MOST_AT_ONCE:
                raise socket.gaierror(socket.EAI_AGAIN, "too many names are being looked up")
            found = self._asked[name] = self.create_future()
            found.add_done_callback(lambda done: self._forget(name, done))
            # A daemon: the end of the hub waits for no name server.
            work = threading.Thread(
                target=self._look_up, args=(name, found), name=f"name {host}", daemon=True
            )
            work.start()
        return await asyncio.shield(found)

    def _look_up(self, name: tuple[Any, ...], found: asyncio.Future[Any]) -> None:
        told: Any
        try:
            told, tell = socket.getaddrinfo(*name), found.set_result
        except Exception as error:
            told, tell = error, found.set_exception
        with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
            self.call_soon_threadsafe(tell, told)

    def _forget(self, name: tuple[Any, ...], done: asyncio.Future[Any]) -> None:
        del self._asked[name]
        if not done.cancelled():
            done.exception()  # whoever asked may have left
