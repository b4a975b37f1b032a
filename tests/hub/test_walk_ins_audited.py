"""Unannounced visitors, badges and the list for an evacuation, through the hub: asked of the lists,
and in the audit.
"""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from test_visitors import Entry

from hub import Refused, StateError, WalkIn
from hub.storage.audit_tables import lines
from hub.visitors_port import Matched


@pytest.fixture
async def entry(tmp_path):
    """An entry whose desk is open."""
    made = Entry(tmp_path)
    await made.desk.start()
    yield made
    await made.desk.close()
    made.engine.dispose()


def somebody(entry, name="Pat Doe"):
    return WalkIn(name, "Class 2", "Meeting", entry.clock.now() + timedelta(hours=1))


async def test_that_somebody_is_another_person_of_the_name_is_written_down(entry):
    """The second of the name is entered on a person's word, and the audit has that."""
    await entry.visitors.register("front", somebody(entry), "office")
    with pytest.raises(Refused):
        await entry.visitors.register("front", somebody(entry), "office")
    await entry.visitors.register("front", replace(somebody(entry), namesakes=1), "office")
    with entry.engine.connect() as connection:
        told = [str(each) for each in connection.execute(select(lines.c.details)).scalars()]
    assert ["namesakes" in each for each in told] == [False, True]


async def test_who_was_not_announced_is_compared_with_the_lists(entry):
    """Put on the list by hand is not in: a name not to admit asks, as for anybody else."""
    visit = await entry.visitors.register("front", somebody(entry, "barred person"), "office")
    assert visit["state"] == "expected"
    with pytest.raises(Matched, match="Court order"):
        await entry.visitors.check_in("front", visit["id"], "office")
    assert entry.told() == [("visitor.matched", "office")]


async def test_each_step_has_its_line(entry):
    """Who registered whom, who opened the badge and the list: with name, host and number."""
    visit = await entry.visitors.register("front", somebody(entry), "office")
    with pytest.raises(Refused, match="is not here"):
        await entry.visitors.badge("front", visit["id"], "office")
    here = await entry.visitors.check_in("front", visit["id"], "office")
    assert here["badge"] == "1"
    assert (await entry.visitors.badge("front", visit["id"], "nurse"))["visitor"] == "Pat Doe"
    await entry.visitors.roll_opened("principal", 1)
    assert entry.audited() == [
        ("visit.registered", "office"),
        ("visit.checked_in", "office"),
        ("visit.badge", "nurse"),
        ("visit.roll", "principal"),
    ]
    with entry.engine.connect() as connection:
        told = connection.execute(select(lines.c.details).order_by(lines.c.number)).scalars()
        registered, _, badge, roll = (str(each) for each in told)
    assert "Pat Doe" in registered
    assert "Meeting" in registered
    assert "badge" in badge
    assert "people" in roll
    with pytest.raises(KeyError):
        await entry.visitors.badge("front", "nonsense", "office")


async def test_the_list_comes_also_where_nothing_can_be_written(entry):
    """Whoever empties a building is not held up by a full disk; a door in is."""
    visit = await entry.visitors.register("front", somebody(entry), "office")
    await entry.visitors.check_in("front", visit["id"], "office")

    async def full(work):
        raise StateError("the disk is full")

    entry.visitors._write = full
    await entry.visitors.roll_opened("office", 1)
    assert (await entry.visitors.badge("front", visit["id"], "office"))["badge"] == "1"


async def test_a_desk_that_takes_nobody_unannounced_is_not_offered(entry):
    """A visitor system without `register` has no button and no address for it."""

    class Registry:
        async def visits(self):
            return []

    entry.desks["gate"] = Registry()
    assert entry.visitors.walk_ins() == ["front"]
    for desk in ("gate", "nowhere"):
        with pytest.raises(KeyError):
            await entry.visitors.register(desk, somebody(entry), "office")
