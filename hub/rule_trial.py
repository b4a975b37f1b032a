"""Trying a rule on recorded events, in a process of its own: `python -m hub.rule_trial`.

Reads what is asked as one JSON object from standard input and writes lines of JSON: `progress` as
it goes, then one of `found`, `mistakes` and `trouble`. It opens the journal for reading only, so
nothing can be sent or written by it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

from hub.check import Examined, examine
from hub.clock import from_iso, iso
from hub.config import Config
from hub.errors import CannotCheck, StateError
from hub.procfs import die_with_parent, give_way
from hub.rule_text import FIRST_COLUMN, FIRST_LINE, draft
from hub.rules_port import MistakeView, TriedDayView, TriedFiringView, TriedView
from hub.safety.rules.replay import Firing, Replay, Replayed, TooMany
from hub.storage.database import open_readers

NICENESS = 19
MOST = 20_000
RUNS = "runs"
SHOWN = 100

Tell = Callable[..., None]


def main() -> None:
    """Read what is asked, try it, tell."""
    die_with_parent()
    give_way(NICENESS)
    asked = json.loads(sys.stdin.buffer.read())
    tell = _teller()
    try:
        tell(**_tried(asked, tell))
    except (CannotCheck, StateError) as error:
        tell(trouble=str(error))


def _teller() -> Tell:
    """What tells the hub. Nobody else writes there: a plugin may print when it is imported."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def tell(**said: Any) -> None:
        out.write(json.dumps(said, ensure_ascii=False) + "\n")
        out.flush()

    return tell


def _tried(asked: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="vestibule-trial-") as folder:
        examined, file = _examined(asked, Path(folder))
    rule = str(asked["rule"])
    mistakes = [each for each in examined.problems if file is not None and each.file == file]
    if mistakes:
        return {
            "mistakes": [
                MistakeView(
                    line=max(1, each.line - FIRST_LINE),
                    column=max(1, each.column - FIRST_COLUMN),
                    path=each.path,
                    message=f"{each.message} ({each.hint})" if each.hint else each.message,
                )
                for each in mistakes
            ]
        }
    if examined.config is None or rule not in examined.config.rules:
        said = str(examined.problems[0]) if examined.problems else f"no rule is called {rule}"
        said = said.rpartition(f"{RUNS}/")[2]
        return {"trouble": f"the configuration that runs cannot be used for this: {said}"}
    return _replayed(examined.config, asked, tell)


def _examined(asked: Mapping[str, Any], folder: Path) -> tuple[Examined, str | None]:
    """The configuration that runs, with another text of the rule where one is given."""
    for name, text in asked["texts"].items():
        file = folder / RUNS / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    written = None
    if asked["text"]:
        written = folder / "draft.yaml"
        written.write_text(draft(asked["text"]), encoding="utf-8")
    examined = examine(
        folder / RUNS / asked["main"],
        folder=Path(asked["beside"]),
        models=Path(asked["models"]),
        spare=True,
        draft=written,
        draft_rule=str(asked["rule"]),
    )
    return examined, None if written is None else str(written)


def _replayed(config: Config, asked: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    since, until, rule = from_iso(asked["since"]), from_iso(asked["until"]), str(asked["rule"])
    zone, began = ZoneInfo(config.hub.timezone), perf_counter()
    replay = Replay(config, since, until, only=rule, most=MOST)
    engine = open_readers(Path(asked["journal"]), 1)
    try:
        with engine.begin() as connection:
            found = replay.run(connection, lambda done, of: tell(progress=[done, of]))
    except TooMany as many:
        local = many.moment.astimezone(zone)
        words = f"it would have fired more than {MOST} times by {local:%Y-%m-%d %H:%M}"
        return {"trouble": f"{words}; say more narrowly what it waits for"}
    finally:
        engine.dispose()
    return {"found": _found(found, rule, zone, perf_counter() - began)}


def _found(found: Replayed, rule: str, zone: ZoneInfo, seconds: float) -> TriedView:
    counts = found.counts([rule])[rule]
    differ = [each for each in found.firings if each.did != each.would]
    alike = [each for each in found.firings if each.did == each.would]
    return TriedView(
        events=found.events,
        seconds=round(seconds, 1),
        did=counts["did"],
        would=counts["would"],
        both=counts["both"],
        kept_back=counts["kept_back"],
        days=_days(found, zone),
        firings=[_view(each) for each in [*differ[::-1], *alike[::-1]][:SHOWN]],
    )


def _days(found: Replayed, zone: ZoneInfo) -> list[TriedDayView]:
    """Every day of the school's calendar from the first to the last, also those without any."""

    def day_of(moment: datetime) -> date:
        return moment.astimezone(zone).date()

    did = Counter(day_of(each.time) for each in found.firings if each.did)
    would = Counter(day_of(each.time) for each in found.firings if each.would)
    days, day = [], day_of(found.since)
    while day <= day_of(found.until):
        days.append(TriedDayView(day=day.isoformat(), did=did[day], would=would[day]))
        day += timedelta(days=1)
    return days


def _view(firing: Firing) -> TriedFiringView:
    return TriedFiringView(
        time=iso(firing.time),
        about=firing.about,
        did=firing.did,
        would=firing.would,
        matched=list(firing.matched),
    )


if __name__ == "__main__":
    main()
