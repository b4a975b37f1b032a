"""What is known of one door, and what follows from it: pure, no I/O, time handed in.

Three facts that are never mixed: what was asked, what the lock says, what the contact says. A fact
counts only while it is fresh: heard live, recently, from a device that is there. `now` is always
the monotonic clock in seconds, `wall` the hour.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from hub.clock import iso
from hub.kinds.access_control import AccessReport, DoorReport, Lock, Position, Verb
from hub.phrases import mark, phrase
from hub.ports import Outcome
from hub.views import Conclusion, Physical, Reported, Requested

T = TypeVar("T")

SETTLED: frozenset[Lock] = frozenset({"locked", "unlocked", "jammed"})
JUST_UNLOCKED_S = 5.0
PASSAGE_S = 15.0
SAME_JAM_S = 2.0
ONLY_LOCKED = mark("it has no lockdown of its own, so badges still enter")
NOT_RELEASED = mark("it has no lockdown of its own to be released from; it stays as it is")
STANDS_OPEN = "but the door stands open"  # how the end of a command that locks says so

_WANTED: dict[Verb, frozenset[Lock]] = {
    "lock": frozenset({"locked"}),
    "lockdown": frozenset({"locked"}),
    "unlock": frozenset({"unlocked"}),
    "hold_open": frozenset({"unlocked"}),
    "momentary": frozenset({"unlocked"}),
    "lockdown_release": frozenset({"locked", "unlocked"}),
}


def only_locks(verbs: Collection[Verb]) -> bool:
    """Whether a door is locked in place of a lockdown, which it does not know."""
    return "lock" in verbs and not {"lockdown", "lockdown_release"} & set(verbs)


def in_place(outcome: Outcome) -> Outcome:
    """How a lockdown ended where the door was locked in its place."""
    if outcome.state != "confirmed":
        return outcome
    return Outcome("confirmed", f"{outcome.detail}; {ONLY_LOCKED}")


@dataclass(frozen=True, slots=True)
class News:
    """An event to be told: its type, when it happened at the source, and its data."""

    type: str
    time: datetime
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fact(Generic[T]):
    """One observed value. `heard` is None while nothing live has said it."""

    value: T
    time: datetime | None = None
    heard: float | None = None

    def age(self, now: float) -> float | None:
        """Seconds since it was true at the source; None when that is not known."""
        return None if self.heard is None else max(0.0, now - self.heard)

    def newer_than(self, heard: float) -> bool:
        """Whether a report heard then was overtaken on its way; good news must be the newest."""
        return self.heard is not None and heard < self.heard

    def fresh(self, now: float, stale_after: float) -> bool:
        """Whether it may still be relied on."""
        age = self.age(now)
        return age is not None and age <= stale_after


class DoorFacts:
    """One door's observed state; `hear` and `tick` return what is worth telling."""

    def __init__(self, held_after: float) -> None:
        self.held_after = held_after
        self._settled: Lock | None = None
        self._unlocked_at = float("-inf")
        self._passage_until = float("-inf")
        self._opened: tuple[float, bool] | None = None
        self._held_told = False
        self._link: bool | None = None
        self._listening_since: float | None = None
        self._silent = False
        self._told_online: bool | None = None
        self.stale_after = 30.0
        self.has_contact = True
        self.lock: Fact[Lock] = Fact("unknown")
        self.position: Fact[Position] = Fact("unknown")
        self.requested: Requested | None = None
        self.tampered: bool | None = None
        self.lockdown: bool | None = None
        self._away = mark("nothing heard from it yet")
        self._said = {"lock": "", "position": ""}

    @property
    def online(self) -> bool:
        """Whether its controller is reached and it answers."""
        return self._link is True and not self._silent

    @property
    def detail(self) -> str:
        """Why it is not as it should be, in words; empty when there is nothing to say."""
        if not self.online:
            return self._away
        if self.lock.heard is None:
            return mark("its lock has not answered yet")
        if self.tampered:
            return mark("its device says that it is being tampered with")
        jam = mark("bolt jammed") if self.lock.value == "jammed" else ""
        return self._said["lock"] or jam or self._said["position"]

    def expect_passage(self, now: float, seconds: float = PASSAGE_S) -> None:
        """Somebody is let through: an opening until then is no break-in."""
        self._passage_until = max(self._passage_until, now + seconds)

    def let_through(self, now: float) -> bool:
        """Whether somebody is let through at this moment."""
        return now <= self._passage_until

    def known_lock(self, now: float) -> Lock:
        """What the lock says, where that may be relied on now."""
        known = self.online and self.lock.fresh(now, self.stale_after)
        return self.lock.value if known else "unknown"

    def use(self, report: AccessReport, now: float, wall: datetime) -> list[News]:
        """Somebody used a credential. Whoever is let in, or is forced to enter, may pass; what was
        long ago lets nobody through now.
        """
        age = max(0.0, (wall - report.time).total_seconds())
        if report.access != "denied" and age < PASSAGE_S:
            self.expect_passage(now, PASSAGE_S - age)
        data = {"credential": report.credential, "reason": report.detail}
        return [News(f"access.{report.access}", report.time, data)]

    def hear(self, report: DoorReport, now: float, wall: datetime) -> list[News]:
        """Take in a report; a report delayed on its way is as old as its source says."""
        heard = now - max(0.0, (wall - report.time).total_seconds())
        if not report.online:
            self._lose()
            self._link, self._away = False, report.detail or mark("its controller is away")
            return self._online_news(report.time)
        if self._link is not True:
            self._link, self._listening_since = True, now
        if report.remembered:
            self._remember(report)
            return self._online_news(report.time)
        if report.passage:
            self.expect_passage(now)
        news: list[News] = []
        if report.lock is not None or report.position is not None:
            self._listening_since, self._silent = now, False
        news += self._online_news(report.time)
        if report.tampered is not None:
            news += self._tamper_news(report.tampered, report)
        if report.lock is not None:
            news += self._lock_news(report.lock, report, heard)
        if report.position is not None:
            news += self._position_news(report.position, report, heard, now)
        return news

    def tick(self, now: float, wall: datetime) -> list[News]:
        """What the passing of time alone tells: a door held open, a lock gone silent."""
        news: list[News] = []
        since = self._listening_since
        if self._link and not self._silent and since is not None and now - since > self.stale_after:
            self._silent = True
            self._away = phrase("no answer for %(n)s s", n=f"{self.stale_after:.0f}")
            news += self._online_news(wall)
        return news + self._held_news(now, wall)

    def conclusion(self, now: float) -> Conclusion:
        """What may be said of the door: secured only when every fact is fresh and agrees."""
        if not self.online:
            return "unknown"
        lock_fresh = self.lock.fresh(now, self.stale_after)
        position_fresh = self.position.fresh(now, self.stale_after)
        if position_fresh and self.position.value == "open":
            return "open"
        if lock_fresh and self.lock.value == "jammed":
            return "not_secured"
        if lock_fresh and self.lock.value == "unlocked":
            return "unlocked"
        closed = (position_fresh and self.position.value == "closed") or not self.has_contact
        if lock_fresh and self.lock.value == "locked" and closed:
            return "secured"
        return "unknown"

    def reported(self, now: float) -> Reported:
        """The lock's word, for pages."""
        age = self.lock.age(now)
        return Reported(
            lock=self.lock.value,
            time=iso(self.lock.time) if self.lock.time else None,
            age_s=None if age is None else round(age, 3),
            stale=not (self.online and self.lock.fresh(now, self.stale_after)),
        )

    def physical(self, now: float) -> Physical:
        """The contact's word, for pages."""
        age = self.position.age(now)
        return Physical(
            position=self.position.value,
            time=iso(self.position.time) if self.position.time else None,
            age_s=None if age is None else round(age, 3),
            stale=not (self.online and self.position.fresh(now, self.stale_after)),
        )

    def _lose(self) -> None:
        self._listening_since = None
        self._silent = False
        self.lock = Fact(self.lock.value, self.lock.time)
        self.position = Fact(self.position.value, self.position.time)

    def _remember(self, report: DoorReport) -> None:
        if report.lock is not None and self.lock.heard is None:
            self.lock = Fact(report.lock)
            if self._settled is None and report.lock in SETTLED:
                self._settled = report.lock
        if report.position is not None and self.position.heard is None:
            self.position = Fact(report.position)

    def _online_news(self, time: datetime) -> list[News]:
        told, self._told_online = self._told_online, self.online
        if told is self.online or (told is None and self.online):
            return []
        if self.online:
            return [News("door.online", time, {})]
        return [News("door.offline", time, {"reason": self.detail})]

    def _tamper_news(self, tampered: bool, report: DoorReport) -> list[News]:
        was, self.tampered = self.tampered, tampered
        if tampered is bool(was):
            return []
        kind = "door.tampered" if tampered else "door.intact"
        return [News(kind, report.time, {"reason": report.detail})]

    def _lock_news(self, lock: Lock, report: DoorReport, heard: float) -> list[News]:
        if lock == "locked" and self.lock.newer_than(heard):
            return []
        self.lock, self.lockdown = Fact(lock, report.time, heard), report.lockdown
        self._said["lock"] = report.detail
        if lock not in SETTLED:
            return []
        was, self._settled = self._settled, lock
        if lock == "unlocked":
            self._unlocked_at = heard
        if was == lock or (was is None and lock != "jammed"):
            return []
        return [News(f"door.{lock}", report.time, {"was": was or "unknown"})]

    def _position_news(
        self, position: Position, report: DoorReport, heard: float, now: float
    ) -> list[News]:
        if position == "closed" and self.position.newer_than(heard):
            return []
        before, seen = self.position.value, self.position.fresh(now, self.stale_after)
        self.position = Fact(position, report.time, heard)
        self._said["position"] = report.detail
        if position == "closed":
            self._opened, self._held_told = None, False
            return [News("door.closed", report.time, {})] if before == "open" else []
        if position != "open" or self._opened is not None:
            return []
        forced = seen and before == "closed" and self._locked_against(now)
        self._opened = (heard, forced)
        if before != "closed":
            return []
        news = [News("door.opened", report.time, {"forced": forced})]
        if forced:
            news.append(News("door.forced", report.time, {"lock": self.lock.value}))
        return news

    def _locked_against(self, now: float) -> bool:
        locked = self.lock.value == "locked" and self.lock.fresh(now, self.stale_after)
        let_through = self.let_through(now) or now - self._unlocked_at <= JUST_UNLOCKED_S
        return locked and not let_through

    def _held_news(self, now: float, wall: datetime) -> list[News]:
        if self._opened is None or self._held_told or self._may_stand_open():
            return []
        since, forced = self._opened
        if now - since < self.held_after or self.position.value != "open":
            return []
        self._held_told = True
        return [News("door.held", wall, {"open_s": round(now - since, 1), "forced": forced})]

    def _may_stand_open(self) -> bool:
        requested = self.requested
        return (
            requested is not None
            and requested["verb"] == "hold_open"
            and requested["state"] == "confirmed"
        )


