"""What is known of one Zigbee lock, and which of its words are news and answers: pure, no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from hub import Lock

SETTLES_S = 5.0  # how long a bolt may be on its way
SOONEST_S = 0.05  # no lock has been told over the air, has acted and has reported within so long


@dataclass(slots=True)
class LockMemory:
    """What is known of one lock, and what was asked of it."""

    available: bool | None = None
    said: Lock | None = None
    wanted: Lock | None = None
    since: float = 0.0
    commanded: bool = False
    questioned: bool = False

    def command(self, wanted: Lock, now: float) -> None:
        self.wanted, self.since = wanted, now
        self.commanded, self.questioned = True, False

    def take(self, lock: Lock, kept: bool, now: float) -> tuple[bool, bool]:
        """Whether a live message is news of the lock, and whether it is an answer.

        What Zigbee2MQTT keeps it repeats with every message, so a state that is as before is news
        only after a question. What comes right after a command was on its way before.
        """
        changed, questioned = lock != self.said, self.questioned
        self.said = lock
        if kept and not changed and not questioned:
            return False, False
        if self.commanded and now - self.since < SOONEST_S:
            return True, False
        self.questioned = False
        return True, questioned or self.commanded

    def between(self, now: float) -> tuple[Lock, str]:
        """What a bolt that is neither in nor out is: under way, stuck, or not locked."""
        if self.wanted is not None and now - self.since < SETTLES_S:
            return "moving", ""
        if self.wanted == "locked":
            return "jammed", "the bolt is not fully out"
        return "unlocked", "the bolt is not fully in"
