"""What pages and the API show of a case: people, tasks, links, what is near, and the report.

Times are RFC 3339 text in UTC (see `hub.clock.iso`), intervals seconds.
"""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict

from hub.incident_settings import CaseRole

ActionState = Literal["pending", "confirmed", "failed", "timed_out", "cancelled"]


class TaskView(TypedDict):
    """Something to be done in an incident. `who` has taken it, `by` has said how it ended; both are
    empty where nobody has. `planned` tasks came from the configuration.
    """

    id: str
    text: str
    state: Literal["open", "done", "dropped"]
    who: str
    by: str
    planned: bool
    added: str
    ended: str | None
    note: str


class CasePersonView(TypedDict):
    """Somebody's role in an incident, since when, and who gave it."""

    role: CaseRole
    role_name: str
    person: str
    name: str
    since: str
    by: str


class CaseLinkView(TypedDict):
    """Another incident that this one was merged into or from, or split from or into."""

    how: Literal["merged_into", "merged_from", "split_from", "split_into"]
    incident: str
    title: str
    state: str


class NearView(TypedDict):
    """What is around an incident. `steps` says how many doors or halls away each thing is, by the
    id of a camera, door or alert (of the nearer one, where two share an id); 0 is the place itself.
    A list is None where the reader may not see that, or nobody answers. `visitors` are all who are
    on site: where they are nobody knows.
    """

    places: list[dict[str, Any]]
    cameras: list[Any] | None
    doors: list[Any] | None
    visitors: list[Any] | None
    alerts: list[Any] | None
    alerts_elsewhere: int
    steps: dict[str, int]


class MomentView(TypedDict):
    """A turning point. `time` is None where it is unknown, and `why` then says so; `after_s` counts
    from the detection, `since_last_s` from the known moment before.
    """

    name: Literal["detected", "notified", "acknowledged", "on_scene", "resolved"]
    title: str
    time: str | None
    after_s: float | None
    since_last_s: float | None
    by: str
    why: str


class ReportView(TypedDict):
    """The after-action report of one incident, made from the journal alone.

    `missing` says in words what is not known, `failed` are the actions that were not done.
    """

    school: str
    timezone: str
    generated: str
    generated_by: str
    incident: dict[str, Any]
    moments: list[MomentView]
    people: list[CasePersonView]
    tasks: list[TaskView]
    alerts: list[dict[str, Any]]
    doors: list[dict[str, Any]]
    notices: list[dict[str, Any]]
    failed: list[dict[str, Any]]
    pictures: list[dict[str, Any]]
    timeline: list[dict[str, Any]]
    missing: list[str]


class CallLine(TypedDict):
    """What a dispatcher asks, and what to say."""

    ask: str
    say: str


class CallFacts(TypedDict):
    """What a dispatcher's own system can take of it: empty is not known. `coordinates` are latitude
    and longitude in degrees (WGS 84); `verified` is whether a person says that it is real.
    """

    school: str
    address: str
    place: str
    coordinates: tuple[float, float] | None
    verified: bool
    call_back: str


# Where handing over ended so, it can be pressed again.
NOT_TAKEN = ("failed", "timed_out", "cancelled")


class HandOffView(TypedDict):
    """Whether an incident was handed over through a notifier, and what came of it. `state` is None
    where it was not; `by` is who did, at `time`; `finished` is when it ended.
    """

    channel: str
    name: str
    state: ActionState | None
    by: str
    time: str
    finished: str | None
    detail: str


class CallCardView(TypedDict):
    """What to say to emergency services, and whom to call. `missing` is what the configuration
    ought to say for it and does not, in words; `hand_off` are the ways to hand it over.
    """

    number: str
    drill: bool
    lines: list[CallLine]
    facts: CallFacts
    missing: list[str]
    hand_off: list[HandOffView]
