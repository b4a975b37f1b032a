"""The part of the configuration that says what people may do: actions, places, cameras, hours."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hub.conditions import Slug
from hub.kinds import Block
from hub.units import Duration


class RoleBlock(Block):
    """What holders of a role may do (see docs/reference/roles.md)."""

    name: str = Field("", description="What people call it.")
    may: tuple[str, ...] = Field(
        (),
        description="What its holders may do ([roles.md](roles.md)); takes the place of a built-in "
        "role's list.",
    )
    places: tuple[Slug, ...] = Field(
        (),
        description="Where: these places and what is part of them. Without any: everywhere "
        "([roles.md](roles.md#places-and-cameras)).",
    )
    cameras: tuple[Slug, ...] = Field(
        (), description="Which cameras they see. Without any: those of the places."
    )
    hours: Slug | None = Field(
        None,
        description="During which schedule. Without one: at all hours. A protocol can be started "
        "at any hour.",
    )
    break_glass: tuple[str, ...] = Field(
        (),
        description="What they may in an emergency, everywhere and at all hours, for a while and "
        "with a reason that everybody concerned is told "
        "([roles.md](roles.md#breaking-the-glass)).",
    )


class BreakGlassSettings(Block):
    """What happens when somebody breaks the glass (`break_glass` of a role)."""

    lasts: Annotated[Duration, Field(ge=60, le=3600)] = Field(
        900.0, description="How long it lasts, unless it is ended before."
    )
    tell: tuple[Slug, ...] = Field(
        (),
        description="Who is told at once: people or roles. Without any: all whose role may read "
        "the audit.",
    )
    through: tuple[Slug, ...] = Field(
        (),
        description="Over which notifiers. Without any: all that reach people alone.",
    )
