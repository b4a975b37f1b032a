"""Live pictures as one stream a viewer: `multipart/x-mixed-replace`, each picture with its age.

A camera's newest picture is read once for all who watch it. Each viewer holds the newest alone, so
that one who reads slowly misses pictures and nobody waits for them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from hub.errors import StateError
from hub.ports import HouseFacade
from hub.web.problems import denial
from hub.web.security import HOUSE, may_see, still_may, who_is
from hub.web.stream import STREAMS

MOST_VIEWERS = 64
MOST_OF_ONE = 16  # of one account or token
LOOK_EVERY_S = 0.1
CHECK_EVERY_S = 2.0
BOUNDARY = "picture"


@dataclass(frozen=True, slots=True)
class Shown:
    """A JPEG, and when it was written (s since the epoch)."""

    jpeg: bytes
    written: float


class _Viewer:
    """The newest picture that one viewer has not taken yet."""

    def __init__(self, by: str) -> None:
        self.by = by
        self.skipped = 0
        self._newest: Shown | None = None
        self._fresh = asyncio.Event()

    def offer(self, picture: Shown) -> None:
        self.skipped += self._newest is not None
        self._newest = picture
        self._fresh.set()

    async def take(self, within_s: float) -> Shown | None:
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._fresh.wait()
        self._fresh.clear()
        taken, self._newest = self._newest, None
        return taken


@dataclass(slots=True)
class _Camera:
    reading: asyncio.Task[None]
    viewers: set[_Viewer] = field(default_factory=set)
    newest: Shown | None = None


class Viewers:
    """Who watches which camera. `refused` counts those for whom there was no room, `skipped`
    pictures that came faster than a viewer took them.
    """

    def __init__(self, house: HouseFacade) -> None:
        self._house = house
        self._cameras: dict[str, _Camera] = {}
        self.refused = 0
        self.skipped = 0

    @property
    def open(self) -> int:
        """How many watch now."""
        return sum(len(each.viewers) for each in self._cameras.values())

    def full(self, by: str) -> bool:
        """Whether there is no room for somebody to watch one more."""
        of_theirs = sum(
            each.by == by for camera in self._cameras.values() for each in camera.viewers
        )
        return self.open >= MOST_VIEWERS or of_theirs >= MOST_OF_ONE

    @asynccontextmanager
    async def watching(self, camera: str, by: str) -> AsyncIterator[_Viewer]:
        """One viewer of a camera, from now until the end of the block."""
        known = self._cameras.get(camera)
        if known is None:
            reading = asyncio.create_task(self._read(camera), name=f"pictures of {camera}")
            known = self._cameras[camera] = _Camera(reading)
        viewer = _Viewer(by)
        known.viewers.add(viewer)
        if known.newest is not None:
            viewer.offer(known.newest)
        try:
            yield viewer
        finally:
            self.skipped += viewer.skipped
            known.viewers.discard(viewer)
            if not known.viewers:
                del self._cameras[camera]
                known.reading.cancel()
                with suppress(asyncio.CancelledError):
                    await known.reading

    async def _read(self, camera: str) -> None:
        """Hand every new picture to all who watch, and have the camera show all that it has."""
        loop, asked, before = asyncio.get_running_loop(), -1e9, 0.0
        while True:
            if loop.time() - asked >= CHECK_EVERY_S:
                self._house.watch(camera)
                asked = loop.time()
            file = self._house.snapshot(camera)
            picture = await asyncio.to_thread(_newer, file, before) if file else None
            if picture is not None:
                before = picture.written
                known = self._cameras[camera]
                known.newest = picture
                for viewer in known.viewers:
                    viewer.offer(picture)
            await asyncio.sleep(LOOK_EVERY_S)


VIEWERS: web.AppKey[Viewers] = web.AppKey("viewers", Viewers)


def _newer(file: Path, than: float) -> Shown | None:
    """The picture in a file, where that was written since."""
    try:
        with file.open("rb") as opened:
            written = os.fstat(opened.fileno()).st_mtime  # of this picture, should another come
            return Shown(opened.read(), written) if written > than else None
    except OSError:
        return None


def may_watch(request: web.Request, camera: str) -> bool:
    """Whether there is a camera of this name whose live picture the sender may see now."""
    house = request.app[HOUSE]
    block = house.config.cameras.get(camera)
    if block is None or house.campus.private(block.place):
        return False
    return may_see(request, camera)


async def stream(request: web.Request) -> web.StreamResponse:
    """A camera's pictures as they come, for as long as the sender may see them.

    That somebody looks stands on the disk before the first picture leaves; the end is noted by the
    audit when no more are taken.
    """
    camera, streams, viewers = request.match_info["id"], request.app[STREAMS], request.app[VIEWERS]
    if not may_watch(request, camera):
        raise web.HTTPNotFound
    if viewers.full(who_is(request).by) or streams.stopping.is_set():
        viewers.refused += 1
        return denial(
            503, "Too many live pictures are open.", "Close a live picture and try again."
        )
    if unseen := await _unrecorded(request, camera):
        return unseen
    response = web.StreamResponse(
        headers={
            "Content-Type": f"multipart/x-mixed-replace; boundary={BOUNDARY}",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
        }
    )
    with suppress(ConnectionError, StateError):
        async with viewers.watching(camera, who_is(request).by) as viewer:
            await response.prepare(request)
            await _send(request, response, viewer)
    return response


async def _send(request: web.Request, response: web.StreamResponse, viewer: _Viewer) -> None:
    loop, house, streams = asyncio.get_running_loop(), request.app[HOUSE], request.app[STREAMS]
    camera, who = request.match_info["id"], who_is(request).by
    check_at = loop.time() + CHECK_EVERY_S
    while not streams.stopping.is_set():
        picture = await viewer.take(min(1.0, max(0.0, check_at - loop.time())))
        if loop.time() >= check_at:
            if not await still_may(request, "see.cameras"):
                return
            check_at = loop.time() + CHECK_EVERY_S
        if not may_watch(request, camera) or _gone(request):
            return
        if picture is None:
            continue
        await house.audit.look(who, request.remote or "", camera)
        try:
            async with asyncio.timeout(streams.write_deadline_s):
                await response.write(_part(picture, house.clock.now().timestamp()))
        except TimeoutError:
            streams.cut += 1
            if request.transport is not None:
                request.transport.abort()
            return


def _gone(request: web.Request) -> bool:
    """Whether the other end has closed: nobody would notice while no picture comes."""
    return request.transport is None or request.transport.is_closing()


def _part(picture: Shown, now: float) -> bytes:
    head = (
        f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture.jpeg)}\r\n"
        f"X-Picture-Age: {max(0.0, now - picture.written):.3f}\r\n\r\n"
    )
    return head.encode("ascii") + picture.jpeg + b"\r\n"


async def _unrecorded(request: web.Request, camera: str) -> web.Response | None:
    """The answer where it cannot be recorded that somebody looks; then nothing is shown."""
    try:
        await request.app[HOUSE].audit.look(who_is(request).by, request.remote or "", camera)
    except StateError:
        error = "It cannot be recorded that you look at this, so it is not shown."
        return denial(503, error, "The page Health says what is wrong with the journal.")
    return None
