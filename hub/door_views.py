"""What pages and the API show of what is wanted of a door, and by whom.

Times are RFC 3339 text in UTC, as in `hub.views`.
"""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from hub.kinds.access_control import Verb

OwnerKind = Literal["fire", "life_safety", "responder", "protocol", "person", "rule", "schedule"]


class DoorIntentView(TypedDict):
    """What is wanted of a door and wins there: by a protocol's run, a person, an alert or a
    schedule (`owner`). `by` is the person behind it, else what people call the owner. `expires` is
    None where only its owner ends it. `differs` is since when the door is known to be otherwise,
    `given_up` since when the hub no longer tries.
    """

    id: str
    verb: Verb
    by: str
    owner_kind: OwnerKind
    owner: str
    reason: str
    since: str
    expires: str | None
    differs: str | None
    given_up: str | None
    incident: str
    drill: bool


class DoorPastView(TypedDict):
    """One line of what a door has done and been asked lately."""

    time: str
    type: str
    text: str
    tone: str
