"""Handing an incident over to emergency services: a person's act, and nobody else's.

What goes out through the notifiers of `hub.emergency.hand_off` goes out because a person has handed
that very incident over, or is a later word on it: both have lanes of their own, which nothing else
is given. Whatever else is meant for them ends at the moment it is written, whoever wants it.
"""

from __future__ import annotations

import json
from dataclasses import replace

from hub.errors import Refused
from hub.incident_views import NOT_TAKEN, CallCardView
from hub.safety import outbox
from hub.safety.alerts.escalate import Escalation
from hub.safety.incidents.acts import CaseActs, act_id
from hub.safety.incidents.hand_off import hand_offs, handed_over
from hub.safety.incidents.situation import leading_to
from hub.safety.lanes import HAND_OFF_EXPIRES, handed_lane, of_hand, pending_in
from hub.safety.notices import notice as notices
from hub.safety.notices.notice import Message
from hub.safety.outbox import Intention
from hub.storage import eventlog

ONLY_BY_HAND = "only what a person hands over goes there"
CLOSED = "the incident was closed"


class HandingOver(CaseActs, Escalation):
    """Hands incidents over, and holds back what nobody has handed over."""

    def hand_over(self, incident: str, card: CallCardView, by: str, key: str = "") -> None:
        """Send the call card through every notifier for it that has not taken it yet. Raises
        `KeyError`, and `Refused` where there is none, or all have taken it or are about to.
        """
        row = self._open_case(incident)
        words, config = self._charter.words, self._charter.config
        event = act_id(by, key, "handed_off", incident)
        if key and eventlog.get(self._connection, event) is not None:
            return
        blocks = config.notifiers
        named = config.hub.emergency.hand_off
        ways = [one for one in dict.fromkeys(named) if one in blocks and blocks[one].enabled]
        if not ways:
            raise Refused(
                "there is no way to hand it over: no notifier under `hub.emergency.hand_off` is "
                "switched on; call instead"
            )
        gone = handed_over(self._connection, incident)
        through = [one for one in ways if one not in gone or gone[one].state in NOT_TAKEN]
        if not through:
            raise Refused("it was handed over already; a situation update tells them how it stands")
        names = [words.channel(each) for each in through]
        self._write("handed_off", row.id, by, {"through": through, "names": names}, event)
        said = "\n".join(f"{line['ask']}: {line['say']}" for line in card["lines"])
        message = Message(
            about="hand_off",
            severity="severe",
            title=row.title,
            text=f"{said}\nHanded over by: {words.person(by)}, {words.moment(self._now)}",
            time=self._now,
            place=words.campus.words(row.place),
            alert="",
            incident=row.id,
            basis="person",
            data={"by": by, "kind": row.kind, "call": card["facts"]},
        )
        for channel in through:
            notice = leading_to(notices.intention(config, words, message, channel, ()), row)
            what = f"Hand it over through {words.channel(channel)}"
            lane = handed_lane(channel)
            self._intend(replace(notice, what=what, lane=lane, expires=HAND_OFF_EXPIRES))

    def _no_more_hand_off(self, incident: str) -> None:
        """What still waits to be handed over is called off, and each later word where nothing
        arrived: nobody is called to what is over.
        """
        rows = hand_offs(self._connection, incident)
        self._call_off([one for one in rows if one.state == "pending"], CLOSED)
        tried = {one.target for one in rows if one.attempts}
        for lane in {one.lane for one in rows if one.target not in tried}:
            self._call_off(pending_in(self._connection, lane, incident), CLOSED)

    def _hand_off_after_all(self, incident: str, since: str) -> None:
        """The incident goes on: what a person handed over, and was called off since then because it
        was closed, goes out as they had it.
        """
        for row in handed_over(self._connection, incident).values():
            called_off = row.state == "cancelled" and CLOSED in (row.detail, row.stop)
            if called_off and row.finished >= since:
                payload = json.loads(row.payload)
                self._intend(
                    Intention(
                        "notice", row.target, row.what, payload, row.lane, row.deadline_s,
                        HAND_OFF_EXPIRES, incident=incident,
                    )
                )  # fmt: skip

    def _intend(self, intention: Intention) -> str:
        """Write an intention; what was never handed over ends at once."""
        key = super()._intend(intention)
        ways = self._charter.config.hub.emergency.hand_off
        if intention.kind == "notice" and intention.target in ways and not of_hand(intention.lane):
            self.settle(outbox.by_key(self._connection, key).id, "cancelled", ONLY_BY_HAND)
        return key
