"""The fire alarm as the journal keeps it: where it sounds, and whether doors may lock again. After
a restore the journal may not know.

Every function takes a connection and runs inside somebody's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from hub.storage.schema import meta

KEY = "fire"
ALARM, CLEAR, REARMED = "fire.alarm", "fire.clear", "doors.rearmed"
MOST_INPUTS = 64

FireWord = Literal["clear", "alarm", "not_rearmed", "restored"]
AFTER_ALARM = "a fire alarm has suspended it, and nobody has re-armed the doors since"
AFTER_RESTORE = (
    "the journal was restored from a backup and does not know of any fire alarm since, and nobody "
    "has re-armed the doors"
)


@dataclass(frozen=True, slots=True)
class FireState:
    """`alarm` while an input sounds, `not_rearmed` from then until a person re-arms the doors;
    `restored` until then where a backup was restored, which knows nothing of alarms after it.

    `inputs` are those that sound: the place of each, by its source. Lock verbs are suspended in
    these three states. `place` and `source` are those of the first alarm, `cleared` is since when
    none sounds any more; each empty where there is nothing to say.
    """

    state: FireWord = "clear"
    since: str = ""
    place: str = ""
    source: str = ""
    cleared: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def suspended(self) -> bool:
        """Whether no door may be asked to lock."""
        return self.state != "clear"

    @property
    def alarmed(self) -> bool:
        """Whether an alarm is known of that nobody has re-armed the doors after."""
        return self.state in ("alarm", "not_rearmed")

    @property
    def why(self) -> str:
        """Why no door may be asked to lock, where that is so."""
        return AFTER_RESTORE if self.state == "restored" else AFTER_ALARM


def read(connection: Connection) -> FireState:
    """How it stands."""
    found = connection.scalar(select(meta.c.value).where(meta.c.key == KEY))
    return FireState() if found is None else FireState(**json.loads(found))


def write(connection: Connection, state: FireState) -> None:
    """Keep how it stands."""
    if not state.suspended:
        connection.execute(delete(meta).where(meta.c.key == KEY))
        return
    values: dict[str, Any] = {
        "state": state.state,
        "since": state.since,
        "place": state.place,
        "source": state.source,
        "cleared": state.cleared,
        "inputs": dict(state.inputs),
    }
    row = insert(meta).values(key=KEY, value=json.dumps(values, ensure_ascii=False))
    connection.execute(
        row.on_conflict_do_update(index_elements=[meta.c.key], set_={"value": row.excluded.value})
    )


def sounded(state: FireState, source: str, place: str, time: str) -> FireState:
    """With an input that sounds from now on. One that sounds again after the doors were re-armed
    suspends them again: whoever repeats its state may only tell of changes.
    """
    inputs = dict(state.inputs)
    if source in inputs or len(inputs) < MOST_INPUTS:
        inputs[source] = place
    if not state.alarmed:
        return FireState("alarm", time, place, source, "", inputs)
    return FireState("alarm", state.since, state.place, state.source, "", inputs)


def silenced(state: FireState, source: str, time: str) -> FireState:
    """With an input that sounds no longer; one that was not known to changes nothing."""
    if state.state != "alarm" or source not in state.inputs:
        return state
    inputs = {each: place for each, place in state.inputs.items() if each != source}
    if inputs:
        return FireState("alarm", state.since, state.place, state.source, "", inputs)
    return FireState("not_rearmed", state.since, state.place, state.source, time, {})
