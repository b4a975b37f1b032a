"""What pages and API may ask of rules; see `hub.rule_answers`."""

from __future__ import annotations

from typing import Literal, Protocol

from typing_extensions import TypedDict

from hub.kinds.notifiers import Severity

Tried = Literal["waits", "runs", "done", "invalid", "failed"]
Came = Literal["fired", "would", "kept_back", "waits", "not"]


class RuleReadView(TypedDict):
    """A rule as one reads it: what it waits for, where and when, what it then does."""

    when: list[str]
    where: list[str]
    then: list[str]


class TrustView(TypedDict):
    """What people said of a rule's alerts in the last thirty days; of drills nothing."""

    alerts: int
    verified: int
    dismissed: int
    unsure: int


class ReviewedView(TypedDict):
    """A camera by which a rule is only reviewed, because it gave too many false alarms there."""

    camera: str
    name: str
    since: str
    count: int


class FalseAlarmsView(TypedDict):
    """How many false alarms a rule may give by one camera, within so many seconds."""

    at_most: int
    within_s: float


class RuleView(TypedDict):
    """One rule. `fired` is how often in the last seven days, `last` when it last did; None where
    the journal knows of no time.
    """

    id: str
    name: str
    severity: Severity
    read: RuleReadView
    last: str | None
    fired: int
    trust: TrustView
    false_alarms: FalseAlarmsView | None
    reviewed: list[ReviewedView]


class CauseView(TypedDict):
    """An event that a rule looks at, in words."""

    id: str
    type: str
    time: str
    words: str


class FiringView(TypedDict):
    """That a rule fired: when, where, by which values, for which events. `alert` is what it raised
    or joined.
    """

    event: str
    time: str
    alert: str
    severity: str
    where: str
    matched: list[str]
    events: list[CauseView]


class RuleDetailView(RuleView):
    """One rule with its text, where that stands, its last firings and what it has looked at."""

    text: str
    file: str
    line: int
    firings: list[FiringView]
    seen: list[CauseView]


class CheckView(TypedDict):
    """One condition: the key that states it, in words what it asks, the value it met, and whether
    it held. `met` is None where it was not looked at, because something before it did not hold.
    """

    key: str
    asks: str
    value: str
    met: bool | None


class ExplanationView(TypedDict):
    """Why a rule fired for an event, or why not. `came` is what came of it, `words` says so;
    `alert` and `time` are of the firing in the journal, `near` other events of that time.
    """

    rule: str
    event: CauseView | None
    came: Came
    words: str
    checks: list[CheckView]
    alert: str
    time: str
    near: list[CauseView]


class MistakeView(TypedDict):
    """What is wrong with a text that was to be tried; line and column count within that text."""

    line: int
    column: int
    path: str
    message: str


class TriedDayView(TypedDict):
    """A day of the school's calendar: how often the rule did fire, and would have."""

    day: str
    did: int
    would: int


class TriedFiringView(TypedDict):
    """A time at which the rule did fire, or would have, or both."""

    time: str
    about: str
    did: bool
    would: bool
    matched: list[str]


class TriedView(TypedDict):
    """What a trial found. `kept_back` is what a cooldown would have; `firings` are the newest of
    those that differ, then of the others.
    """

    events: int
    seconds: float
    did: int
    would: int
    both: int
    kept_back: int
    days: list[TriedDayView]
    firings: list[TriedFiringView]


class TrialView(TypedDict):
    """A rule that is tried on the recorded events of a time. `done` of `of` events are looked at;
    `text` is what is tried instead of the rule as it runs, empty where it is that.
    """

    id: str
    rule: str
    by: str
    since: str
    until: str
    state: Tried
    done: int
    of: int
    text: str
    trouble: str
    mistakes: list[MistakeView]
    found: TriedView | None


class RulesFacade(Protocol):
    """What the rules are, what they did, and what another text would have done."""

    async def rules(self) -> list[RuleView]:
        """Every rule, in file order."""
        ...

    async def rule(self, rule: str) -> RuleDetailView:
        """One rule. Raises `KeyError`."""
        ...

    async def explain(
        self, rule: str, event: str = "", at: str = "", alert: str = ""
    ) -> ExplanationView:
        """Why it fired for an event, or why not: for the one that is named, or that an alert began
        with, else for the last at or before a time (RFC 3339), else for the last there is. Raises
        `KeyError`.
        """
        ...

    async def try_out(self, rule: str, by: str, *, days: int = 7, text: str = "") -> TrialView:
        """Run a rule over the recorded events of the last days, as it is or by another text.
        Nothing is sent, and nothing is written but who did it. Raises `KeyError`, and `Refused`
        while another trial runs.
        """
        ...

    def trial(self, trial: str) -> TrialView:
        """How a trial is getting on. Raises `KeyError` where nobody knows it any more."""
        ...
