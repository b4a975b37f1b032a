"""Events: what happened, shaped as CloudEvents 1.0.

Everything the hub sees, does or is told is an `Event`. Its `type` is one of `EVENT_TYPES`; a plugin
may add types of its own under `plugin.NAME.`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hub.clock import from_iso, iso

EVENT_TYPES: Mapping[str, str] = {
    "zone.entered": "A tracked person, vehicle or mover came into a zone of a camera.",
    "zone.left": "A tracked person, vehicle or mover left a zone or was lost.",
    "camera.online": "A camera delivers pictures again.",
    "camera.offline": "A camera has delivered no picture for its timeout.",
    "camera.covered": "A camera's lens is covered, sprayed or held shut: its scene is gone.",
    "camera.moved": "A camera was turned: another view shows, or its scene has shifted.",
    "camera.defocused": "A camera's picture has gone soft in unchanged light.",
    "camera.frozen": "A camera's pictures come, but are always the same.",
    "camera.repeating": "A camera shows again what it has shown before, as a recording would.",
    "camera.blind": "A camera's picture shows nothing, or changes too much to tell motion in it.",
    "camera.clear": "What was wrong with a camera's pictures has ended.",
    "door.opened": "A door's contact says open.",
    "door.closed": "A door's contact says closed.",
    "door.locked": "A lock reports locked.",
    "door.unlocked": "A lock reports unlocked.",
    "door.forced": "A door opened while it was reported locked and nobody was let through.",
    "door.held": "A door has stood open longer than it may.",
    "door.jammed": "A lock reports that its bolt is stuck.",
    "door.online": "A door's controller answers again.",
    "door.offline": "A door's controller stopped answering.",
    "door.tampered": "A door's device says that it is being opened or torn off.",
    "door.intact": "A door's device no longer says that it is being tampered with.",
    "door.tailgated": "More people came through a door than were let through.",
    "door.differs": "A door is not as it is wanted: a key, a jam, a lost command; says how.",
    "door.agrees": "A door that was otherwise is as it is wanted.",
    "door.given_up": "A door is still not as it is wanted, and the hub tries no more.",
    "door.expired": "What a person or an alert wanted of a door was wanted until now.",
    "door.flooding": "A door reports more than can be so; what is ordinary of it is only counted.",
    "door.calm": "A door reports no more than it should; says how much was only counted.",
    "access.granted": "A credential let its holder in; `credential` refers to it.",
    "access.denied": "A credential was refused.",
    "access.duress": "A holder says by their code or finger that somebody forces them.",
    "controller.misbehaved": "A controller reports what cannot be; it is not believed.",
    "fire.alarm": "A fire alarm input sounds: no door may lock until a person re-arms them.",
    "fire.clear": "A fire alarm input no longer sounds; the doors are not re-armed by that.",
    "doors.rearmed": "A person lets doors lock again after a fire alarm.",
    "action.requested": "A door was asked for something; says for whom, and whether again.",
    "action.confirmed": "A command was confirmed by read-back, or a notice was accepted.",
    "action.failed": "A command or notice was answered with a failure, or given up.",
    "action.timed_out": "A command or notice had no answer by its deadline.",
    "action.cancelled": "A command or notice was called off before it was done.",
    "visitor.checked_in": "A visitor checked in at a desk.",
    "visitor.checked_out": "A visitor checked out.",
    "visitor.overstayed": "A visitor is still here after the agreed time.",
    "visitor.matched": "A visitor's name is on a list of whom not to admit, or cannot be compared.",
    "visitor.admitted": "Somebody let in a visitor whose name matched, and says how they know.",
    "notice.delivered": "A notice reached a device of a person, as its channel says.",
    "notice.seen": "A person opened a notice, or its alert's page.",
    "notice.acknowledged": "A person answered for a notice on its channel.",
    "notice.failed": "A notice that a channel had accepted did not arrive after all.",
    "notice.rerouted": "A channel did not take a notice; it goes another way.",
    "report.received": "Another system reports something; its label says what.",
    "report.ended": "Another system says that what it reported is over.",
    "template.failed": "A message template is of no use; the built-in text is sent instead.",
    "protocol.started": "A protocol is in force from now on; the subject names which.",
    "protocol.ended": "A protocol is no longer in force.",
    "protocol.progress": "How far a protocol is, or its all-clear, door by door.",
    "protocol.ending": "Somebody asks for the end of a protocol, or asks no longer.",
    "protocol.duress": "Somebody was forced to end a protocol; it goes on. No rule hears of it.",
    "panic.pressed": "A device, an input or a signed message starts a protocol; says where.",
    "help.pressed": "Somebody calls for help, which locks nothing; says where.",
    "fire.decided": "A person decides in a fire alarm whether people in a lockdown stay or leave.",
    "fire.undecided": "The time to decide in a fire alarm during a lockdown is over.",
    "input.silent": "A supervised input has not reported for longer than it should.",
    "input.heard": "An input that was silent reports again.",
    "device.enrolled": "A device may start protocols from now on.",
    "device.revoked": "A device may no longer start protocols.",
    "pins.set": "A person set the PINs by which they end a protocol; says who, and no PIN.",
    "glass.broken": "Somebody has broken the glass: they may more for a while, and say why.",
    "glass.ended": "What somebody could do because they had broken the glass is over.",
    "drill.planned": "A drill is planned for a moment; says of what, where and who leads it.",
    "drill.changed": "A planned drill is planned otherwise.",
    "drill.called_off": "A planned drill is not held; may say why.",
    "drill.missed": "Nobody has started a planned drill in time.",
    "drill.evaluated": "Somebody has written what they saw in a drill, and whether it counts.",
    "drill.exported": "Somebody took the drills of a school year away.",
    "rule.fired": "A rule fired; says which clause matched, by which value and which events.",
    "rule.suppressed": "What a rule's cooldown kept back, event by event.",
    "rule.demoted": "A rule gave too many false alarms by a camera: it is only reviewed now.",
    "rule.restored": "A rule that was only reviewed raises alerts as before.",
    "alert.raised": "A rule raised an alert.",
    "alert.joined": "A further event joined an alert that was already open.",
    "alert.verified": "A person confirmed that an alert is real.",
    "alert.dismissed": "A person marked an alert as a false alarm.",
    "alert.reopened": "A person took their dismissal of an alert back within seconds.",
    "alert.unsure": "A person could not tell and asks another.",
    "alert.acknowledged": "A person has taken an alert on; nobody else is called for it.",
    "alert.resolved": "A person says that a verified alert is over.",
    "alert.unheard": "Nobody has received an alert, or a step of its ladder is overdue.",
    "incident.opened": "An incident was opened, by an alert or by a person.",
    "incident.closed": "Every alert of an incident was dismissed, or a person closed it.",
    "incident.reopened": "A person goes on with an incident that was closed.",
    "incident.kind": "A person said what an incident is about.",
    "incident.note": "A person added a note to an incident, or corrected an earlier entry.",
    "incident.role": "Somebody was given a role in an incident, or no longer has it.",
    "incident.task": "A task of an incident was added, taken, done, dropped or opened again.",
    "incident.update": "A person told everyone who was told of an incident how it stands.",
    "incident.reminder": "People have waited too long for a situation update.",
    "incident.merged": "An incident was made part of another.",
    "incident.split": "Some alerts of an incident were made an incident of their own.",
    "incident.handed_off": "A person handed an incident over to emergency services.",
    "incident.exported": "A person took an incident's report away.",
    "picture.saved": "A picture was kept as part of an incident.",
    "plugin.failed": "A driver raised, hung or died and is being restarted.",
    "plugin.recovered": "A driver that had failed is running again.",
    "plugin.misbehaved": "A plugin blocks, hangs, leaks, floods or dies; it is contained.",
    "process.died": "A child process ended without being asked to.",
    "process.started": "A child process started.",
    "config.changed": "Another configuration took over, by a person or by SIGHUP.",
    "config.waiting": "A changed configuration waits for a person to confirm it.",
    "config.refused": "A changed configuration did not start; what ran runs on.",
    "backup.failed": "No backup could be made.",
    "backup.recovered": "A backup was made again.",
    "journal.restored": "The journal was brought back from a backup: by whom, as of when.",
    "clock.moved": "The machine's clock was set, forward or back by so many seconds.",
    "heartbeat.missed": "The hub's own test event did not come through in time; says how far.",
    "heartbeat.recovered": "The hub's own test event comes through again.",
    "hub.started": "The hub started.",
    "hub.stopped": "The hub was asked to stop and did.",
}


def new_id() -> str:
    """A fresh identifier, unique everywhere; 32 hexadecimal digits."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    `source` says who saw it (`camera/lobby`, `door/main`, `rule/closed_wing`), `subject` what it is
    about (a camera, door, alert or visitor id), `time` when it happened at the source. `data` holds
    plain JSON values.
    """

    type: str
    source: str
    time: datetime
    subject: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=new_id)

    def to_cloudevent(self) -> dict[str, Any]:
        """The event as a CloudEvents 1.0 JSON object (structured mode), where a subject that is
        nothing is left out.
        """
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "time": iso(self.time),
            **({"subject": self.subject} if self.subject else {}),
            "datacontenttype": "application/json",
            "data": dict(self.data),
        }

    @classmethod
    def from_cloudevent(cls, message: Mapping[str, Any]) -> Event:
        """Read a CloudEvents 1.0 JSON object. Raises `KeyError` or `ValueError` on a bad one."""
        return cls(
            type=str(message["type"]),
            source=str(message["source"]),
            time=from_iso(str(message["time"])),
            subject=str(message.get("subject") or ""),
            data=dict(message.get("data") or {}),
            id=str(message["id"]),
        )
