"""What pages and the API show: plain dictionaries, one shape each, ready for JSON.

Times are RFC 3339 text in UTC (see `hub.clock.iso`), ages and durations seconds, boxes
[x1, y1, x2, y2] in pixels of a frame whose size stands beside them.
"""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict

from hub.door_views import DoorIntentView
from hub.heartbeat_settings import HeartbeatView
from hub.incident_settings import IncidentKind
from hub.incident_views import ActionState as ActionState
from hub.incident_views import CaseLinkView, CasePersonView, TaskView
from hub.kinds.access_control import Lock, Position, Verb
from hub.kinds.notifiers import Severity
from hub.past_views import MachineView

Verdict = Literal["verified", "dismissed", "unsure"]
AlertState = Literal["raised", "verified", "dismissed", "unsure"]
Conclusion = Literal["secured", "not_secured", "open", "unlocked", "unknown"]
ReceiptState = Literal[
    "queued", "held", "accepted", "delivered", "seen", "acknowledged", "failed", "called_off",
    "in_digest",
]  # fmt: skip


class Requested(TypedDict):
    """What was last asked of a door, by whom and why."""

    verb: Verb
    by: str
    reason: str
    time: str
    state: ActionState
    detail: str


class Reported(TypedDict):
    """What the lock says. `stale` once the report is older than its driver allows."""

    lock: Lock
    time: str | None
    age_s: float | None
    stale: bool


class Physical(TypedDict):
    """What the door's contact says."""

    position: Position
    time: str | None
    age_s: float | None
    stale: bool


class DoorView(TypedDict):
    """A door: three facts and one conclusion. `secured` needs all facts fresh and agreeing."""

    id: str
    name: str
    place: str
    place_words: str
    online: bool
    egress: str | None
    verbs: list[Verb]
    requested: Requested | None
    reported: Reported
    physical: Physical
    conclusion: Conclusion
    detail: str
    intent: DoorIntentView | None
    differs: str


class VerdictView(TypedDict):
    """Who decided what about an alert."""

    verdict: Verdict
    by: str
    time: str
    note: str


class AnswerView(TypedDict):
    """Who took an alert on, or said that it is over, and when."""

    by: str
    time: str
    note: str


class LadderStepView(TypedDict):
    """A step of an alert's ladder: who is told through what, in words."""

    step: int
    due: str
    who: str
    state: Literal["waiting", "told", "called_off"]


class LadderView(TypedDict):
    """What follows while nobody takes the alert on, fixed when it was raised."""

    name: str
    steps: list[LadderStepView]


class PartView(TypedDict):
    """A camera or a door of an alert that tells of many; `back` is when it answered again."""

    camera: str
    door: str
    name: str
    place: str
    place_words: str
    since: str
    back: str | None


class AlertView(TypedDict):
    """An alert. `picture` is a media name or None; `will` says what verifying it will do. `unheard`
    is since when it is known that nobody has received it, or None. `told` is what became of its
    notices for each person, and `reviewed` whether its rule gave too many false alarms there and is
    only reviewed now; lists of alerts leave both out. `together` are the cameras and doors that
    it tells of, where there is more than one.
    """

    id: str
    rule: str
    title: str
    severity: Severity
    state: AlertState
    place: str
    place_name: str
    place_words: str
    camera: str
    door: str
    opened: str
    updated: str
    age_s: float
    count: int
    incident: str
    picture: str | None
    box: list[float] | None
    frame_size: list[int] | None
    matched: list[str]
    label: str
    score: float | None
    guessing: bool
    could_be: str
    will: list[str]
    verdict: VerdictView | None
    told: list[ReceiptView]
    reviewed: bool
    acknowledged: AnswerView | None
    resolved: AnswerView | None
    ladder: LadderView | None
    unheard: str | None
    together: list[PartView]


class ReceiptView(TypedDict):
    """What became of a notice for one person; `person` is empty where its channel spreads it.

    Each time stands where that was told: put into the outbox, kept back until, accepted by the
    channel, and so on. `words` says it all in one line.
    """

    key: str
    person: str
    name: str
    channel: str
    about: str
    state: ReceiptState
    queued: str
    held: str | None
    accepted: str | None
    delivered: str | None
    seen: str | None
    acknowledged: str | None
    failed: str | None
    detail: str
    words: str


class EntryView(TypedDict):
    """One line of an incident's story. `time` is the source's, `received` the hub's, `late_s` how
    much later that is; `clock` says in words where the source's clock must be, or may be, wrong.
    `incident` differs from the one that is read where that was merged with it.
    """

    event: str
    incident: str
    time: str
    received: str
    late_s: float
    clock: str
    source: str
    type: str
    text: str
    tone: Literal["neutral", "ok", "check", "severe"]
    picture: str | None
    data: dict[str, Any]


