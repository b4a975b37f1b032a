"""What the configuration says of one lock on MQTT: its topics, and the words it uses."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, field_validator, model_validator

from hub import Block, Lock, Position, Verb

Topic = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^#+\x00]+$")]
Words = Annotated[tuple[str, ...], Field(min_length=1)]


class _Wording(Block):
    @field_validator("*", mode="before")
    @classmethod
    def one_or_many(cls, value: object) -> object:
        """`locked: LOCKED` is the same as `locked: [LOCKED]`."""
        return (value,) if isinstance(value, str) else value


class States(_Wording):
    """Which payloads on the state topic mean what; anything else is unknown."""

    locked: Words = ("LOCKED",)
    unlocked: Words = ("UNLOCKED",)
    jammed: Words = ("JAMMED",)
    moving: Words = ("LOCKING", "UNLOCKING")


class Contacts(_Wording):
    """Which payloads on the contact topic mean what; anything else is unknown."""

    open: Words = ("OPEN",)
    closed: Words = ("CLOSED",)


class Availability(_Wording):
    """Which payloads on the availability topic mean what; anything else is offline."""

    online: Words = ("online",)
    offline: Words = ("offline",)


class Payloads(Block):
    """What to send for a verb; null where the lock does not take it.

    `hold_open` falls back to `unlock`. `lockdown` is only for a lock that then refuses ordinary
    credentials; sending it a plain lock command would not be that.
    """

    lock: str | None = "LOCK"
    unlock: str | None = "UNLOCK"
    momentary: str | None = "OPEN"
    hold_open: str | None = None
    lockdown: str | None = None
    lockdown_release: str | None = None

    def of(self, verb: Verb) -> str | None:
        """The payload for a verb, or None."""
        payload: str | None = getattr(self, verb)
        return self.unlock if verb == "hold_open" and payload is None else payload


class MqttDevice(Block):
    """One lock: its topics, and the words it uses."""

    command_topic: Topic
    state_topic: Topic
    get_topic: Topic | None = None
    availability_topic: Topic | None = None
    contact_topic: Topic | None = None
    exit_topic: Topic | None = None
    payloads: Payloads = Payloads()
    states: States = States()
    contact: Contacts = Contacts()
    availability: Availability = Availability()

    @model_validator(mode="after")
    def hears_only_the_lock(self) -> MqttDevice:
        """What we send must not come back to us as what the lock says."""
        sent = {self.command_topic, self.get_topic}
        if sent & set(self.heard()):
            raise ValueError("expected `command_topic` and `get_topic` to differ from what is read")
        return self

    def heard(self) -> list[str]:
        """The topics to subscribe to."""
        topics = (self.state_topic, self.contact_topic, self.availability_topic, self.exit_topic)
        return [topic for topic in topics if topic is not None]

    def lock(self, payload: str) -> Lock:
        """What a payload on the state topic says."""
        for lock in ("locked", "unlocked", "jammed", "moving"):
            if payload in getattr(self.states, lock):
                return lock
        return "unknown"

    def position(self, payload: str) -> Position:
        """What a payload on the contact topic says."""
        if payload in self.contact.open:
            return "open"
        return "closed" if payload in self.contact.closed else "unknown"
