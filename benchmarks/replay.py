"""A school week in the journal: how long it takes to write, replay and backtest, and its size.

    python benchmarks/replay.py [--events 500000] [--folder DIR] [--json]

The week is drawn (the same each time): people and vehicles before cameras, doors and badges, busy
while school is on and quiet at night. It goes through the hub's own intake into a journal on disk,
a hundred events to a transaction, with the twenty rules of docs/guide/rules.md deciding. *Replay*
runs the same rules over it, as `vestibule replay` does; *backtest* runs the rules with another
cooldown and shorter waits. `restart_s` is how long a hub that begins anew takes until rules know
again what they knew.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import yaml
from sqlalchemy import Connection
from told import tell

from hub.bus import Bus
from hub.campus import Campus
from hub.clock import SystemClock
from hub.config import Config
from hub.events import Event
from hub.safety.decide import Charter
from hub.safety.intake import Intake
from hub.safety.rules.recall import recall
from hub.safety.rules.replay import Replay, Replayed
from hub.storage.journal import Journal

PAGE = Path(__file__).parents[1] / "docs/guide/rules.md"
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
BATCH = 100


class WeekClock(SystemClock):
    """A clock that stands where the week is."""

    def __init__(self) -> None:
        self.moment = MONDAY

    def now(self) -> datetime:
        return self.moment


def school(**changes: Any) -> Config:
    """The school of the guide with its twenty rules; `changes` to each rule that has such a key."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    values = yaml.safe_load(next(each for each in blocks if each.startswith("places:")))
    rules: dict[str, Any] = {}
    for block in blocks:
        if block.startswith("rules:"):
            rules |= yaml.safe_load(block)["rules"]
    for rule in rules.values():
        rule |= {key: value for key, value in changes.items() if key in rule}
    for section in ("cameras", "access_control", "notifiers", "visitors"):
        for block in values[section].values():
            for key in set(block) - {"driver", "place"}:
                del block[key]
    for door in values["doors"].values():
        door["device"] = None
    return Config.model_validate(values | {"rules": rules})


def busy(moment: datetime) -> float:
    """How much happens, from 0 to 1."""
    if moment.weekday() > 4:
        return 0.05
    return 1.0 if 7 <= moment.hour < 16 else 0.15 if 16 <= moment.hour < 20 else 0.03


def week(count: int) -> Iterator[Event]:
    """At least so many events of a week, in order."""
    chance = random.Random(8)
    hours = [MONDAY + timedelta(hours=hour) for hour in range(168)]
    weight = sum(busy(hour) for hour in hours)
    late: list[Event] = []
    for hour in hours:
        found, wanted = late, len(late) + count * busy(hour) / weight
        while len(found) < wanted:
            found += happening(chance, hour + timedelta(seconds=chance.uniform(0, 3600)))
        end = hour + timedelta(hours=1)
        late = [event for event in found if event.time >= end]
        yield from sorted((each for each in found if each.time < end), key=lambda each: each.time)
    yield from sorted(late, key=lambda each: each.time)


