"""The part of the configuration that describes doors."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SkipValidation

from hub.conditions import Slug, Title
from hub.kinds import Block
from hub.units import Duration

Wait = Annotated[Duration, Field(gt=0)]
DoorsKeep = Annotated[Duration, Field(ge=60, le=86400)]


class DoorBlock(Block):
    """A door: which controller moves it, what it closes off and that people can always leave."""

    name: Title = Field(description="What people call it.")
    controller: Slug = Field(description="Which controller moves it.")
    place: Slug = Field(description="The place that it closes off.")
    leads_to: Slug | None = Field(None, description="What lies on its other side.")
    exterior: bool = Field(False, description="Whether it is between inside and outside.")
    number: str = Field(
        "", max_length=10, description="The number that responders read on its outside."
    )
    egress: Literal["free"] | None = Field(
        None,
        description="`free` says that somebody has tried it: it opens from inside without a key, "
        "whatever the lock was told. A door without it takes no lock verb.",
    )
    unlocked: Slug | None = Field(
        None,
        description="The schedule during which it stands unlocked; outside of it, it is locked. "
        "People, alerts and protocols go before it.",
    )
    deadline: Wait = Field(
        8.0, description="How long it has to report back before a command counts as failed."
    )
    held_after: Wait = Field(30.0, description="How long it may stand open until `door.held`.")
    device: SkipValidation[Any] = Field(
        None,
        description="What the controller's driver needs to know of this door; see the driver.",
    )