class Judge:
    """Decides from a door's answers how one command ended."""

    def __init__(self, verb: Verb, facts: DoorFacts, now: float) -> None:
        self.verb = verb
        self._began = now
        self._was_jammed = facts.lock.value == "jammed"
        self._moved = False
        self._last: Lock | None = None

    def hear(self, report: DoorReport, now: float) -> Outcome | None:
        """The outcome, once an answer gives one; only answers count, never what was remembered."""
        if not report.answers or report.remembered or not report.online or report.lock is None:
            return None
        took = now - self._began
        self._last = report.lock
        if self.verb == "lockdown" and report.lockdown is False:
            return None  # a bolt that is out is no lockdown yet
        if report.lock in _WANTED[self.verb]:
            return Outcome("confirmed", phrase("confirmed after %(n)s s", n=f"{took:.1f}"))
        if report.lock == "moving":
            self._moved = True
        if report.lock == "jammed" and self._new_jam(took):
            return Outcome("failed", report.detail or "bolt jammed")
        return None

    def too_late(self, deadline_s: float, reason: str) -> Outcome:
        """What to say when the deadline passed without an answer that settles it."""
        n, last = f"{deadline_s:g}", self._last
        if reason:
            said = phrase("not reached within %(n)s s: %(reason)s", n=n, reason=reason)
        elif last is not None:
            said = phrase("not done within %(n)s s: it still says %(last)s", n=n, last=last)
        else:
            said = phrase("no answer within %(n)s s", n=n)
        return Outcome("timed_out", said)

    def _new_jam(self, took: float) -> bool:
        """An old jam, told again before the bolt tried, is not yet this command's failure."""
        return not self._was_jammed or self._moved or took >= SAME_JAM_S
