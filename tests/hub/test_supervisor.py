"""Tasks and child processes are kept running, are reported, and end when they are told to."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.backoff import Backoff
from hub.child_process import Exit, Launch
from hub.clock import SystemClock
from hub.errors import BadConfig, NotReady, Problem
from hub.events import Event
from hub.procfs import usage
from hub.supervisor import Supervisor
from hub.testing import FakeClock

SLEEPER = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "open(sys.argv[1], 'w').close(); time.sleep(60)",
)


class Told:
    """Collects what the supervisor reports."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def __call__(self, event: Event) -> None:
        self.events.append(event)

    def kinds(self) -> list[str]:
        return [event.type for event in self.events]


@pytest.fixture
async def told() -> Told:
    """What was reported."""
    return Told()


@pytest.fixture
async def supervisor(told: Told) -> AsyncIterator[Supervisor]:
    """One on the machine's own clock, stopped afterwards."""
    supervisor = Supervisor(SystemClock(), told, first_delay=0.05, healthy_after=30)
    yield supervisor
    await supervisor.stop(1.5)


async def until(condition, within_s: float = 60.0) -> None:  # type: ignore[no-untyped-def]
    """Wait until the condition holds, or fail."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


def running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_delays_double_up_to_the_cap_and_start_over_after_a_reset() -> None:
    """Each delay is twice the one before, never above the cap, until reset."""
    backoff = Backoff(1, 5, chance=lambda: 0.0)
    assert [backoff.delay() for _ in range(4)] == [1, 2, 4, 5]
    backoff.reset()
    assert backoff.delay() == 1


def test_delays_are_shortened_by_chance_by_at_most_a_quarter() -> None:
    """Two that failed together do not try again together."""
    assert Backoff(8, chance=lambda: 1.0).delay() == 6
    assert 6 <= Backoff(8).delay() <= 8


async def test_a_task_that_raises_is_started_again_with_growing_delays(told: Told) -> None:
    """The fourth start comes only after the sum of three delays."""
    clock = FakeClock()
    starts: list[float] = []

    async def fails() -> None:
        starts.append(clock.monotonic())
        raise NotReady("the lamp is out")

    supervisor = Supervisor(clock, told, first_delay=1, cap=60)
    supervisor.run("lamp", fails)
    await clock.advance(0)
    assert [(s.state, s.reason) for s in supervisor.tasks()] == [("retrying", "the lamp is out")]
    await clock.advance(30)
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert len(gaps) >= 3
    for number, gap in enumerate(gaps):
        assert 0.75 * 2**number <= gap <= 2**number
    await supervisor.stop(0.6)


@pytest.mark.parametrize(
    ("error", "traced"), [(NotReady("the broker is away"), False), (ValueError("a fault"), True)]
)
async def test_what_was_foreseen_is_told_in_a_sentence_and_a_fault_with_its_trace(
    error: Exception, traced: bool, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    """A broker that is away for a night fills no log with tracebacks."""
    clock = FakeClock()
    supervisor = Supervisor(clock, told)

    async def work() -> None:
        raise error

    supervisor.run("inputs", work)
    await clock.advance(1)
    await supervisor.stop(0.6)
    (said, *_) = [record for record in caplog.records if "inputs failed" in record.message]
    assert said.getMessage() == f"inputs failed: {error}"
    assert (said.exc_info is not None) == traced


async def test_a_run_of_failures_is_reported_once_and_so_is_the_recovery(told: Told) -> None:
    """Ten failures in a row make one plugin.failed; a healthy while makes one plugin.recovered."""
    clock = FakeClock()
    failures = 3

    async def works_at_last() -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise NotReady("not yet")
        await clock.sleep(10_000)

    supervisor = Supervisor(clock, told, first_delay=0.1, healthy_after=30)
    supervisor.run("desk", works_at_last)
    await clock.advance(0)
    await clock.advance(5)
    assert told.kinds() == ["plugin.failed"]
    assert told.events[0].data["reason"] == "not yet"
    assert supervisor.tasks()[0].restarts == 3
    await clock.advance(40)
    assert told.kinds() == ["plugin.failed", "plugin.recovered"]
    assert supervisor.tasks()[0].reason == ""
    await supervisor.stop(0.6)


async def test_bad_configuration_is_not_tried_again(told: Told) -> None:
    """What no repetition cures ends as failed, once reported."""
    clock = FakeClock()
    starts = 0

    async def wrong() -> None:
        nonlocal starts
        starts += 1
        raise BadConfig([Problem("a.yaml", 3, 5, "doors.main", "no such pin")])

    supervisor = Supervisor(clock, told)
    supervisor.run("door", wrong)
    await clock.advance(0)
    await clock.advance(300)
    assert (starts, supervisor.tasks()[0].state, told.kinds()) == (1, "failed", ["plugin.failed"])
    await supervisor.stop(0.6)


async def test_work_that_is_cancelled_from_within_is_started_again(told: Told) -> None:
    """A stray cancellation inside the work does not end its supervision."""
    clock = FakeClock()
    starts = 0

    async def cancels_itself() -> None:
        nonlocal starts
        starts += 1
        raise asyncio.CancelledError

    supervisor = Supervisor(clock, told, first_delay=1)
    supervisor.run("odd", cancels_itself)
    await clock.advance(0)
    await clock.advance(4)
    assert starts >= 2
    await supervisor.stop(0.6)


async def test_a_journal_that_fails_does_not_stop_the_supervisor() -> None:
    """Restarts go on while reports cannot be delivered."""
    clock = FakeClock()
    starts = 0

    async def broken(event: Event) -> None:
        raise OSError("disk full")

    async def fails() -> None:
        nonlocal starts
        starts += 1
        raise NotReady("no")

    supervisor = Supervisor(clock, broken, first_delay=1)
    supervisor.run("x", fails)
    await clock.advance(0)
    await clock.advance(10)
    assert starts >= 3
    await supervisor.stop(0.6)


async def test_a_name_is_taken_only_once(supervisor: Supervisor) -> None:
    """Two tasks, or two processes, of one name are refused."""

    async def forever() -> None:
        await asyncio.sleep(60)

    supervisor.run("one", forever)
    with pytest.raises(ValueError, match="one"):
        supervisor.run("one", forever)
    await supervisor.cancel("one")
    supervisor.run("one", forever)
    supervisor.process("child", lambda: Launch(SLEEPER))
    with pytest.raises(ValueError, match="child"):
        supervisor.process("child", lambda: Launch(SLEEPER))


async def test_a_killed_process_is_reported_and_comes_back(
    supervisor: Supervisor, told: Told
) -> None:
    """After kill -9 there is process.died with the signal's name, then process.started again."""
    exits: list[Exit] = []

    async def ended(end: Exit) -> None:
        exits.append(end)

    supervisor.process("sleeper", lambda: Launch(SLEEPER), ended=ended)
    await until(lambda: "process.started" in told.kinds())
    first = supervisor.views()[1]["pid"]
    os.kill(first, signal.SIGKILL)
    await until(lambda: told.kinds().count("process.started") == 2)
    assert told.kinds() == ["process.started", "process.died", "process.started"]
    assert told.events[1].data["reason"] == "killed by SIGKILL"
    view = supervisor.views()[1]
    assert (view["state"], view["restarts"], view["pid"] == first) == ("running", 1, False)
    assert [(end.code, end.asked) for end in exits] == [(-9, False)]


