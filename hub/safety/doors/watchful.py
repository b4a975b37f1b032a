"""Whether a door is as it is wanted, and what to do when it is not: pure, time handed in.

Level-triggered: it looks at what is wanted and what is known, never at what it has missed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from hub.door_views import DoorIntentView
from hub.kinds.access_control import LOCK_VERBS, Lock
from hub.phrases import mark, phrase

SOON_S = 2.0  # how long a protocol, or what goes before it, lets a door be otherwise
PATIENT_S = 8.0  # how long all else does: somebody may just be let through
UNKNOWN_S = 3.0
AJAR_S = 10.0
FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0
TRIES = 6
BACK_AGAIN_S = 10.0
FORGIVEN_AFTER_S = 60.0
PATIENT = frozenset({"person", "rule", "schedule"})

Act = Literal["ask", "differs", "agrees", "give_up"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a door now. `lock` is `unknown` where nothing fresh says. `busy` while a
    command to it is under way, `released` where that was the end of a lockdown, `passing` while
    somebody is let through, `let_in` where a person asked the hub for that passage, `outside` where
    its device says that it is in no lockdown, `unconfirmed` unless the last command was a lockdown
    that it has confirmed, None where that was a passage, which changes nothing of it.
    """

    lock: Lock
    online: bool
    open: bool = False
    busy: bool = False
    outside: bool = False
    released: bool = False
    passing: bool = False
    let_in: bool = False
    unconfirmed: bool | None = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done about a door, with the reason in words."""

    act: Act
    intent: str
    words: str = ""
    tries: int = 0


@dataclass(slots=True)
class Episode:
    """How long one wish has been seen to, and how that goes. `entered` once a person was let in
    through the hub, until the door has been seen to after it.
    """

    intent: str
    told: bool = False
    given_up: bool = False
    unconfirmed: bool = False
    entered: bool = False
    settled: bool = False  # as it is wanted for a while, so that no release before it matters
    tries: int = 0
    asked: float = float("-inf")
    next_try: float = float("-inf")
    since: float | None = None
    well_since: float | None = None
    words: str = ""


class Watchful:
    """Keeps one door: the same looks always lead to the same steps."""

    def __init__(self) -> None:
        self._now = Episode("")
        self._online = True

    @property
    def words(self) -> str:
        """How the door is not as it is wanted; empty while it is, or may yet come to be."""
        return self._now.words

    def look(self, wanted: DoorIntentView | None, seen: Seen, now: float) -> Step | None:
        """The next step, if any; look again at once after each."""
        came_back = seen.online and not self._online
        self._online = seen.online
        if wanted is None:
            self._now = Episode("")
            return None
        if wanted["id"] != self._now.intent:
            told, given_up = wanted["differs"] is not None, wanted["given_up"] is not None
            self._now = Episode(wanted["id"], told, given_up)
        elif came_back:
            self._back(now)
        if seen.busy:
            self._now.since = None
            return None
        if seen.unconfirmed is not None:
            self._now.unconfirmed = seen.unconfirmed
        self._now.entered |= seen.let_in
        released = seen.released and not self._now.settled
        seen = replace(seen, unconfirmed=self._now.unconfirmed, released=released)
        words = _otherwise(wanted, seen)
        return self._wrong(wanted, seen, now, words) if words else self._right(now)

    def _back(self, now: float) -> None:
        """It answers again: what did not work may work now, also where that was given up."""
        episode = self._now
        episode.next_try = min(episode.next_try, max(now, episode.asked + BACK_AGAIN_S))
        if episode.given_up:
            episode.given_up, episode.tries = False, TRIES - 1

    def _right(self, now: float) -> Step | None:
        episode = self._now
        episode.since, episode.words, episode.entered = None, "", False
        if episode.told:
            episode.told = episode.given_up = False
            return Step("agrees", episode.intent)
        if episode.well_since is None:
            episode.well_since = now
        episode.settled |= now - episode.well_since >= PATIENT_S
        if now - episode.well_since >= FORGIVEN_AFTER_S:
            episode.tries = 0
        return None

    def _wrong(self, wanted: DoorIntentView, seen: Seen, now: float, words: str) -> Step | None:
        episode, patient = self._now, wanted["owner_kind"] in PATIENT
        episode.well_since = None
        through = seen.lock == "unlocked" and (seen.let_in or (seen.passing and patient))
        if episode.since is None or through:
            episode.since = now
        if now - episode.since < _grace(wanted, seen):
            return None
        # A passage ends the lockdown of a door at some controllers: no news, only to be asked for
        # again.
        let_in, episode.entered = episode.entered and seen.lock == "locked", False
        if not seen.released and not let_in:
            episode.words = words
            if not episode.told:
                episode.told = True
                return Step("differs", episode.intent, words)
        if episode.given_up or now < episode.next_try or _is_right(wanted, seen):
            return None
        if patient and episode.tries >= TRIES:
            episode.given_up = True
            return Step("give_up", episode.intent, words, episode.tries)
        episode.tries, episode.asked = episode.tries + 1, now
        delay = FIRST_DELAY_S * 2.0 ** min(episode.tries - 1, 10)
        episode.next_try = now + min(LONGEST_DELAY_S, delay)
        return Step("ask", episode.intent, words, episode.tries)


def _is_right(wanted: DoorIntentView, seen: Seen) -> bool:
    if wanted["verb"] == "lockdown" and (seen.outside or seen.unconfirmed):
        return False
    if seen.released and seen.passing:  # open for one passage, and locked again behind it
        return wanted["verb"] in LOCK_VERBS and seen.lock == "locked"
    return seen.lock == ("locked" if wanted["verb"] in LOCK_VERBS else "unlocked")


def _otherwise(wanted: DoorIntentView, seen: Seen) -> str:
    """How the door is not as it is wanted; empty where it is. That a locked one stands open is a
    protocol's concern: at other times people pass, and `door.held` tells the rest.
    """
    if _is_right(wanted, seen):
        ajar = seen.open and wanted["verb"] in LOCK_VERBS and wanted["owner_kind"] not in PATIENT
        return mark("it reports locked, but stands open") if ajar else ""
    if not seen.online or seen.lock == "unknown":
        return seen.detail or mark("nothing is known of its lock")
    if seen.lock == "jammed":
        return seen.detail or mark("its bolt is jammed")
    if wanted["verb"] == "lockdown" and seen.lock == "locked":
        if not seen.outside:
            return mark("it reports locked, but its lockdown is not confirmed")
        return mark("it is locked, but not in lockdown: badges still enter")
    return phrase("it reports %(lock)s", lock=seen.lock)


def _grace(wanted: DoorIntentView, seen: Seen) -> float:
    """How long it may be otherwise before that counts."""
    if seen.released:
        return 0.0
    if _is_right(wanted, seen):
        return AJAR_S
    if seen.lock in ("locked", "unlocked"):
        return PATIENT_S if wanted["owner_kind"] in PATIENT else SOON_S
    return UNKNOWN_S if seen.lock in ("unknown", "moving") else SOON_S
