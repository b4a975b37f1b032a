"""The scripted house with rules, and a week in which they fired: real rules on its own journal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from scripted_house import ScriptedConfiguration, ScriptedHouse, _config

from hub.bus import Bus
from hub.campus import Campus
from hub.config import Config
from hub.document import Document
from hub.events import Event
from hub.rule_answers import RuleAnswers
from hub.safety.intake import Intake
from hub.storage.folder import StateFolder
from hub.testing import FakeClock
from hub.yamlfile import read_yaml

NOW = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)
RULES: dict[str, Any] = {
    "closed_wing": {
        "name": "Person in the closed science wing",
        "when": "zone.entered",
        "if": {"place": "science", "label": "person", "min_score": 0.5, "outside": "lessons"},
        "cooldown": "5m",
        "alert": {
            "severity": "high", "tell": ["porter"], "through": ["console"], "could_be": "a cleaner",
        },
        "false_alarms": {"at_most": 1, "within": "7d"},
        "verified": [{"door": {"verb": "lock", "place": "science"}}],
    },
    "forced": {
        "name": "Door forced open", "when": "door.forced",
        "alert": {"severity": "high", "through": ["console"]},
    },
    "silent": {
        "name": "Nobody answers the gate", "when": "input.silent",
        "alert": {"severity": "check", "through": ["console"]},
    },
}  # fmt: skip


def ruled_config() -> dict[str, Any]:
    """The scripted house's configuration with rules, a channel and hours."""
    return _config() | {
        "access_control": {"main": {"driver": "simulated"}},
        "rules": RULES,
        "notifiers": {"console": {"driver": "console"}},
        "people": {"pat": {"name": "Porter of the day", "role": "porter"}},
        "schedules": {
            "lessons": {
                "name": "Lessons",
                "weekly": [{"days": ["mon", "tue", "wed"], "from": "08:00", "to": "16:00"}],
            }
        },
    }


class RuledConfiguration(ScriptedConfiguration):
    """Runs the configuration with rules."""

    def running(self) -> Document:
        file = self.folder / "school.yaml"
        if not file.exists():
            values = ruled_config()
            del values["cameras"]["nurse"]  # no file has a camera in a private place
            for camera in values["cameras"].values():
                camera["scene"] = "corridor"  # what the driver asks for
            text = yaml.safe_dump(values, sort_keys=False)
            file.write_text("# Our school.\n" + text, encoding="utf-8")
        return read_yaml(file)


class RuledHouse(ScriptedHouse):
    """A house whose rules are real; `live` lets a week pass."""

    def __init__(self, folder: Path, clock: FakeClock | None = None) -> None:
        self.fake = clock or FakeClock(NOW - timedelta(days=6))
        super().__init__(folder, self.fake)
        self.config = Config.model_validate(ruled_config())
        self.configuration = RuledConfiguration(folder)
        know = (self.clock, lambda: (self.config, self.campus), lambda name: False)
        self.rules = RuleAnswers(self.journal, StateFolder(folder), *know, self.configuration)
        self.intake = Intake(
            self.config, Campus(self.config.places), self.journal, Bus(), self.clock,
            public=lambda name: False,
        )  # fmt: skip

    def person(self, place: str = "science", score: float = 0.86) -> Event:
        """Somebody comes into view."""
        data = {"camera": "science", "place": place, "label": "person", "score": score}
        return Event("zone.entered", "camera/science", self.clock.now(), "science", data)

    def forced(self, door: str = "science_east") -> Event:
        """A door is forced open."""
        return Event("door.forced", f"door/{door}", self.clock.now(), door, {"door": door})

    async def live(self) -> None:
        """Six days: each evening somebody in the wing, twice; two of the alerts are dismissed."""
        self.fake.set(NOW.replace(hour=19) - timedelta(days=6))
        for day in range(6):
            await self.intake.accept(self.person())
            await self.fake.advance(60)
            await self.intake.accept(self.person(score=0.6))
            if day < 2:
                open_ = await self.intake.alerts(open_only=True)
                await self.intake.verdict(open_[0]["id"], "dismissed", "Porter")
            if day == 3:
                await self.intake.accept(self.forced())
            await self.fake.advance(86400 - 60)
        self.fake.set(NOW)
        await self.intake.accept(self.person())
