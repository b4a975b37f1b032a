"""What the hub needs around it: a broker, a place for backups, a number that people can call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from hub.conditions import Slug
from hub.kinds import Block
from hub.units import Duration


class Broker(Block):
    """The site's MQTT broker; without one the hub runs its own on the loopback address."""

    host: str = Field(description="Where the broker is.")
    port: int = Field(1883, ge=1, le=65535, description="Its port.")
    username: str | None = Field(None, description="Who signs in there.")
    password: str | None = Field(None, repr=False, description="Best as `!secret NAME`.")


class HomeAssistantSettings(Block):
    """What Home Assistant is told over the site's broker (MQTT discovery)."""

    publish: Literal["status", "control"] = Field(
        "status",
        description="`status`: doors, cameras, alerts and protocols are shown there. `control`: "
        "doors also take `lock` and `unlock` from there, as from a person.",
    )
    prefix: str = Field(
        "homeassistant",
        pattern=r"^[^+#/\s]{1,60}(/[^+#/\s]{1,60})*$",
        description="Where Home Assistant looks for discovery messages.",
    )
    topic: str = Field(
        "vestibule",
        pattern=r"^[A-Za-z0-9_-]{1,60}(/[A-Za-z0-9_-]{1,60})*$",
        description="Where states are published; another for each hub on one broker.",
    )


class BackupSettings(Block):
    """Copies of all that the hub remembers, made while it runs."""

    folder: Path = Field(
        Path("backups"),
        description="Where they are kept: best on another disk. A relative path is meant from the "
        "state folder.",
    )
    every: Annotated[Duration, Field(ge=300, le=604800)] | Literal["off"] = Field(
        3600.0, description="How often one is made; `off` means never."
    )
    keep: Annotated[Duration, Field(ge=86400)] = Field(
        1209600.0,
        description="The newest 24 are always kept. Of older ones the last of each day is kept for "
        "this long.",
    )


class EmergencyCall(Block):
    """What stands on the card that a person reads to emergency services."""

    number: str = Field(
        "911", pattern=r"^\+?[0-9]{2,15}$", description="Whom people call; the hub never does."
    )
    call_back: str = Field(
        "", max_length=40, description="The number under which the school can be called back."
    )
    hand_off: tuple[Slug, ...] = Field(
        (),
        description="Notifiers through which a person can hand an incident over, from its call "
        "card: a monitoring station, dispatch. Nothing else ever goes out there, and no drill "
        "does.",
    )
