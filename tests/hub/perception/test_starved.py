"""A machine that has too much to do: what its workers waited for a processor is no fault of theirs,
nor of a camera.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from test_worker import House, clip, house, playing

from hub.perception import crew as crew_module
from hub.perception.starved import Starved
from hub.procfs import waits
from hub.silence import MOST_FORGIVEN_S
from hub.testing import FakeClock

__all__ = ["clip", "house"]


class Machine:
    """What two threads have waited by now, as a test says."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.now = {1: 100.0, 2: 5.0}
        self.starved = Starved(7, self.clock, lambda pid, names: dict(self.now))

    async def second(self, first: float, second: float = 0.0) -> None:
        """A second goes by, in which each of them waits so long; then it is looked."""
        await self.clock.advance(1.0)
        self.now = {1: self.now[1] + first, 2: self.now[2] + second}
        self.starved.look()


async def test_what_the_thread_that_waited_longest_waited_is_forgiven() -> None:
    """Second by second, since the last picture; what was before it does not count."""
    machine = Machine()
    await machine.second(0.9)
    since = machine.clock.monotonic()
    await machine.second(0.8, 0.1)
    await machine.second(0.0, 0.5)
    assert machine.starved.since(since) == pytest.approx(1.3)
    assert machine.starved.forgiven(since) == pytest.approx(1.3)
    assert machine.starved.is_why(since)
    assert machine.starved.since(machine.clock.monotonic()) == 0.0


async def test_a_worker_that_has_its_processor_is_forgiven_nothing() -> None:
    """A camera that is gone is told of on time."""
    machine = Machine()
    since = machine.clock.monotonic()
    for _ in range(10):
        await machine.second(0.02)
    assert machine.starved.forgiven(since) < 0.2
    assert not machine.starved.is_why(since)


async def test_nobody_waits_for_ever_for_a_machine() -> None:
    """Where nobody looks for half a minute, that is told, whatever the reason."""
    machine = Machine()
    since = machine.clock.monotonic()
    for _ in range(60):
        await machine.second(1.0)
    assert machine.starved.forgiven(since) == MOST_FORGIVEN_S


def test_threads_are_known_by_their_names() -> None:
    """The first thread always counts, others by their names; of a process that is gone none."""
    over = threading.Event()
    other = threading.Thread(target=over.wait, name="look_7")
    other.start()
    Path(f"/proc/self/task/{other.native_id}/comm").write_text("look_7")
    try:
        assert set(waits(os.getpid(), ("look_",))) == {os.getpid(), other.native_id}
        assert set(waits(os.getpid(), ("no such thread",))) == {os.getpid()}
    finally:
        over.set()
        other.join()
    assert waits(2**22 + 1, ("look_",)) == {}


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, float]]:
    """How much more the worker's thread has waited at each look; at first as long as time goes."""
    each, looked = {"s": 1.0}, count()

    def now(pid: int, names: tuple[str, ...]) -> dict[int, float]:
        each["total"] = each.get("total", 0.0) + each["s"]
        next(looked)
        return {1: each["total"]}

    monkeypatch.setattr(crew_module, "Starved", partial(Starved, waited=now))
    monkeypatch.setattr("hub.perception.workers.LATE_S", 0.2)
    monkeypatch.setattr("hub.perception.starved.APART_S", 0.2)
    yield each
    assert next(looked) > 0


async def test_a_camera_is_not_offline_for_want_of_a_processor(
    house: Callable[..., House], clip: Path, waited: dict[str, float]
) -> None:
    """No picture comes for twice as long as it may, and all the while the worker waits for a
    processor: nobody is told that the camera is offline. Once it has one, they are, and why.
    """
    one = house("hall")
    await one.perception.start({"hall": playing(clip)})
    await one.until(lambda: one.perception.cameras()["hall"].state == "online", 90)
    os.kill(one.pid(), signal.SIGSTOP)
    await one.until(lambda: (one.perception.cameras()["hall"].picture_age_s or 0.0) > 3.0, 20)
    assert one.of("camera.offline") == []
    waited["s"] = 0.0
    await one.until(lambda: one.of("camera.offline"), 20)
    told = one.of("camera.offline")[0].data
    assert told["silent_s"] > 3.0
    assert told["reason"] == "this machine has too much to do to look at its pictures"
    os.kill(one.pid(), signal.SIGCONT)
    await one.until(lambda: one.of("camera.online"), 90)
