"""How a driver says that a key of its block names something that must be there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Named = Literal[
    "place", "door", "camera", "detector", "controller", "notifier", "schedule", "person", "role",
    "protocol", "model", "file",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Names:
    """Marks a field whose value names something: `model: Annotated[str, Names("model")] = "auto"`.

    `check` follows it: a name that leads nowhere is a problem at its place, with the nearest one
    that exists. A `model` is `auto`, one of the catalogue, an installed one or a file. A `file` is
    relative to the configuration; one that is not there is only noted, because it may be on the
    machine that the hub runs on.
    """

    what: Named
