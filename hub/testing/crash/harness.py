"""Kills a hub's core over and over, at points chosen by a seed, and counts what was lost.

Each run is one kill, a restart, and a comparison once the hub has come to rest; in some the
restarted hub is killed again while it recovers, and in some the wall clock is set forward or back,
while the hub runs or while it is down. Of four runs one leaves the files as they are, two
cut them back to what was synced, and one keeps a random part of what was not.
"""

from __future__ import annotations

import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hub.clock import iso
from hub.testing.crash.compare import Findings, compare
from hub.testing.crash.disk import cut_power
from hub.testing.crash.life import CLOCK_SET, HOUR_S, JOURNAL, OFFERED, RECEIVED, Order
from hub.testing.crash.outside import read_lines

SPEED = 20.0
ANSWER_WITHIN_S = 120.0
RUNS_PER_SCHOOL = 25
AGAIN = 0.2
LONGEST_FUSE, LONGEST_LOAD_S = 900, 0.25
AND_AGAIN = ", and again while it recovered"
IN_MEMORY = "/dev/shm"
DISKS = ("as it is", "synced alone", "synced alone", "some unsynced")


class Damaged(Exception):
    """The hub under test refused its journal after a cut: nothing of it can be relied on."""


class Broken(Exception):
    """The hub under test ended in a way it must not, or never answered."""


@dataclass(slots=True)
class Account:
    """What all runs together found. `resumed` holds, for each restart, the seconds from the start
    of the process until each action that the kill left due or under way was attempted again.
    """

    runs: int = 0
    findings: Findings = field(default_factory=Findings)
    resumed: list[float] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    unsynced: int = 0
    left: int = 0
    offered: int = 0
    received: int = 0
    clocks: int = 0
    digests: int = 0

    def add(self, other: Account) -> None:
        """Take over the account of further runs."""
        self.runs += other.runs
        self.findings.add(other.findings)
        self.resumed += other.resumed
        self.kills += other.kills
        self.unsynced += other.unsynced
        self.left += other.left
        self.offered += other.offered
        self.received += other.received
        self.clocks += other.clocks
        self.digests += other.digests

    def figures(self) -> dict[str, float | int]:
        """The five figures that the promise is judged by."""
        times = sorted(self.resumed)
        p95 = times[min(len(times) - 1, int(0.95 * len(times)))] if times else 0.0
        return {
            "runs": self.runs,
            "lost": len(self.findings.lost),
            "doubled": len(self.findings.doubled),
            "unmarked_repeats": len(self.findings.unmarked),
            "resumed_p95_s": round(p95, 3),
        }


