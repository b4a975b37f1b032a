"""What is audited: the acts there are, and which events of the journal are one.

An event that is an act gets its line where it is appended, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.events import Event

ACTS: Mapping[str, str] = {
    "view.live": "Looked at a camera's live pictures; one line from the first to the last.",
    "view.recorded": "Looked at kept pictures of an incident or an alert.",
    "session.opened": "Signed in; says which way.",
    "session.refused": "Was refused at sign-in.",
    "session.closed": "Signed out.",
    "session.others_closed": "Ended all other sessions of the account.",
    "account.added": "An account was made; says its role.",
    "account.changed": "An account was given a role, by a command also a password.",
    "account.link_made": "A link was made behind which somebody chooses their password.",
    "account.password_set": "An account has another password.",
    "account.locked": "An account was locked out.",
    "account.unlocked": "An account was let in again.",
    "account.browser_added": "An account is told in another browser; says which.",
    "account.browser_removed": "An account is told no more in a browser; says which.",
    "account.changes_seen": "Has seen what changed in how they sign in; says up to which line.",
    "factor.added": "An account has another second factor: an authenticator app or a passkey.",
    "factor.removed": "A second factor of an account was taken away.",
    "factor.codes_made": "An account has new recovery codes.",
    "factor.code_used": "Signed in with a recovery code; says how many are left.",
    "factor.code_again": "A code of an authenticator app came a second time and was refused.",
    "token.made": "A token for a program was made; says its role.",
    "token.revoked": "A token was ended.",
    "pins.set": "Set the PINs that end a protocol.",
    "device.enrolled": "Enrolled a panic device.",
    "device.revoked": "Revoked a panic device.",
    "guest.invited": "Made a link for guests; says to which area and cameras, until when.",
    "guest.opened": "A link for guests was opened on a device.",
    "guest.refused": "A link for guests that is over, or used up, was opened.",
    "guest.revoked": "Ended a link for guests.",
    "glass.broken": "Broke the glass; says why, for what and until when.",
    "glass.ended": "Broken glass is whole again; says since when it was not.",
    "reason.given": "Said why they look.",
    "config.changed": "Another configuration took over.",
    "config.written": "Wrote a camera's masks into the configuration file.",
    "config.refused": "A changed configuration did not start.",
    "rule.restored": "Lets a rule that was only reviewed raise alerts again.",
    "rule.tried": "Tried a rule on recorded days; says since when, and whether by another text.",
    "door.asked": "Asked a door for something; says for what and why.",
    "door.answered": "How a door's command ended.",
    "doors.rearmed": "Lets doors lock again after a fire alarm.",
    "protocol.started": "Started a protocol, or a drill of one.",
    "protocol.ending": "Asked for the end of a protocol, or took that back.",
    "protocol.ended": "Ended a protocol.",
    "panic.pressed": "Pressed for a protocol; at a device, an input or by a signed message.",
    "help.pressed": "Called for help.",
    "fire.decided": "Decided in a fire alarm whether people stay or leave.",
    "alert.verified": "Said that an alert is real.",
    "alert.dismissed": "Said that an alert is false.",
    "alert.reopened": "Took a dismissal back within seconds.",
    "alert.unsure": "Could not tell.",
    "alert.acknowledged": "Took an alert on.",
    "alert.resolved": "Said that an alert is over.",
    "visit.registered": "Put somebody whom nobody announced on the list of visitors.",
    "visit.checked_in": "Checked a visitor in; says whom, at which desk and for which host.",
    "visit.checked_out": "Checked a visitor out.",
    "visit.badge": "Opened a visitor's badge for printing.",
    "visit.roll": "Opened the list of all visitors who are here; says how many it has.",
    "visitor.matched": "Was asked to decide on a visitor whose name is on a list; says why.",
    "visitor.admitted": "Let in a visitor whose name is on a list; says how they know.",
    "incident.opened": "Opened an incident by hand.",
    "incident.closed": "Closed an incident.",
    "incident.reopened": "Went on with a closed incident.",
    "incident.kind": "Said what an incident is about.",
    "incident.note": "Wrote a note, or corrected an entry.",
    "incident.role": "Gave somebody a role in an incident, or ended it.",
    "incident.task": "Worked on a task of an incident.",
    "incident.update": "Told everyone how an incident stands.",
    "incident.merged": "Made an incident part of another.",
    "incident.split": "Split an incident.",
    "incident.handed_off": "Handed an incident over to emergency services.",
    "incident.exported": "Took an incident's report away.",
    "drill.planned": "Planned a drill.",
    "drill.changed": "Planned a drill otherwise.",
    "drill.called_off": "Called a planned drill off.",
    "drill.missed": "Nobody had started a planned drill in time.",
    "drill.evaluated": "Wrote what they saw in a drill, and whether it counts.",
    "drill.exported": "Took the drills of a school year away.",
    "audit.exported": "Took lines of the audit away.",
    "audit.key_made": "Signs the audit with this key from now on.",
    "journal.restored": "The journal was brought back from a backup.",
    "clock.moved": "The machine's clock was set.",
    "hub.started": "The hub started.",
    "hub.stopped": "The hub stopped.",
}

_DOORS: Mapping[str, tuple[str, str]] = {
    "action.requested": ("door.asked", "asked"),
    "action.confirmed": ("door.answered", "confirmed"),
    "action.failed": ("door.answered", "failed"),
    "action.timed_out": ("door.answered", "no answer"),
    "action.cancelled": ("door.answered", "called off"),
}
_WEB_ALONE = (
    "view.", "session.", "account.", "factor.", "token.", "door.", "audit.", "guest.", "reason.",
    "rule.tried", "config.written", "visit.",
)  # fmt: skip
TYPES = frozenset({*_DOORS, *(act for act in ACTS if not act.startswith(_WEB_ALONE))})
"""Types of events that may be acts."""

_BY_PEOPLE = frozenset({"incident.opened", "incident.task", "rule.restored"})
_OUTCOMES = {"config.refused": "refused"}
_TOLD = (
    "verb", "reason", "device", "protocol", "area", "place", "drill", "ending", "decision",
    "people", "verdict", "alert", "incident", "kind", "role", "person", "do", "into", "format",
    "hash", "file", "changes", "backup", "as_of", "detail", "seconds", "permissions", "since",
    "until", "glass", "visitor", "desk", "host", "tries", "due", "leader", "counts",
)  # fmt: skip
_LONGEST = 300
_MOST = 50


@dataclass(frozen=True, slots=True)
class Act:
    """What a line says, before it has a place in the chain. `who` is a person, a token, a device or
    `hub`; `event` the event it tells of. `details` hold plain JSON values.
    """

    act: str
    who: str
    subject: str = ""
    outcome: str = "done"
    details: Mapping[str, Any] | None = None
    event: str = ""


def act_of(event: Event) -> Act | None:
    """The act that an event is; None for one that is none."""
    if event.type not in TYPES:
        return None
    data = event.data
    who = str(data.get("by") or data.get("device") or "")
    if not who and event.type in _BY_PEOPLE:
        return None
    act, outcome = event.type, _OUTCOMES.get(event.type, "done")
    if event.type in _DOORS:
        # The hub's own tries are none, nor that one ended as one before it did.
        if data.get("kind") != "door" or data.get("again") or data.get("same"):
            return None
        act, outcome = _DOORS[event.type]
    told = {key: data[key] for key in _TOLD if data.get(key) not in (None, "", [])}
    if event.type in _DOORS:
        del told["kind"]
    return Act(act, who or "hub", event.subject, outcome, told, event.id)


def plain(value: Any) -> Any:
    """A value of details as the chain keeps it: bounded, and without fractions, which not every
    program writes alike.
    """
    if isinstance(value, bool) or value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 1 << 53 else f"{value:.3f}"
    if isinstance(value, Mapping):
        pairs = list(value.items())[:_MOST]
        return {str(key)[:_LONGEST]: plain(each) for key, each in pairs}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in list(value)[:_MOST]]
    text = str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
