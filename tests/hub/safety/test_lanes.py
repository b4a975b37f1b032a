"""What is asked of the outbox all the time stays quick, however many notices there ever were."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from safety_school import EVENING
from sqlalchemy import Connection, event

from hub.campus import Campus
from hub.config import Config
from hub.kinds.notifiers import Recipient
from hub.safety import outbox
from hub.safety.alerts import auditing, steps
from hub.safety.incidents.situation import told_of_it
from hub.safety.notices import overdue
from hub.safety.notices.notice import Message, intention
from hub.safety.transaction import Charter
from hub.safety.words import Words
from hub.storage.database import open_engine

CONFIG = Config.model_validate({})
CHARTER = Charter.of(CONFIG, Campus({}), lambda _: False)
AFTER = EVENING - timedelta(days=1)
ASKED: dict[str, Callable[[Connection], Any]] = {
    "what waits of an alert": lambda c: outbox.pending_notices(c, "a"),
    "who was told of an alert": lambda c: outbox.told(c, "a"),
    "what nobody has received": lambda c: auditing.without_receipt(c, EVENING, AFTER),
    "when somebody was last told": lambda c: steps.last_told(c, "a"),
    "what waits for too long": lambda c: list(
        overdue.late(c, Words(CONFIG, Campus({})), lambda _: False, EVENING)
    ),
    "who follows an incident": lambda c: told_of_it(c, CHARTER, "i"),
}
INDEXES = {
    "ix_actions_alert": "CREATE INDEX ix_actions_alert ON actions (alert)",
    "ix_actions_target": "CREATE INDEX ix_actions_target ON actions (kind, target)",
}


@pytest.fixture(params=list(INDEXES))
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A journal in which one index was made after the other: that decides where SQLite looks."""
    engine = open_engine(tmp_path / "journal.db", forward=True)
    with engine.begin() as opened:
        opened.exec_driver_sql(f"DROP INDEX {request.param}")
        opened.exec_driver_sql(INDEXES[request.param])
    with engine.begin() as opened:
        yield opened
    engine.dispose()


@pytest.mark.parametrize("asked", list(ASKED))
def test_nothing_is_looked_for_among_all_notices(connection: Connection, asked: str) -> None:
    """Whichever index was made first: those of one alert are found by the alert."""
    plans: list[str] = []

    @event.listens_for(connection, "before_cursor_execute")
    def explain(conn: Any, cursor: Any, statement: str, values: Any, *more: Any) -> None:
        rows = cursor.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
        plans.extend(str(row[3]) for row in rows)

    ASKED[asked](connection)
    event.remove(connection, "before_cursor_execute", explain)
    assert any("actions" in plan for plan in plans)
    assert not [plan for plan in plans if "ix_actions_target" in plan]


def test_what_was_never_kept_back_is_looked_up_once(tmp_path: Path) -> None:
    """Each attempt asks whether quiet hours held a notice: its own receipt says that."""
    engine = open_engine(tmp_path / "journal.db", forward=True)
    words, asked = Words(CONFIG, Campus({})), 0
    message = Message("alert", "high", "x", "x", EVENING, "", "", "", "detector", {})
    said = intention(CONFIG, words, message, "post", [Recipient("officer", "Officer")])
    with engine.begin() as opened:
        outbox.add(opened, said, EVENING)
        row = outbox.by_key(opened, said.key)

        @event.listens_for(opened, "before_cursor_execute")
        def count(*more: Any) -> None:
            nonlocal asked
            asked += 1

        assert overdue.kept_back(opened, words, row, EVENING) is None
    assert asked == 1
    engine.dispose()
