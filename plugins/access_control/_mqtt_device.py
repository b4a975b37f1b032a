"""What the configuration says of one lock on MQTT: its topics, and the words it uses."""

from __future__ import annotations

import json
from typing import Annotated, get_args

from pydantic import Field, StringConstraints, field_validator, model_validator

from hub import Access, Block, Lock, Position, Verb

Topic = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^#+\x00]+$")]
Words = Annotated[tuple[str, ...], Field(min_length=1)]


class _Wording(Block):
    @field_validator("*", mode="before", json_schema_input_type=str | Words)
    @classmethod
    def one_or_many(cls, value: object) -> object:
        """`locked: LOCKED` is the same as `locked: [LOCKED]`."""
        return (value,) if isinstance(value, str) else value


class States(_Wording):
    """Which payloads on the state topic mean what; anything else is unknown."""

    locked: Words = Field(("LOCKED",), description="The bolt is out.")
    unlocked: Words = Field(("UNLOCKED",), description="The bolt is in.")
    jammed: Words = Field(("JAMMED",), description="The bolt is stuck.")
    moving: Words = Field(("LOCKING", "UNLOCKING"), description="The bolt is on its way.")


class Contacts(_Wording):
    """Which payloads on the contact topic mean what; anything else is unknown."""

    open: Words = Field(("OPEN",), description="The door stands open.")
    closed: Words = Field(("CLOSED",), description="The door is closed.")


class Availability(_Wording):
    """Which payloads on the availability topic mean what; anything else is offline."""

    online: Words = Field(("online",), description="The lock is there.")
    offline: Words = Field(("offline",), description="The lock is gone.")


class Payloads(Block):
    """What to send for a verb; null where the lock does not take it.

    `hold_open` falls back to `unlock`. `lockdown` is only for a lock that then refuses ordinary
    credentials; sending it a plain lock command would not be that.
    """

    lock: str | None = Field("LOCK", description="Sent for `lock`.")
    unlock: str | None = Field("UNLOCK", description="Sent for `unlock`.")
    momentary: str | None = Field("OPEN", description="Sent for `momentary`.")
    hold_open: str | None = Field(
        None, description="Sent for `hold_open`; where it is left out, what `unlock` sends."
    )
    lockdown: str | None = Field(
        None,
        description="Sent for `lockdown`; only for a lock that then refuses ordinary credentials.",
    )
    lockdown_release: str | None = Field(None, description="Sent for `lockdown_release`.")

    def of(self, verb: Verb) -> str | None:
        """The payload for a verb, or None."""
        payload: str | None = getattr(self, verb)
        return self.unlock if verb == "hold_open" and payload is None else payload


class MqttDevice(Block):
    """One lock: its topics, and the words it uses."""

    command_topic: Topic = Field(description="Where commands are sent.")
    state_topic: Topic = Field(description="Where the lock says its state.")
    get_topic: Topic | None = Field(
        None,
        description="Where it can be asked for its state; needed for an answer to count as fresh.",
    )
    availability_topic: Topic | None = Field(None, description="Where it says that it is there.")
    contact_topic: Topic | None = Field(
        None, description="Where the door's contact says open or closed."
    )
    exit_topic: Topic | None = Field(
        None, description="Where the exit button or lever says that somebody leaves."
    )
    access_topic: Topic | None = Field(
        None, description="Where a reader says who used a card, as `{access: granted, card: ...}`."
    )
    payloads: Payloads = Field(
        Payloads(), description="What to send for each verb; null where the lock does not take it."
    )
    states: States = Field(
        States(), description="What it says for `locked`, `unlocked`, `jammed` and `moving`."
    )
    contact: Contacts = Field(
        Contacts(), description="What the contact says for `open` and `closed`."
    )
    availability: Availability = Field(
        Availability(), description="What it says for `online` and `offline`."
    )

    @model_validator(mode="after")
    def hears_only_the_lock(self) -> MqttDevice:
        """What we send must not come back to us as what the lock says."""
        sent = {self.command_topic, self.get_topic}
        if sent & set(self.heard()):
            raise ValueError("expected `command_topic` and `get_topic` to differ from what is read")
        return self

    def heard(self) -> list[str]:
        """The topics to subscribe to."""
        topics = (
            self.state_topic, self.contact_topic, self.availability_topic, self.exit_topic,
            self.access_topic,
        )  # fmt: skip
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


def used(payload: str) -> tuple[Access, str] | None:
    """What a payload on the access topic says, and of which card; None where it cannot be read."""
    try:
        said = json.loads(payload)
        access, card = said["access"], said["card"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    sound = access in get_args(Access) and isinstance(card, str | int)
    return (access, str(card)) if sound else None
