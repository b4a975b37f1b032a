"""The world around the hub that is killed: what was offered to it, and what it sent out.

Both are lines of JSON in files of their own that no power cut of the hub touches, as a receiver or
a camera on another machine would keep them.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hub.errors import NotReady
from hub.kinds.access_control import Verb
from hub.kinds.notifiers import Channel, Notice, Receipt
from hub.ports import Outcome


class QuickClock:
    """Time that runs `speed` times as fast since `epoch`, so that waits between attempts are short;
    `ahead` is how far the wall clock was moved, in seconds.
    """

    def __init__(self, epoch: datetime, speed: float, ahead: float) -> None:
        self._epoch = epoch
        self._speed = speed
        self.ahead = ahead

    def now(self) -> datetime:
        passed = (datetime.now(UTC) - self._epoch) * self._speed
        return self._epoch + passed + timedelta(seconds=self.ahead)

    def monotonic(self) -> float:
        return time.monotonic() * self._speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self._speed)


class Fuse:
    """Kills this process at one of its steps, chosen beforehand; 0 never does."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def arm(self, steps: int) -> None:
        """Burn from here, so many steps long."""
        self._left = steps

    def step(self, _: str = "") -> None:
        """One step on; the last is the end of this process, without a last word."""
        if self._left:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)


class Lines:
    """A file of JSON lines that a process may be killed while writing to."""

    def __init__(self, path: Path, fuse: Fuse) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._fuse = fuse

    def add(self, **line: Any) -> None:
        """One line more, in one piece."""
        self._fuse.step()
        os.write(self._descriptor, json.dumps(line).encode() + b"\n")
        self._fuse.step()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Every whole line of a file; none when there is no file."""
    if not path.exists():
        return []
    found = []
    for text in path.read_bytes().split(b"\n")[:-1]:
        line: dict[str, Any] = json.loads(text)
        found.append(line)
    return found


@dataclass
class Weather:
    """How often things outside fail: 0 never, 1 always."""

    chance: random.Random
    fails: float = 0.0

    def strikes(self) -> bool:
        """Whether this one fails."""
        return self.chance.random() < self.fails


class ReceivingChannel:
    """A notifier whose far end writes down what it gets. It may fail before or after that."""

    def __init__(self, name: str, received: Lines, weather: Weather, channel: Channel) -> None:
        self.channel = channel
        self._name = name
        self._received = received
        self._weather = weather

    async def start(self) -> None:
        """Nothing to connect."""

    async def send(self, notice: Notice) -> Receipt:
        if self._weather.strikes():
            raise NotReady("the line is down")
        await asyncio.sleep(0)
        self._received.add(
            key=notice.key,
            channel=self._name,
            to=[one.person for one in notice.to],
            alert=notice.alert,
            about=notice.about,
            title=notice.title,
            repeat=notice.repeat,
            verdict=notice.data.get("verdict", ""),
            digest=notice.data.get("digest", 0),
        )
        await asyncio.sleep(0)
        if self._weather.strikes():
            raise NotReady("the answer was lost")
        return Receipt("accepted")

    async def close(self) -> None:
        """Nothing to close."""


class ReceivingDoors:
    """Locks that write down each command they get. They may fail before or after that."""

    def __init__(self, received: Lines, weather: Weather) -> None:
        self._received = received
        self._weather = weather

    async def perform(self, door: str, verb: Verb, key: str, deadline_s: float) -> Outcome:
        if self._weather.strikes():
            raise NotReady("the controller is away")
        self._received.add(key=key, door=door, verb=verb)
        await asyncio.sleep(0)
        if self._weather.strikes():
            raise NotReady("the answer was lost")
        return Outcome("confirmed", f"reported {verb}")
