"""A WebSocket of numbered JSON frames that comes back by itself; questions have answers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from hub import Clock, CommandFailed, NotReady
from plugins.access_control._backoff import pause
from plugins.access_control._json_object import json_object
from plugins.access_control._unreached import unreached

if TYPE_CHECKING:
    from aiohttp import ClientSession, ClientWebSocketResponse

ANSWER_S = 4.0  # for one answer
JOIN_S = 4.0  # to be connected
HEARTBEAT_S = 5.0
FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 8.0

Frame = Mapping[str, Any]


class SocketLine:
    """One line to `what` at `url`.

    Once it is connected `opened` may greet; then frames are read, and `joined` is awaited. A frame
    that answers no question goes to `heard`. `lost` is told why the line went; it is tried again
    until the task of `keep` is cancelled.
    """

    def __init__(
        self,
        what: str,
        url: str,
        clock: Clock,
        *,
        joined: Callable[[], Awaitable[None]],
        lost: Callable[[str], None],
        heard: Callable[[Frame], None],
        opened: Callable[[ClientWebSocketResponse], Awaitable[None]] | None = None,
        longest: int = 262_144,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self.what = what
        self._url, self._clock, self._longest, self._trust = url, clock, longest, trust
        self._opened, self._joined, self._lost, self._heard = opened, joined, lost, heard
        self._socket: ClientWebSocketResponse | None = None
        self._waiting: dict[int, asyncio.Future[Frame]] = {}
        self._numbers = itertools.count(1)
        self._first: asyncio.Future[None] | None = None
        self._met = False
        self.trouble = "it was not reached yet"

    def keep(self, session: ClientSession, name: str) -> asyncio.Task[None]:
        """Begin to keep the line; `up` tells how the first try went."""
        self._first = asyncio.get_running_loop().create_future()
        return asyncio.create_task(self._keep(session, name), name=name)

    async def up(self) -> None:
        """Wait for the first try. Raises `NotReady` where it failed."""
        first = self._first
        if first is not None:
            await asyncio.wait({first})
            first.result()

    async def ask(self, frame: Frame, within: float | None = None) -> Frame:
        """Send a frame under a new `id`; what came back under it. Raises `NotReady`."""
        socket = self._socket
        if socket is None:
            raise NotReady(f"no link to {self.what}: {self.trouble}")
        number = next(self._numbers)
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        limit = ANSWER_S if within is None else within
        try:
            async with asyncio.timeout(limit):
                await socket.send_json({**frame, "id": number})
                return await answer
        except TimeoutError:
            raise NotReady(f"{self.what} does not answer within {limit:g} s") from None
        except (OSError, RuntimeError) as error:
            raise NotReady(f"{self.what} did not take it: {unreached(error)}") from error
        finally:
            self._waiting.pop(number, None)
            if answer.done() and not answer.cancelled():
                answer.exception()

    async def _keep(self, session: ClientSession, name: str) -> None:
        attempt = 0
        while True:
            try:
                await self._serve(session, name)
                self.trouble = "it hung up"
            except (NotReady, CommandFailed) as error:
                self.trouble = str(error)
            except Exception as error:  # whoever hears it stumbled: the line is begun afresh
                self.trouble = f"it answers what is not understood ({type(error).__name__})"
            attempt = 0 if self._met else attempt + 1
            self._settle()
            self._lost(self.trouble)
            await self._clock.sleep(pause(attempt, FIRST_RETRY_S, LONGEST_RETRY_S))

    def _settle(self) -> None:
        """Tell whoever waits for the first try that it failed."""
        first, self._first = self._first, None
        if first is not None and not first.done():
            first.set_exception(NotReady(f"{self.what}: {self.trouble}"))
            first.exception()  # whoever waits gets it; nobody has to

    async def _serve(self, session: ClientSession, name: str) -> None:
        """Connect, greet, and read until it hangs up."""
        self._met = False
        socket = await self._connect(session)
        reader: asyncio.Task[None] | None = None
        try:
            if self._opened is not None:
                await self._greet(socket, self._opened)
            reader = asyncio.create_task(self._read(socket), name=f"{name} reader")
            self._socket = socket
            await self._joined()
            self._met = True
            if self._first is not None and not self._first.done():
                self._first.set_result(None)
            await reader
        finally:
            self._socket = None
            if reader is not None:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)
            with contextlib.suppress(Exception):
                async with asyncio.timeout(0.2):
                    await socket.close()

    async def _connect(self, session: ClientSession) -> ClientWebSocketResponse:
        from aiohttp import ClientError, WSServerHandshakeError

        try:
            async with asyncio.timeout(JOIN_S):
                return await session.ws_connect(
                    self._url,
                    heartbeat=HEARTBEAT_S,
                    max_msg_size=self._longest,
                    ssl=self._trust or True,
                )
        except TimeoutError:
            raise NotReady("it does not answer") from None
        except WSServerHandshakeError as error:
            told = f"it answers HTTP {error.status} where its WebSocket should be"
            raise NotReady(told) from None
        except (ClientError, OSError, ValueError) as error:
            raise NotReady(f"it is not reached: {unreached(error)}") from error

    async def _greet(
        self,
        socket: ClientWebSocketResponse,
        opened: Callable[[ClientWebSocketResponse], Awaitable[None]],
    ) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                await opened(socket)
        except TimeoutError:
            raise NotReady(f"it does not answer within {ANSWER_S:g} s") from None
        except (TypeError, ValueError, RecursionError):
            raise NotReady("it answers, but not in JSON") from None
        except (OSError, RuntimeError) as error:
            raise NotReady(f"it hung up: {unreached(error)}") from error

    async def _read(self, socket: ClientWebSocketResponse) -> None:
        try:
            async for message in socket:
                if isinstance(message.data, TimeoutError):
                    raise NotReady("it has fallen silent")
                if isinstance(message.data, Exception):
                    raise NotReady(f"the line broke: {unreached(message.data)}")
                if not isinstance(message.data, str):
                    raise NotReady("it answers, but not in JSON")
                self._take(message.data)
        finally:
            waiting, self._waiting = self._waiting, {}
            for answer in waiting.values():
                if not answer.done():
                    answer.set_exception(NotReady(f"{self.what} hung up"))

    def _take(self, text: str) -> None:
        frame = json_object(text)
        if frame is None:
            raise NotReady("it answers, but not in JSON")
        number = frame.get("id")
        answer = self._waiting.get(number) if isinstance(number, int) else None
        if answer is not None and not answer.done():
            answer.set_result(frame)
        else:
            self._heard(frame)
