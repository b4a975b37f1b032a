"""After a restore: what the past still wanted to do is called off, and the journal says so.

A restore leaves a note in the journal (`hub.storage.backup_restore`). The first start that finds it
does all of this before anything acts. Each step can be repeated, so that a start that is cut off
harms nothing.
"""

from __future__ import annotations

import json
from typing import Any

import structlog
from sqlalchemy import Connection, delete, func, select, update

from hub.events import Event
from hub.safety.decide import Decider
from hub.safety.intake import Intake
from hub.safety.lanes import hand_off
from hub.storage.backup_restore import NOTE
from hub.storage.schema import actions, meta

CALLED_OFF = "the journal was restored from a backup: no command of before is sent again"

log = structlog.get_logger(__name__)


async def settle_restored(intake: Intake) -> None:
    """Do what a restore left to do; nothing where there was none. Raises `StateError`.

    Commands to doors are called off, and nothing is wanted of doors any more; so is what was to be
    handed over to emergency services, for nobody knows what was decided since. Other notices that
    have not expired go out and say that they may be a repeat, since nobody knows whether they did
    before.
    Unless the journal that was there could be read and had no fire alarm beyond the backup, one may
    have sounded that is now forgotten: no door is locked before a person re-arms them. The event
    `journal.restored` tells by whom and as of when.
    """
    note = await intake.journal.read(_note)
    if note is None:
        return
    stale = await intake.journal.read(_never_again)
    await intake.journal.write(_mark_as_tried)
    event = Event(
        type="journal.restored",
        source="hub",
        time=intake.clock.now(),
        subject="journal",
        data={key: value for key, value in note.items() if key != "id"},
        id=str(note["id"]),
    )

    def work(decider: Decider) -> None:
        decider.forget_wanted(CALLED_OFF)  # first, so that no end of anything moves a door
        decider.accept(event)
        for action in stale:
            decider.settle(action, "cancelled", CALLED_OFF)
        if not _knows_of_fire(note):
            decider.doubt_fire()

    await intake.decide(work)
    await intake.journal.write(_forget)
    log.warning("the journal was restored", by=note["by"], as_of=note["as_of"])


def _note(connection: Connection) -> dict[str, Any] | None:
    found = connection.scalar(select(meta.c.value).where(meta.c.key == NOTE))
    return None if found is None else dict(json.loads(found))


def _knows_of_fire(note: dict[str, Any]) -> bool:
    """Whether the journal that the backup took the place of could be read and had no fire alarm
    more.
    """
    losses = note.get("lost")
    return isinstance(losses, dict) and losses.get("known") is True and losses.get("fire") is False


def _never_again(connection: Connection) -> list[int]:
    pending = select(actions).where(actions.c.state == "pending").order_by(actions.c.id)
    rows = connection.execute(pending)
    return [row.id for row in rows if row.kind == "door" or hand_off(row)]


def _mark_as_tried(connection: Connection) -> None:
    connection.execute(
        update(actions)
        .where(actions.c.kind == "notice", actions.c.state == "pending")
        .values(attempts=func.max(actions.c.attempts, 1), started=None)
    )


def _forget(connection: Connection) -> None:
    connection.execute(delete(meta).where(meta.c.key == NOTE))
