"""What one transaction works with: the connection, the compiled configuration, the time.

What a transaction did is in `decision`, to be told to the bus, the doors and the performer once it
is on the disk.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from hub.campus import Campus
from hub.config import Config
from hub.door_views import DoorIntentView
from hub.events import Event
from hub.safety import outbox
from hub.safety.alerts.ladders import Ladders
from hub.safety.alerts.rows import AlertRow
from hub.safety.doors.fire import FireState
from hub.safety.incidents import rows as incidents
from hub.safety.notices.quiet import QuietHours
from hub.safety.outbox import ActionRow
from hub.safety.rules.book import RuleBook
from hub.safety.rules.memory import Memory
from hub.safety.rules.recall import recall
from hub.safety.rules.schedule import Timetable, timetables
from hub.safety.words import Words
from hub.storage import eventlog
from hub.views import Requested


@dataclass(frozen=True)
class Charter:
    """What deciding needs to know and never changes while the hub runs; and `memory`, what rules
    remember, which only the writer's thread changes.
    """

    config: Config
    campus: Campus
    words: Words
    rules: RuleBook
    public: Callable[[str], bool]
    memory: Memory = field(default_factory=Memory)
    quiet: QuietHours = field(default_factory=QuietHours)
    ladders: Ladders = field(kw_only=True)
    timetables: Mapping[str, Timetable] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config, campus: Campus, public: Callable[[str], bool]) -> Charter:
        """Compile a configuration."""
        words, quiet = Words(config, campus), QuietHours.of(config)
        ladders = Ladders(config, campus, words, public)
        rules = RuleBook(config, campus)
        times = timetables(config.schedules, config.hub.timezone)
        return cls(
            config, campus, words, rules, public, quiet=quiet, ladders=ladders, timetables=times
        )

    def private(self, notifier: str) -> bool:
        """Whether it reaches people of the school alone: neither everyone near it, nor parents or
        dispatch. Only such a notifier is told where the school is open.
        """
        return not self.public(notifier) and not self.config.beyond(notifier)

    def due(self, now: datetime) -> bool:
        """Whether rules have something to do although nothing happened."""
        due = self.memory.due()
        new = self.memory.seq < 0 and self.rules.remembers
        return new or self.memory.stale or (due is not None and due <= now)


@dataclass(slots=True)
class Decision:
    """What a transaction did that others must hear of once it is committed."""

    events: list[tuple[int, Event]] = field(default_factory=list)
    repeated: int = 0
    opened: list[AlertRow] = field(default_factory=list)
    requests: list[tuple[str, Requested]] = field(default_factory=list)
    called_off: list[tuple[str, str]] = field(default_factory=list)
    wanted: list[tuple[str, DoorIntentView | None]] = field(default_factory=list)
    fire: FireState | None = None
    doors_due: bool = False
    intentions: int = 0
    alert: AlertRow | None = None
    action: ActionRow | None = None
    earlier: list[dict[str, str]] = field(default_factory=list)
    picture: str = ""
    key: str = ""
    begun: list[ActionRow] = field(default_factory=list)


class Transaction(ABC):
    """What every decision needs: to append events, to write intentions, to tell incidents."""

    def __init__(self, connection: Connection, charter: Charter, now: datetime) -> None:
        self.decision = Decision()
        self._connection = connection
        self._charter = charter
        self._now = now
        self._in_step = not charter.rules.remembers

    @abstractmethod
    def accept(self, event: Event, data: str | None = None) -> None:
        """Append an event and act on it."""

    def _memory(self) -> Memory:
        """What rules remember, as of the journal as it is: a transaction that was taken back left
        it ahead, and a hub that has just started has none.
        """
        memory = self._charter.memory
        if not self._in_step:
            self._in_step = True
            if memory.stale or memory.seq != eventlog.last_seq(self._connection):
                recall(self._connection, self._charter.rules, memory, self._now)
        return memory

    def _append(self, event: Event, data: str | None = None) -> bool:
        memory = self._memory()
        text = eventlog.encode(event.data) if data is None else data
        seq = eventlog.append(self._connection, event, self._now, text)
        if seq is None:
            self.decision.repeated += 1
            return False
        memory.seq = seq
        self.decision.events.append((seq, event))
        return True

    def _derived(self, kind: str, source: str, subject: str, data: dict[str, Any]) -> Event:
        event = Event(type=kind, source=source, time=self._now, subject=subject, data=data)
        self._append(event)
        return event

    def _intend(self, intention: outbox.Intention) -> str:
        self.decision.intentions += 1
        return outbox.add(self._connection, intention, self._now)

    def _tell(self, incident: str, event: Event) -> None:
        new = any(event.id == each.id for _, each in self.decision.events)
        incidents.tell(self._connection, incident, event, self._charter.words, self._now, new=new)