async def test_a_program_that_does_not_exist_is_tried_again_and_shown(
    supervisor: Supervisor, told: Told
) -> None:
    """A start that fails is an end like any other."""
    supervisor.process("ghost", lambda: Launch(("/nonexistent/program",)))
    await until(lambda: told.kinds().count("process.died") >= 2)
    assert supervisor.views()[1]["state"] == "restarting"


async def test_stop_ends_even_a_process_that_ignores_sigterm_in_time(
    told: Told, tmp_path: Path
) -> None:
    """SIGTERM, then SIGKILL: nothing is left within the deadline."""
    supervisor = Supervisor(SystemClock(), told)
    ready = tmp_path / "ready"
    supervisor.process("stubborn", lambda: Launch((*STUBBORN, str(ready))))
    supervisor.process("meek", lambda: Launch(SLEEPER))
    await until(ready.exists)
    pids = [view["pid"] for view in supervisor.views()[1:]]
    began = time.monotonic()
    await supervisor.stop(1.5)
    assert time.monotonic() - began < 15.0
    await until(lambda: not any(running(pid) for pid in pids))
    assert {view["state"] for view in supervisor.views()[1:]} == {"stopped"}
    assert "process.died" not in told.kinds()


async def test_stop_does_not_wait_for_a_process_between_two_starts(told: Told) -> None:
    """A process that waits to be restarted is not restarted, and not waited for."""
    supervisor = Supervisor(SystemClock(), told, first_delay=30)
    supervisor.process("brief", lambda: Launch((sys.executable, "-c", "")))
    await until(lambda: "process.died" in told.kinds())
    began = time.monotonic()
    await supervisor.stop(25.0)
    assert time.monotonic() - began < 20.0


async def test_end_stops_one_process_and_forgets_it(supervisor: Supervisor, told: Told) -> None:
    """The others run on."""
    supervisor.process("one", lambda: Launch(SLEEPER))
    supervisor.process("two", lambda: Launch(SLEEPER))
    await until(lambda: told.kinds().count("process.started") == 2)
    await supervisor.end("one")
    assert [view["name"] for view in supervisor.views()] == ["hub", "two"]
    assert supervisor.views()[1]["state"] == "running"


async def test_views_show_time_and_memory_that_were_really_used(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """A child that computes and allocates shows both; so does the hub; both outlive the child."""
    ready = tmp_path / "ready"
    burn = (
        "import sys, time; big = bytearray(60 << 20); began = time.process_time()\n"
        "while time.process_time() - began < 0.3: pass\n"
        "open(sys.argv[1], 'w').close(); time.sleep(60)"
    )
    supervisor.process("burner", lambda: Launch((sys.executable, "-c", burn, str(ready))))
    await until(ready.exists)
    hub, child = supervisor.views()
    assert hub["name"] == "hub"
    assert hub["rss_peak_mb"] > 10
    assert child["cpu_s"] >= 0.25
    assert child["rss_peak_mb"] > 60
    supervisor.kill("burner")
    await until(lambda: supervisor.views()[1]["restarts"] == 1)
    assert supervisor.views()[1]["cpu_s"] >= 0.25


def test_usage_of_a_process_that_is_gone_is_none() -> None:
    """Nothing is made up for a process that cannot be read."""
    assert usage(2**22 + 1) is None


async def test_who_tidies_up_has_all_the_time_there_is(
    supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    """A task that takes a moment to end is not called stuck because no child needed that moment."""
    tidied, began = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            asyncio.get_running_loop().call_later(0.6, tidied.set)
            await tidied.wait()

    supervisor.run("tidy", work)
    await began.wait()
    await supervisor.stop(10.0)
    assert tidied.is_set()
    assert not caplog.records
