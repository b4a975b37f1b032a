"""Drivers that a test plays: a camera, a notifier and a panel of doors, of the real contracts."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.clock import Clock, SystemClock
from hub.errors import CommandFailed, NotReady
from hub.kinds import Context
from hub.kinds.access_control import (
    VERBS,
    Access,
    AccessReport,
    Capabilities,
    DoorReport,
    Lock,
    Position,
    Verb,
)
from hub.kinds.cameras import Purpose, VideoSource
from hub.kinds.notifiers import Channel, Notice, Receipt

HELD = 1024
BECOMES: dict[Verb, Lock] = {
    "lock": "locked",
    "lockdown": "locked",
    "lockdown_release": "unlocked",
    "unlock": "unlocked",
    "hold_open": "unlocked",
    "momentary": "locked",
}


class ScriptedCamera:
    """A camera that shows the pictures it is given, again and again, from a real H.264 clip.

    `pictures` are uint8 (height, width, 3) in BGR, all of one size, both sides even. `away` makes
    it raise `NotReady` until it is false again; `asked` are the purposes it was asked for.
    """

    def __init__(self, pictures: Sequence[NDArray[np.uint8]], clip: Path, fps: int = 10) -> None:
        self.clip = clip
        self.away = False
        self.asked: list[Purpose] = []
        self._pictures = pictures
        self._fps = fps

    async def start(self) -> None:
        """Write the clip, unless it is there."""
        self._there()
        if not self.clip.is_file():
            await asyncio.to_thread(_write, self._pictures, self.clip, self._fps)

    async def source(self, purpose: Purpose) -> VideoSource:
        """The clip, in a loop."""
        self._there()
        self.asked.append(purpose)
        return VideoSource(str(self.clip), transport="file", loop=True)

    async def close(self) -> None:
        """The clip stays."""

    def _there(self) -> None:
        if self.away:
            raise NotReady("the scripted camera is away")


class RecordingNotifier:
    """A channel that keeps the notices it takes, in `sent`.

    It answers with `answers` in turn, a receipt or an error to raise, and with `delivered` when
    there are none left.
    """

    channel = Channel(path="local")

    def __init__(self, answers: Iterable[Receipt | Exception] = ()) -> None:
        self.sent: deque[Notice] = deque(maxlen=HELD)
        self.answers = deque(answers)
        self._news = asyncio.Event()

    async def start(self) -> None:
        """There is nothing to get ready."""

    async def send(self, notice: Notice) -> Receipt:
        """Keep it, and answer as told."""
        answer = self.answers.popleft() if self.answers else Receipt("delivered", notice.key)
        if isinstance(answer, Exception):
            raise answer
        self.sent.append(notice)
        self._news.set()
        return answer

    async def told(self, count: int = 1, within: float = 5.0) -> list[Notice]:
        """What was sent, once it is `count` notices. Raises `TimeoutError` after `within` s."""
        async with asyncio.timeout(within):
            while len(self.sent) < count:
                self._news.clear()
                await self._news.wait()
        return list(self.sent)

    async def close(self) -> None:
        """What was sent stays."""


class FakeDoorPanel:
    """A controller whose doors a test moves.

    A command is kept in `commands` as (door, verb, key) and obeyed at once, unless `obeys` is
    false (then nothing follows), `refuses` has a reason for the door (then `CommandFailed`) or the
    door is in `lies` (then it is taken, and the lock stays as it is). `lockdown_all` is taken as a
    command of each door.
    """

    capabilities = Capabilities(
        verbs=frozenset(VERBS), lockdown_native=True, badges_still_work=False
    )

    def __init__(
        self,
        doors: Iterable[str],
        clock: Clock | None = None,
        reference: Callable[[str], str] | None = None,
    ) -> None:
        self.commands: deque[tuple[str, Verb, str]] = deque(maxlen=HELD)
        self.obeys = True
        self.refuses: dict[str, str] = {}
        self.lies: set[str] = set()
        self.dropped = 0
        self.locks: dict[str, Lock] = dict.fromkeys(doors, "locked")
        self.positions: dict[str, Position] = dict.fromkeys(self.locks, "closed")
        self._clock = clock or SystemClock()
        self._reference = reference or Context("panel").reference
        self._line_up = True
        self._started = False
        self._reports: asyncio.Queue[DoorReport | AccessReport | None] = asyncio.Queue(HELD)

    async def start(self) -> None:
        """Join the line; raises `NotReady` while it is cut."""
        if not self._line_up:
            raise NotReady("the line to the door panel is cut")
        self._reports = asyncio.Queue(HELD)
        self._started = True
        for door in self.locks:
            self.report(door)

    async def command(self, door: str, verb: Verb, key: str) -> None:
        """Keep it, and move the lock."""
        self._linked(door)
        if door in self.refuses:
            raise CommandFailed(self.refuses[door])
        self.commands.append((door, verb, key))
        if self.obeys:
            if door not in self.lies:
                self.locks[door] = BECOMES[verb]
            self.report(door, answers=True, passage=verb == "momentary")

    async def lockdown_all(self, engaged: bool, key: str) -> None:
        """Command every door; raises what the first that fails raises, once all were told."""
        verb: Verb = "lockdown" if engaged else "lockdown_release"
        told = (self.command(door, verb, key) for door in self.locks)
        for failed in await asyncio.gather(*told, return_exceptions=True):
            if failed is not None:
                raise failed

    async def refresh(self, door: str) -> None:
        """Report the door's state as an answer, unless it does not obey."""
        self._linked(door)
        if self.obeys:
            self.report(door, answers=True)

    async def reports(self) -> AsyncIterator[DoorReport | AccessReport]:
        """Reports as they come; the newest are kept when nobody reads."""
        while (report := await self._reports.get()) is not None:
            yield report
        if not self._line_up:
            raise NotReady("the line to the door panel is cut")

    async def close(self) -> None:
        """Take no more commands, and end the reports."""
        self._started = False
        self._push(None)

    def open(self, door: str) -> None:
        """The door opens, whatever its lock says: leaving is always free."""
        self.positions[door] = "open"
        self.report(door)

    def shut(self, door: str) -> None:
        """The door falls shut."""
        self.positions[door] = "closed"
        self.report(door)

    def turn(self, door: str, lock: Lock) -> None:
        """The lock is turned by hand, or jams."""
        self.locks[door] = lock
        self.report(door)

    def use(self, door: str, number: str, access: Access = "granted") -> None:
        """Somebody uses a card of this number, which is told by its reference."""
        self._push(AccessReport(door, self._clock.now(), access, self._reference(number)))

    def cut(self) -> None:
        """The line is cut: doors are offline, reports end, commands are `NotReady`."""
        self._line_up = False
        for door in self.locks:
            self._push(DoorReport(door, self._clock.now(), online=False, detail="line cut"))
        self._push(None)

    def mend(self) -> None:
        """The line is whole again; the hub starts the panel afresh."""
        self._line_up = True

    def report(self, door: str, **facts: Any) -> None:
        """Say how a door is; `facts` are further fields of the `DoorReport`."""
        told = {"lock": self.locks[door], "position": self.positions[door], **facts}
        self._push(DoorReport(door, self._clock.now(), **told))

    def _linked(self, door: str) -> None:
        if not (self._started and self._line_up):
            raise NotReady("there is no line to the door panel")
        if door not in self.locks:
            raise CommandFailed(f"the door panel has no door {door}")

    def _push(self, report: DoorReport | AccessReport | None) -> None:
        if self._reports.full():
            self._reports.get_nowait()
            self.dropped += 1
        self._reports.put_nowait(report)


def _write(pictures: Sequence[NDArray[np.uint8]], clip: Path, fps: int) -> None:
    import av

    clip.parent.mkdir(parents=True, exist_ok=True)
    part = clip.with_suffix(".part")
    height, width = pictures[0].shape[:2]
    with av.open(str(part), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.gop_size, stream.max_b_frames = fps, 0
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    part.replace(clip)