class ActionView(TypedDict):
    """A command or notice and what became of it."""

    key: str
    kind: Literal["door", "notice"]
    target: str
    what: str
    state: ActionState
    attempts: int
    created: str
    finished: str | None
    detail: str


class IncidentView(TypedDict):
    """An incident and its story in order. `kind` and `drill` say what it is about, `update_due`
    when the next situation update is expected. Lists of incidents have no people, tasks, links
    and entries.
    """

    id: str
    title: str
    severity: Severity
    state: Literal["open", "closed"]
    place: str
    place_words: str
    opened: str
    updated: str
    kind: IncidentKind
    kind_name: str
    drill: bool
    merged_into: str
    update_due: str | None
    people: list[CasePersonView]
    tasks: list[TaskView]
    links: list[CaseLinkView]
    alerts: list[AlertView]
    actions: list[ActionView]
    entries: list[EntryView]


class ProcessView(TypedDict):
    """A process of the hub; `cpu_s` is user and system time so far."""

    name: str
    pid: int
    state: Literal["running", "restarting", "stopped"]
    restarts: int
    cpu_s: float
    rss_peak_mb: float


class DriverView(TypedDict):
    """A running driver of any kind."""

    kind: str
    id: str
    driver: str
    state: Literal["starting", "running", "retrying", "failed", "disabled"]
    reason: str
    restarts: int


class PluginView(TypedDict):
    """A plugin: where it came from, whether it can be used, and what it did that it must not.

    `faults` counts since the hub started; `last` says the latest in words, `last_at` when.
    """

    name: str
    source: str
    version: str
    kinds: list[str]
    state: Literal["ok", "unused", "invalid", "broken", "quarantined"]
    reason: str
    faults: int
    last: str
    last_at: str | None


class BackupView(TypedDict):
    """Backups: how often, the time of the newest, and why none can be made; empty where all is
    well.
    """

    every: str
    last: str | None
    trouble: str


class PagesView(TypedDict):
    """Where the pages are: the address, `tls` as the configuration says it, the SHA-256 of the
    certificate that they show and when that ends; both empty without one.
    """

    address: str
    tls: str
    fingerprint: str
    certificate_until: str


class HealthView(TypedDict):
    """How the house is. `state` is `degraded` whenever `problems` is not empty. `notes` are what
    people should know of while the hub is well, such as rules that are only reviewed.
    `configuration` says why what runs is not what the file says, or what waits to be confirmed.
    `work` is what each perception worker has spent: `decode_s`, `gate_s`, and `pictures_mb` held.
    """

    state: Literal["ok", "degraded"]
    problems: list[str]
    notes: list[str]
    configuration: str
    version: str
    started: str
    uptime_s: float
    detecting: str
    guessing: bool
    processes: list[ProcessView]
    drivers: list[DriverView]
    plugins: list[PluginView]
    queues: dict[str, dict[str, int]]
    work: dict[str, dict[str, float]]
    backup: BackupView
    pages: PagesView
    heartbeat: HeartbeatView
    machine: MachineView
    events: int
    alerts_open: int
    actions: dict[str, int]


class ModelView(TypedDict):
    """A model that looks at pictures now. `card` is its model card, empty where it has none.

    `detectors` are the blocks that use it; `shipped` says that it came with the hub.
    """

    name: str
    title: str
    licence: str
    sha256: str
    shipped: bool
    detectors: list[str]
    card: str


class PlanView(TypedDict):
    """What a look at the configuration found.

    `id` names it for the apply that follows; `kept` is the hash it was looked up by, or "" for the
    file. `changes` have `path`, `kind`, `before`, `after` and `grave`, `steps` the instances to
    `start`, `stop` and `restart` as `kind/id`; `grave` are the paths to confirm a second time.
    """

    id: str
    kept: str
    valid: bool
    problems: list[dict[str, object]]
    changes: list[dict[str, Any]]
    steps: dict[str, list[str]]
    grave: list[str]


class KeptView(TypedDict):
    """A configuration that ran and was kept."""

    hash: str
    time: str
    running: bool


class ConfigurationView(TypedDict):
    """What runs. `trouble` says why that is not what the file says, `waiting` what is to confirm;
    both are empty where all is well.
    """

    file: str
    hash: str
    since: str
    kept_runs: bool
    trouble: str
    waiting: str
    kept: list[KeptView]