def happening(chance: random.Random, moment: datetime) -> list[Event]:
    """Something that happens, with its end where it has one."""
    kind = chance.random()
    door = chance.choice(("main", "main", "east", "store"))
    soon = moment + timedelta(seconds=chance.expovariate(1 / 20))
    if kind < 0.97:
        inside = busy(moment) == 1.0 or chance.random() < 0.01
        outside = ("fence", "fence", "fence", "bus_lane")
        place = chance.choice(("lobby", "corridor", "corridor", "office") if inside else outside)
        label = chance.choice(("car", "truck")) if place == "bus_lane" else "person"
        data = {"camera": place, "place": place, "zone": place, "track": chance.getrandbits(40)}
        data |= {"label": label, "score": round(chance.uniform(0.3, 0.95), 4)}
        data |= {"box": [10.0, 20.0, 60.0, 180.0], "frame": [640, 360], "guessing": False}
        data |= {"picture": f"{chance.getrandbits(128):032x}.jpg"}
        return [
            Event(f"zone.{way}", f"camera/{place}", when, place, data)
            for way, when in (("entered", moment), ("left", soon))
        ]
    if kind < 0.9995:
        way = "refused" if chance.random() < 0.03 else "granted"
        source, about = "access_control/locks", {"door": door}
        badge = Event(f"plugin.badges.{way}", source, moment, door, about)
        times = (moment + timedelta(seconds=1), soon + timedelta(seconds=2))
        moved = [
            Event(f"door.{way}", f"door/{door}", when, door, about)
            for way, when in zip(("opened", "closed"), times, strict=True)
        ]
        return [badge, *moved] if way == "granted" else [badge]
    camera = chance.choice(("lobby", "office", "corridor"))
    ways = chance.choice((("covered", "clear"), ("offline", "online")))
    return [
        Event(f"camera.{way}", f"camera/{camera}", when, camera, {"camera": camera})
        for way, when in zip(ways, (moment, soon), strict=True)
    ]


class Stopwatch:
    """How long something took by the clock and of processor time, in seconds: on a busy machine
    only the latter tells what it costs.
    """

    def __init__(self) -> None:
        self._began, self._spent = perf_counter(), process_time()

    def read(self, name: str) -> dict[str, float]:
        """Both, as figures of that name."""
        spent = process_time() - self._spent
        return {
            f"{name}_s": round(perf_counter() - self._began, 1),
            f"{name}_cpu_s": round(spent, 1),
        }


async def journaled(path: Path, config: Config, count: int) -> dict[str, Any]:
    """Let the week happen; how many events, and how long it took."""
    clock, journal = WeekClock(), Journal(path)
    await journal.open()
    intake = Intake(config, Campus(config.places), journal, Bus(), clock, public=lambda name: False)
    watch, done = Stopwatch(), 0
    batch: list[Event] = []
    for event in week(count):
        batch.append(event)
        if len(batch) == BATCH:
            done += len(batch)
            clock.moment = event.time
            await intake.accept(*batch)
            batch = []
    clock.moment += timedelta(minutes=1)
    await intake.accept(*batch)
    done += len(batch)
    await journal.close()
    return {"events": done, **watch.read("journal")}


async def read(path: Path, config: Config) -> dict[str, Any]:
    """Replay, backtest and recall; their times and what fired."""
    journal = Journal(path)
    await journal.open()
    until = MONDAY + timedelta(days=8)
    told: dict[str, Any] = {}
    changed = school(cooldown="30m", lasting="1m")
    for name, rules in (("replay", config), ("backtest", changed)):

        def work(connection: Connection, rules: Config = rules) -> Replayed:
            return Replay(rules, MONDAY, until).run(connection, lambda done, total: None)

        watch = Stopwatch()
        found = await journal.read(work)
        told |= watch.read(name)
        counts = found.counts(rules.rules).values()
        told[f"{name}_firings"] = {
            key: sum(row[key] for row in counts) for key in ("did", "would", "both", "kept_back")
        }
    charter = Charter.of(config, Campus(config.places), lambda name: False)
    end = MONDAY + timedelta(days=7)
    watch = Stopwatch()
    await journal.read(lambda c: recall(c, charter.rules, charter.memory, end))
    told |= watch.read("restart")
    await journal.close()
    return told


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--folder", type=Path, help="where the journal is written")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        path, config = Path(folder) / "journal.db", school()
        told = asyncio.run(journaled(path, config, given.events))
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
        told["journal_events_per_s"] = round(told["events"] / told["journal_s"])
        told |= {"journal_mb": round(size / 1e6, 1), **asyncio.run(read(path, config))}
        told["replay_events_per_s"] = round(told["events"] / told["replay_s"])
    tell(told, given.json)


if __name__ == "__main__":
    main()