class Nursery:
    """A process that has everything loaded and forks a life for each order."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hub.testing.crash.life"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        self._unread = b""
        self.hear("ready")

    def order(self, order: Order) -> int:
        """Begin a life; returns its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        self._process.stdin.flush()
        pid: int = self.hear("pid")["pid"]
        return pid

    def hear(self, *wanted: str) -> dict[str, Any]:
        """The next line that has one of these keys. Raises `Broken` when none comes."""
        deadline = time.monotonic() + ANSWER_WITHIN_S
        while True:
            line = self._line(deadline)
            if any(key in line for key in wanted):
                return line
            if "ended" in line:
                raise Broken(f"a life ended by itself ({line['ended']}), {wanted} was expected")

    def _line(self, deadline: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._unread:
            ready, _, _ = select.select([descriptor], [], [], deadline - time.monotonic())
            more = os.read(descriptor, 65536) if ready else b""
            if not more:
                raise Broken("the hub under test did not answer")
            self._unread += more
        text, self._unread = self._unread.split(b"\n", 1)
        line: dict[str, Any] = json.loads(text)
        return line

    def close(self) -> None:
        """End the process; it ends when its orders do."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


@contextmanager
def nursery() -> Iterator[Nursery]:
    """A nursery while the block runs."""
    made = Nursery()
    try:
        yield made
    finally:
        made.close()


class School:
    """One state folder that is killed again and again, and the world outside it."""

    def __init__(
        self, folder: Path, lives: Nursery, seed: int, settings: tuple[str, ...] = ()
    ) -> None:
        self.folder = folder
        self.account = Account()
        self._lives = lives
        self._settings = settings
        self._chance = random.Random(seed)
        self._epoch = iso(datetime.now(UTC))
        self._ahead = 0.0
        self._state, self._before = folder / "state", folder / "before"
        self._log = folder / "disk.log"
        self._state.mkdir()

    def run(self, runs: int) -> None:
        """So many kills, and after the last a life that comes to rest. Fewer where a kill left a
        journal that cannot be opened, which is the worst of losses.
        """
        try:
            self._run(runs)
        except Damaged as error:
            self.account.runs += 1
            self.account.findings.lost.append(f"the journal: {error}")

    def _run(self, runs: int) -> None:
        pid = self._start(early=0)
        self._rest()
        for _ in range(runs):
            disk = self._disk
            how = self._kill(pid)
            again = False
            self._after(disk)
            while self._chance.random() < AGAIN:
                pid = self._start(early=self._chance.randint(1, 60))
                if self._lived(pid):
                    break
                again = True
                self._after(self._disk)
            else:
                pid = self._start(early=0)
                self._rest()
            self.account.runs += 1
            self.account.kills[f"{disk}, {how}{AND_AGAIN if again else ''}"] += 1
            self._compare()
        os.kill(pid, signal.SIGKILL)
        self._lives.hear("ended")
        lines = read_lines(self.folder / OFFERED)
        self.account.clocks += sum("ahead" in line for line in lines)
        self.account.offered += sum("event" not in line and "ahead" not in line for line in lines)
        received = read_lines(self.folder / RECEIVED)
        self.account.received += len(received)
        self.account.digests += sum(bool(line.get("digest")) for line in received)

    def _start(self, early: int) -> int:
        self._disk = self._chance.choice(DISKS)
        recorded = self._disk != "as it is"
        self._log.unlink(missing_ok=True)
        if recorded:
            shutil.rmtree(self._before, ignore_errors=True)
            shutil.copytree(self._state, self._before)
        for line in read_lines(self.folder / OFFERED):
            self._ahead = line.get("ahead", self._ahead)
        if self._chance.random() < CLOCK_SET:
            self._ahead += self._chance.uniform(-HOUR_S, HOUR_S)
            self.account.clocks += 1
        self._late = self._chance.choice((0, self._chance.randint(1, LONGEST_FUSE)))
        order = Order(
            folder=str(self.folder),
            log=str(self._log) if recorded else "",
            seed=self._chance.getrandbits(32),
            epoch=self._epoch,
            ahead=self._ahead,
            speed=SPEED,
            early=early,
            late=self._late,
            settings=self._settings,
        )
        return self._lives.order(order)

    def _rest(self) -> None:
        self._note(self._undamaged("resumed"))
        self._lives.hear("rested")

    def _undamaged(self, *wanted: str) -> dict[str, Any]:
        line = self._lives.hear("damaged", *wanted)
        if "damaged" in line:
            self._lives.hear("ended")
            raise Damaged(line["damaged"])
        return line

    def _lived(self, pid: int) -> bool:
        """Whether a life whose fuse burned from the start came to rest all the same."""
        while True:
            line = self._undamaged("resumed", "rested", "ended")
            if "ended" in line:
                self._killed(line)
                return False
            if "rested" in line:
                return True
            self._note(line)

    def _note(self, line: dict[str, Any]) -> None:
        self.account.resumed.append(line["resumed"])
        self.account.left += line["left"]

    def _kill(self, pid: int) -> str:
        os.kill(pid, signal.SIGUSR1)
        how = "at a step of its own"
        if not self._late:
            how = "at a moment"
            time.sleep(self._chance.uniform(0.0, LONGEST_LOAD_S))
            os.kill(pid, signal.SIGKILL)
        self._killed(self._lives.hear("ended"))
        return how

    def _killed(self, line: dict[str, Any]) -> None:
        if line["ended"] != -signal.SIGKILL:
            raise Broken(f"a life ended with {line['ended']} instead of being killed")

    def _after(self, disk: str) -> None:
        """Leave the files as the disk would."""
        if disk == "as it is":
            return
        keep: Any = "none" if disk == "synced alone" else "some"
        cut = cut_power(self._before, self._log, self._state, keep, self._chance)
        self.account.unsynced += cut.unsynced

    def _compare(self) -> None:
        journal = self._state / JOURNAL
        self.account.findings.add(compare(journal, self.folder / OFFERED, self.folder / RECEIVED))


def prove(
    runs: int,
    seed: int,
    lives: Nursery,
    settings: tuple[str, ...] = (),
    so_far: Callable[[Account], None] = lambda account: None,
) -> Account:
    """So many kills, each school taking its share, in temporary folders. `so_far` hears of each.

    The folders lie in memory where there is such a place: what a cut leaves comes from the notes of
    the disk's changes, and a kill alone leaves the kernel's cache as it is on any disk.
    """
    memory = IN_MEMORY if Path(IN_MEMORY).is_dir() else None
    account = Account()
    while account.runs < runs:
        with tempfile.TemporaryDirectory(prefix="vestibule-crash-", dir=memory) as folder:
            school = School(Path(folder), lives, seed + account.runs, settings)
            school.run(min(RUNS_PER_SCHOOL, runs - account.runs))
            account.add(school.account)
            so_far(account)
    return account
