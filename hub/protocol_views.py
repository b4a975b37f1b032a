"""What pages and the API show of protocols, the fire alarm and enrolled devices.

Times are RFC 3339 text in UTC, durations seconds, as in `hub.views`.
"""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from hub.conditions import ProtocolName
from hub.kinds.access_control import Verb
from hub.views import ActionState

DoorProgress = Literal["secured", "done", "waiting", "retrying", "refused", "fenced", "suspended"]
AS_WANTED: tuple[DoorProgress, ...] = ("secured", "done", "fenced")  # none need be seen to


class ProtocolDoorView(TypedDict):
    """One door of a protocol: what was asked of it and how far it is.

    `secured` and `done` are read back from the door itself; `retrying` has failed at least once and
    goes on; `refused` takes no such verb; `fenced` is not moved because this is a drill;
    `suspended` waits because of a fire alarm. `seconds` is from the start to the read-back.
    """

    door: str
    name: str
    place_words: str
    verb: Verb
    state: DoorProgress
    detail: str
    tries: int
    seconds: float | None


class ProtocolChannelView(TypedDict):
    """One channel of a protocol; `fenced` where a drill does not speak through it."""

    channel: str
    name: str
    state: ActionState | Literal["fenced"]
    detail: str
    seconds: float | None


class EndingView(TypedDict):
    """Somebody has asked to end it; a second person may confirm until then."""

    by: str
    time: str
    until: str


class ProtocolRunView(TypedDict):
    """A protocol that was started. `sentence` says how far its doors are in one line, for example
    `17 of 18 secured in 1.8 s; Gym East: not confirmed, retrying`. `over` names the run that it
    was started on top of, which is in force again when it ends. `all_clear` is set once it is
    ending: the same doors and channels, asked to go back. `decide_by` is until when a fire alarm
    wants it decided whether people stay.
    """

    id: str
    protocol: ProtocolName
    name: str
    directive: str
    area: str
    area_words: str
    drill: bool
    doors_real: bool
    announced: bool
    reason: str
    started: str
    started_by: str
    device: str
    incident: str
    over: str | None
    state: Literal["in_force", "covered", "ended"]
    sentence: str
    doors: list[ProtocolDoorView]
    channels: list[ProtocolChannelView]
    secured: int
    total: int
    ending: EndingView | None
    ended: str | None
    ended_by: list[str]
    all_clear: AllClearView | None
    decide_by: str | None


class AllClearView(TypedDict):
    """How far the all-clear is, door by door and channel by channel."""

    sentence: str
    doors: list[ProtocolDoorView]
    channels: list[ProtocolChannelView]


class AreaView(TypedDict):
    """A place in which a protocol can be started."""

    id: str
    words: str


class ProtocolChoiceView(TypedDict):
    """A protocol that can be started, and what it will do, in sentences."""

    protocol: ProtocolName
    name: str
    directive: str
    areas: list[AreaView]
    will: list[str]
    hazards: list[str]
    location: str


class FireView(TypedDict):
    """A fire alarm: since when and where, and whether a person has re-armed the doors since. After
    a restore that may not know of one it is `restored`, until a person has re-armed them.

    `decide_by` is when the local rule wants a decision where a lockdown was in force.
    """

    state: Literal["clear", "alarm", "not_rearmed", "restored"]
    since: str | None
    source: str
    place_words: str
    decide_by: str | None
    doors: int


class DeviceView(TypedDict):
    """An enrolled device: it may start protocols at its place, and nothing else. `trouble` says in
    words why its Lockdown would not be in force where it stands; empty where it would.
    """

    id: str
    name: str
    place: str
    place_words: str
    created: str
    by: str
    last_used: str | None
    revoked: str | None
    trouble: str


class PressView(TypedDict):
    """What a press led to: a protocol's run, or the alert of a call for help; nothing else is said
    to whoever pressed.
    """

    does: str
    run: str | None
    alert: str | None


class StandingRunView(TypedDict):
    """A protocol in force in one line, for the banner of every page."""

    id: str
    protocol: ProtocolName
    name: str
    directive: str
    area_words: str
    drill: bool
    started: str
    state: Literal["in_force", "covered", "ended"]


class DuressView(TypedDict):
    """Somebody was forced to give an end to a protocol, which is still in force."""

    run: str
    name: str
    area_words: str
    by: str
    time: str


class StandingView(TypedDict):
    """What stands in the banner of every page: cheap to ask for, without doors and channels.
    `duress` is filled for people who may end protocols, elsewhere than where it was given.
    """

    in_force: list[StandingRunView]
    duress: list[DuressView]
    fire: FireView


class ProtocolsView(TypedDict):
    """The page of protocols: what is in force, what can be started, what was lately."""

    in_force: list[ProtocolRunView]
    duress: list[DuressView]
    choices: list[ProtocolChoiceView]
    lately: list[ProtocolRunView]
    fire: FireView
    wording: str
