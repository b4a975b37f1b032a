"""Visitors at real desks: compared with the lists before they are in, and while they are here."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from hub import Context, NotReady, Refused
from hub.secrets import Secrets
from hub.storage.audit_tables import lines
from hub.storage.database import open_engine
from hub.testing import FakeClock
from hub.visitors import Visitors
from hub.visitors_port import Matched
from plugins.visitors.desk import Desk, DeskConfig

LIST = (
    "visitor,host,purpose,from,until\n"
    "Barred Person,Office,Talk,09:00,10:00\nPlumber,Office,,08:00,12:00\n"
)


class Entry:
    """A front desk with its do-not-admit list, and the events that were accepted."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "visitors.csv").write_text(LIST)
        self.stop("Barred Person,Court order")
        self.clock = FakeClock(datetime(2026, 3, 2, 8, 0, tzinfo=UTC))
        self.events = {}
        context = Context(
            "front", clock=self.clock, state=folder / "state", config_folder=folder,
            timezone="UTC", publish=self.accept,
        )  # fmt: skip
        self.desk = Desk(DeskConfig(file="visitors.csv", do_not_admit="stop.csv"), context)
        self.config = SimpleNamespace(visitors={"front": SimpleNamespace(enabled=True)})
        self.desks = {"front": self.desk}
        self.engine = open_engine(folder / "journal.db")
        self.visitors = Visitors(
            self.desks, lambda: self.config, self.clock, self.accept, self.write, Secrets()
        )

    def stop(self, *rows):
        (self.folder / "stop.csv").write_text("\n".join(["name,reason", *rows, ""]))

    async def write(self, work):
        with self.engine.begin() as connection:
            work(connection)

    def audited(self):
        """Who did what at the desk, by the audit."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(lines.c.act, lines.c.who))
            return [tuple(row) for row in rows]

    async def accept(self, *events):
        for event in events:
            self.events.setdefault(event.id, event)

    async def find(self, visitor):
        return next(v["id"] for v in await self.visitors.visits() if v["visitor"] == visitor)

    def told(self):
        return [(event.type, event.data.get("by", "")) for event in self.events.values()]


@pytest.fixture
async def entry(tmp_path):
    """An entry whose desk is open."""
    made = Entry(tmp_path)
    await made.desk.start()
    yield made
    await made.desk.close()
    made.engine.dispose()


async def test_a_name_on_the_list_is_not_checked_in_by_a_press(entry):
    """It asks, once for all presses; nobody is in before a person has said how they know."""
    visit = await entry.find("Barred Person")
    for empty in ("", "", "  "):
        with pytest.raises(Matched, match="Court order"):
            await entry.visitors.check_in("front", visit, "office", empty)
    assert entry.told() == [("visitor.matched", "office")]
    assert (await entry.visitors.match("front", visit))["reason"].endswith("Court order")
    here = await entry.visitors.check_in("front", visit, "office", "Another birthday on the card")
    assert here["state"] == "here"
    assert [type_ for type_, _ in entry.told()] == [
        "visitor.matched", "visitor.admitted", "visitor.checked_in",
    ]  # fmt: skip
    admitted = list(entry.events.values())[1]
    assert (admitted.data["by"], admitted.data["detail"]) == (
        "office",
        "Another birthday on the card",
    )


async def test_anybody_else_is_checked_in_at_once(entry):
    """No question where no list has the name; what cannot be is refused as ever."""
    visit = await entry.find("Plumber")
    assert (await entry.visitors.check_in("front", visit, "office"))["state"] == "here"
    with pytest.raises(Refused, match="already checked in") as refused:
        await entry.visitors.check_in("front", visit, "office")
    assert not isinstance(refused.value, Matched)
    with pytest.raises(Refused, match="no visit of today"):
        await entry.visitors.check_in("front", "nonsense", "office")
    with pytest.raises(KeyError):
        await entry.visitors.check_in("gate", visit, "office")
    assert entry.told() == [("visitor.checked_in", "")]
    await entry.visitors.check_out("front", visit, "night desk")
    assert entry.audited() == [("visit.checked_in", "office"), ("visit.checked_out", "night desk")]


async def test_lists_that_do_not_answer_have_a_person_look(entry):
    """What nobody could compare is no clean name."""

    async def gone(visitor):
        raise NotReady("the registry is away")

    entry.desk.screen = gone
    visit = await entry.find("Plumber")
    with pytest.raises(Matched, match="could not be compared"):
        await entry.visitors.check_in("front", visit, "office")
    admitted = await entry.visitors.check_in("front", visit, "office", "Known here for years")
    assert admitted["state"] == "here"


async def test_who_is_put_on_the_list_while_here_is_told(entry):
    """Somebody who is in the building already is an event with the next look, once."""
    visit = await entry.find("Plumber")
    await entry.visitors.check_in("front", visit, "office")
    await entry.visitors.compare_present()
    assert entry.told() == [("visitor.checked_in", "")]
    entry.stop("Plumber,Removed from the grounds")
    await entry.visitors.compare_present()
    await entry.visitors.compare_present()
    assert entry.told() == [("visitor.checked_in", ""), ("visitor.matched", "")]


async def test_a_desk_that_is_down_is_named_and_hides_no_other(entry):
    """The visitors of the others are shown, and the silent desk is told apart from an empty one."""
    assert entry.visitors.silent() == []
    entry.config.visitors["gate"] = SimpleNamespace(enabled=True)
    assert entry.visitors.silent() == ["gate"]
    other = Desk(
        DeskConfig(file="none.csv"),
        Context("gate", clock=entry.clock, state=entry.folder / "gate", config_folder=entry.folder),
    )
    entry.desks["gate"] = other
    assert len(await entry.visitors.visits()) == 2
    assert entry.visitors.silent() == ["gate"]
