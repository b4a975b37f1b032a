"""Runs a scripted day in processes that are killed, and takes account of it."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import random
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import structlog

from hub.clock import iso
from hub.testing.alarms.account import Account, take_account
from hub.testing.alarms.life import LINES, Life, Order, last_moment
from hub.testing.alarms.plan import AWAY_S, LONG_AWAY, LONG_AWAY_S, START, Alarm, alarms

IN_MEMORY = "/dev/shm"
SILENT_S = 120.0  # of the machine's own time: a life at work writes lines all the time
LOOK_EVERY_S = 0.02


class Broken(Exception):
    """The hub under test ended in a way it must not."""


def prove(
    count: int, seed: int, restarts: int, so_far: Callable[[int], None] = lambda lives: None
) -> Account:
    """A day with so many alerts and kills, in a temporary folder. `so_far` hears of each life.

    Only for a process without threads: it forks. Raises `Broken`.
    """
    assert threading.active_count() == 1, "a process with threads cannot be forked safely"
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    script = alarms(count, seed)
    chance = random.Random(seed)
    length = (script[-1].time - START).total_seconds() + 600.0
    kills = sorted(START + timedelta(seconds=chance.uniform(5, length)) for _ in range(restarts))
    memory = IN_MEMORY if Path(IN_MEMORY).is_dir() else None
    with tempfile.TemporaryDirectory(prefix="vestibule-alarms-", dir=memory) as folder:
        start = left = START
        for number in range(restarts + 1):
            later = [kill for kill in kills if kill > start]
            until = later[0] if later else None
            to_the_end = _live(Order(Path(folder), seed, start, until, left), script)
            so_far(number + 1)
            if to_the_end:
                break
            longest = LONG_AWAY_S if chance.random() < LONG_AWAY else AWAY_S
            away = timedelta(seconds=chance.uniform(0, longest))
            left = last_moment(Path(folder), start)
            start = left + away
        return take_account(Path(folder), script)


def _live(order: Order, script: list[Alarm]) -> bool:
    """One life; whether it came to the end of the day."""
    child = os.fork()
    if not child:
        code = 1
        try:
            faulthandler.enable(sys.__stderr__ or 2)  # every stack, when it is aborted
            asyncio.run(Life(order, script).run())
            code = 0
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(code)
    ended = _end(child, order)
    if ended not in (0, -signal.SIGKILL):
        raise Broken(f"the life from {iso(order.start)} on ended with {ended}; it says why above")
    return ended == 0


def _end(child: int, order: Order) -> int:
    """How a life ended, as an exit code. One that falls silent is aborted, and shows its stacks;
    raises `Broken`.
    """
    lines, size, last = order.folder / LINES, -1, time.monotonic() + SILENT_S
    while time.monotonic() < last:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if lines.exists() and (grown := lines.stat().st_size) != size:
            size, last = grown, time.monotonic() + SILENT_S
        time.sleep(LOOK_EVERY_S)
    os.kill(child, signal.SIGABRT)
    os.waitpid(child, 0)
    words = f"the life from {iso(order.start)} on was silent for {SILENT_S:g} s"
    raise Broken(f"{words}; where it stood is above")
