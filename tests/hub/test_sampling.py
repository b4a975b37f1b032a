"""How the house is, measured each minute, kept for a week, read back as means."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from hub.clock import iso
from hub.perception.watched import COUNTED, CameraCounters
from hub.sampling import POINTS, Sampling
from hub.storage.journal import Journal
from hub.storage.sample_tables import samples
from hub.storage.samples import KEPT, keep
from hub.testing import FakeClock

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class Counting:
    """What perception and the supervisor count, as a test says."""

    def __init__(self) -> None:
        self.counts: dict[str, dict[str, int]] = {"yard": dict.fromkeys(COUNTED, 0)}
        self.state: Any = "online"
        self.cpu_s = 10.0
        self.dropped = 0

    def cameras(self) -> dict[str, CameraCounters]:
        """Every camera as it counts now."""
        return {
            name: CameraCounters(
                state=self.state, reason="", since=None, rate=0.0, gate="watching",
                picture_time=None, picture_age_s=None, detector="", guessing=False, worker="",
                **counts,
            )
            for name, counts in self.counts.items()
        }  # fmt: skip

    def views(self) -> list[dict[str, Any]]:
        """The hub's own process."""
        return [{"name": "hub", "pid": 0, "state": "running", "cpu_s": self.cpu_s}]

    def queues(self) -> dict[str, dict[str, int]]:
        """Two queues that call what waits by different names."""
        return {"a": {"waiting": 3, "dropped": self.dropped}, "b": {"depth": 2, "dropped": 0}}

    def more(self, **counts: int) -> None:
        """Count more of the yard's camera."""
        for name, count in counts.items():
            self.counts["yard"][name] += count


@pytest.fixture
async def journal(tmp_path: Path) -> Any:
    """An open journal."""
    made = Journal(tmp_path / "journal.db")
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def counting() -> Counting:
    """Counts of a test."""
    return Counting()


@pytest.fixture
def clock() -> FakeClock:
    """A clock that the test moves."""
    return FakeClock(START)


@pytest.fixture
def sampling(journal: Journal, counting: Counting, clock: FakeClock, tmp_path: Path) -> Sampling:
    """Measures that."""
    one: Any = counting
    return Sampling(one, one, counting.queues, journal, tmp_path, clock)


def figures(view: Any) -> dict[str, list[float]]:
    """What was measured, without the gaps."""
    return {
        each["key"]: [value for value in each["values"] if value is not None]
        for each in view["figures"]
    }


async def test_counters_become_rates_between_two_samples(
    sampling: Sampling, counting: Counting, clock: FakeClock
) -> None:
    """The first sample says only what is known at once; the second what happened since."""
    await sampling.take()
    counting.more(decoded=900, triggered=60, inferred=30, dropped=6)
    counting.cpu_s += 12.0
    counting.dropped += 4
    await clock.advance(60)
    await sampling.take()
    camera = figures(await sampling.past("camera/yard", 1))
    assert camera == {
        "rate": [15.0], "moved": [1.0], "inferred": [0.5], "dropped": [0.1],
        "online": [100.0, 100.0],
    }  # fmt: skip
    hub = figures(await sampling.past("hub", 1))
    assert hub["cpu"] == [20.0]
    assert hub["dropped"] == [4.0]
    assert hub["inference"] == [0.5]
    assert hub["waiting"] == [5.0, 5.0]
    assert hub["free"][0] > 0


async def test_a_camera_that_is_offline_or_new_is_no_fault(
    sampling: Sampling, counting: Counting, clock: FakeClock
) -> None:
    """What began between two samples has no rate yet; what was counted anew none below nothing."""
    await sampling.take()
    counting.state = "offline"
    counting.counts["gate"] = dict.fromkeys(COUNTED, 50)
    counting.counts["yard"]["decoded"] = -5
    await clock.advance(60)
    await sampling.take()
    gate = figures(await sampling.past("camera/gate", 1))
    assert gate["rate"] == []
    assert gate["online"] == [0.0]
    assert figures(await sampling.past("camera/yard", 1))["rate"] == [0.0]


async def test_where_nothing_was_measured_there_is_a_gap(
    sampling: Sampling, clock: FakeClock
) -> None:
    """A hub that did not run draws no line through the time that it was away."""
    await sampling.take()
    await clock.advance(30 * 60)
    await sampling.take()
    (waiting,) = [
        each["values"] for each in (await sampling.past("hub", 1))["figures"]
        if each["key"] == "waiting"
    ]  # fmt: skip
    assert [value for value in waiting if value is not None] == [5.0, 5.0]
    between = waiting[waiting.index(5.0) + 1 : -1]
    assert len(between) >= 28
    assert set(between) == {None}


async def test_a_week_is_kept_as_means_of_ten_minutes(
    sampling: Sampling, counting: Counting, clock: FakeClock
) -> None:
    """Ten samples make one row; the day has its minutes, the week their means."""
    for minute in range(20):
        counting.state = "online" if minute < 15 else "offline"
        await sampling.take()
        await clock.advance(60)
    week = await sampling.past("camera/yard", 168)
    assert figures(week)["online"] in ([75.0], [100.0, 50.0])
    assert week["step_s"] == 168 * 3600 // POINTS
    day = await sampling.past("camera/yard", 24)
    assert sum(figures(day)["online"]) > 0


@pytest.mark.parametrize("hours", [-1, 0, 1, 24, 168, 9999])
async def test_what_is_read_back_is_bounded(sampling: Sampling, hours: int) -> None:
    """However long somebody asks for."""
    await sampling.take()
    view = await sampling.past("hub", hours)
    assert 1 <= view["hours"] <= 168
    assert len(view["times"]) <= POINTS + 2
    assert all(len(each["values"]) == len(view["times"]) for each in view["figures"])


async def test_rows_that_are_too_old_go(journal: Journal) -> None:
    """A table of a bounded size, whatever the clock does."""
    for minutes, kept in KEPT.items():
        for age in (kept * 1.01, kept * 0.5):
            await journal.write(lambda c, m=minutes, a=age: keep(c, m, START - a, {"hub": {}}))  # type: ignore[misc]
        await journal.write(lambda c, m=minutes: keep(c, m, START, {"hub": {}}))  # type: ignore[misc]
    left = await journal.read(
        lambda c: c.execute(
            select(samples.c.minutes, func.count()).group_by(samples.c.minutes)
        ).all()
    )
    assert [tuple(row) for row in left] == [(1, 2), (10, 2)]
    await journal.write(lambda c: keep(c, 1, START - KEPT[1] * 0.6, {"hub": {"cpu": 1}}))
    rows = await journal.read(
        lambda c: c.execute(select(samples).where(samples.c.minutes == 1)).all()
    )
    assert [json.loads(row.body) for row in rows] == [{"hub": {"cpu": 1}}]
    assert rows[0].time == iso(START - KEPT[1] * 0.6), "a clock that was set back writes over"


async def test_a_disk_that_is_nearly_full_is_a_problem(
    sampling: Sampling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the journal cannot be written any more."""
    await sampling.take()
    assert sampling.problems() == []
    usage = type("Usage", (), {"free": 100 << 20, "total": 1 << 40})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    await sampling.take()
    (said,) = sampling.problems()
    assert "nearly full: 100 MB are left" in said
    assert (await sampling.machine())["free_mb"] == 100
