"""A camera that draws its own school: `driver: simulated`.

The clip is drawn once, in a process of its own, and kept; from then on the hub reads it like any
other H.264 file, in real time and in a loop.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from types import MappingProxyType
from typing import Literal
from weakref import WeakKeyDictionary

from pydantic import Field, field_validator

from hub import (
    Block,
    Context,
    Driver,
    Duration,
    NotReady,
    PictureSize,
    Probed,
    Purpose,
    VideoSource,
    hookimpl,
    size_words,
)
from plugins.cameras.school import DRAWING

AT_ONCE = 2
STALLED_S = 60.0
ROOT = Path(__file__).parents[2]


class _Turns:
    """Who may draw: two at once, and never two the same clip."""

    def __init__(self) -> None:
        self.slots = asyncio.Semaphore(AT_ONCE)
        self.clips: dict[Path, asyncio.Lock] = {}


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns] = WeakKeyDictionary()


class SimulatedConfig(Block):
    """What to draw; the same values always give the same pictures."""

    renamed = MappingProxyType({"seconds": "length"})

    scene: Literal["corridor", "entrance", "yard", "car_park"] = Field(description="What to draw.")
    seed: int = Field(1, ge=0, lt=2**31, description="The same seed draws the same pictures.")
    size: PictureSize = Field(
        (640, 360), description="The picture, even numbers from 320x180 to 1280x720."
    )
    stream_fps: int = Field(  # plain `fps` is the hub's: how often it looks
        10,
        ge=2,
        le=25,
        description="Pictures a second in the stream (`fps` says how many are looked at).",
    )
    length: Duration = Field(
        60.0, ge=60, le=600, description="How long until it starts over, in whole seconds."
    )

    @field_validator("size")
    @classmethod
    def _drawable(cls, size: tuple[int, int]) -> tuple[int, int]:
        width, height = size
        if width % 2 or height % 2 or not (320 <= width <= 1280 and 180 <= height <= 720):
            raise ValueError("expected even numbers from 320x180 to 1280x720")
        return size

    @field_validator("length")
    @classmethod
    def _whole(cls, length: float) -> float:
        if length % 1:
            raise ValueError("expected whole seconds")
        return length

    def stem(self) -> str:
        """The clip's name: scene, seed and a digest of everything that changes the picture."""
        size, length = size_words(self.size), int(self.length)
        said = f"{DRAWING} {self.scene} {self.seed} {size} {self.stream_fps} {length}"
        digest = hashlib.sha256(said.encode()).hexdigest()[:12]
        return f"{self.scene}-{self.seed}-{digest}"


class SimulatedCamera:
    """Draws its clip in the background from `start`; `source` waits for it."""

    def __init__(self, config: SimulatedConfig, context: Context) -> None:
        self._config = config
        self._context = context
        self._clip = context.cache.absolute() / f"{config.stem()}.mp4"
        self._drawing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to draw, unless the clip is there already."""
        if self._drawing is None and not await asyncio.to_thread(self._ready):
            label = f"draw {self._config.scene} for {self._context.name}"
            self._drawing = asyncio.create_task(self._draw(), name=label)

    async def source(self, purpose: Purpose) -> VideoSource:
        """The clip, played in a loop. Giving up waiting does not stop the drawing."""
        await self.start()
        if self._drawing is not None:
            drawing = self._drawing
            try:
                await asyncio.shield(drawing)
            finally:
                if drawing.done():
                    self._drawing = None
        return VideoSource(url=str(self._clip), transport="file", loop=True)

    async def probe(self) -> str | Probed:
        """Whether its pictures are drawn; drawing them is left to the running hub."""
        if not await asyncio.to_thread(self._ready):
            told = "simulated; its pictures are not drawn yet, the hub does that at its start"
            return Probed(told, complete=True)
        return "simulated"

    async def close(self) -> None:
        """Stop drawing; nothing half drawn stays behind."""
        drawing, self._drawing = self._drawing, None
        if drawing is not None:
            drawing.cancel()
            await asyncio.gather(drawing, return_exceptions=True)

    def _ready(self) -> bool:
        return self._clip.exists() and self._clip.with_suffix(".jsonl").exists()

    async def _draw(self) -> None:
        turns = _turns.setdefault(asyncio.get_running_loop(), _Turns())
        async with turns.clips.setdefault(self._clip, asyncio.Lock()), turns.slots:
            try:
                if await asyncio.to_thread(self._prepare):
                    return
            except OSError as problem:
                raise NotReady(
                    f"cannot keep drawn clips in {self._clip.parent}: {problem}"
                ) from None
            process = await asyncio.create_subprocess_exec(
                *self._command(), stdin=DEVNULL, stdout=PIPE, stderr=PIPE, cwd=ROOT, env=_quiet()
            )
            try:
                await self._follow(process)
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
                self._sweep()

    def _prepare(self) -> bool:
        """Make the folder; True when the clip is there after all, drawn by another camera."""
        self._clip.parent.mkdir(parents=True, exist_ok=True)
        self._sweep()
        return self._ready()

    def _sweep(self) -> None:
        """Remove what a drawing that was cut short left behind."""
        for suffix in (".mp4.part", ".jsonl.part"):
            self._clip.with_suffix(suffix).unlink(missing_ok=True)

    def _command(self) -> list[str]:
        config = self._config
        return [
            sys.executable, "-m", "plugins.cameras.school.encode", config.scene, str(self._clip),
            "--seed", str(config.seed), "--size", size_words(config.size),
            "--fps", str(config.stream_fps), "--seconds", str(int(config.length)),
        ]  # fmt: skip

    async def _follow(self, process: Process) -> None:
        """Show progress until the clip is there; a child that stalls or fails is `NotReady`."""
        assert process.stdout is not None
        assert process.stderr is not None
        errors = asyncio.create_task(process.stderr.read(), name="drawing errors")
        try:
            while True:
                async with asyncio.timeout(STALLED_S):
                    line = await process.stdout.readline()
                if not line:
                    break
                done, total = (int(part) for part in line.split())
                self._context.progress(f"Drawing {self._config.scene}", done, total)
            async with asyncio.timeout(STALLED_S):
                code = await process.wait()
            if code != 0:
                said = (await errors).decode(errors="replace").strip().splitlines()
                why = said[-1] if said else f"exit status {code}"
                raise NotReady(f"could not draw the scene {self._config.scene}: {why}")
        except TimeoutError:
            raise NotReady(f"drawing the scene {self._config.scene} made no progress") from None
        finally:
            errors.cancel()
            await asyncio.gather(errors, return_exceptions=True)


def _quiet() -> dict[str, str]:
    """The child's environment: one thread for numerical libraries, the hub's own packages."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**os.environ, **threads}


@hookimpl
def vestibule_cameras() -> list[Driver]:
    """Offer the camera that needs no camera."""
    summary = "Draws a school corridor, entrance, yard or car park with people, cars and weather"
    return [Driver("simulated", SimulatedCamera, SimulatedConfig, summary)]
