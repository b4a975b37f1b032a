import asyncio
import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from hub import BadConfig, Context, NotReady, Refused, StateError, VisitorSystem
from hub.testing import FakeClock
from plugins.visitors.desk import Desk, DeskConfig, vestibule_visitors

HEAD = "visitor,host,purpose,from,until\n"
LIST = (
    HEAD
    + "Reading volunteer,Library,Reading hour,09:00,10:30\n"
    + '"Piano tuner, Main hall",Music department,Tuning,08:30,12:00\n'
    + "Night cleaner,Caretaker,Cleaning,22:00,02:00\n"
    + "School inspector,Principal,Inspection,2026-03-03 08:00,2026-03-03 15:00\n"
)


class Office:
    """A desk with its files, a clock at 08:00 on a Monday, and what it published."""

    def __init__(self, folder, text=LIST, timezone="UTC", start=None, stopped=None):
        self.folder = folder
        self.list = folder / "visitors.csv"
        self.list.write_text(text, encoding="utf-8")
        self.events = []
        self.clock = FakeClock(start or datetime(2026, 3, 2, 8, 0, tzinfo=UTC))
        self.timezone = timezone
        self.stopped = stopped
        if stopped is not None:
            (folder / "stop.csv").write_text(stopped, encoding="utf-8")
        self.desk = self.open()

    def open(self):
        context = Context(
            "front", clock=self.clock, state=self.folder / "state", config_folder=self.folder,
            timezone=self.timezone, publish=self.publish,
        )  # fmt: skip
        stop = None if self.stopped is None else "stop.csv"
        return Desk(DeskConfig(file="visitors.csv", do_not_admit=stop), context)

    async def publish(self, *events):
        self.events.extend(events)

    async def find(self, visitor):
        return next(v for v in await self.desk.visits() if v.visitor == visitor)

    def told(self):
        return [(event.type, event.data["visitor"]) for event in self.events]

    async def passes(self, **span):
        """Time passes in the desk's own steps, with its writes to disk done."""
        for _ in range(int(timedelta(**span).total_seconds() // 60)):
            await self.clock.advance(60)
        await self.settle()

    async def settle(self):
        for _ in range(3):
            await asyncio.sleep(0.02)
            await self.clock.advance(6)


@pytest.fixture
async def office(tmp_path):
    """An office whose desk is open."""
    made = Office(tmp_path)
    await made.desk.start()
    yield made
    await made.desk.close()


def test_the_driver_keeps_the_contract(tmp_path):
    """One driver named desk, whose instances are visitor systems."""
    (driver,) = vestibule_visitors()
    assert driver.name == "desk"
    assert isinstance(driver.factory(DeskConfig(file="x.csv"), Context("d")), VisitorSystem)


async def test_times_of_day_make_the_list_valid_every_day(office):
    """Daily rows appear today by expected time, past midnight included; dated rows on their day."""
    today = [visit.visitor for visit in await office.desk.visits()]
    assert today == [
        "Night cleaner",
        "Piano tuner, Main hall",
        "Reading volunteer",
        "Night cleaner",
    ]
    night = (await office.desk.visits())[-1]
    assert night.until - night.expected == timedelta(hours=4)
    await office.desk.close()
    await office.clock.advance(86400)
    assert "School inspector" in [visit.visitor for visit in await office.desk.visits()]


async def test_times_are_those_of_the_site(tmp_path):
    """Nine o'clock in the list is nine o'clock at the school."""
    office = Office(tmp_path, timezone="America/Chicago")
    await office.desk.start()
    reading = await office.find("Reading volunteer")
    assert reading.expected == datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
    await office.desk.close()


async def test_a_visit_goes_in_and_out_once(office):
    """Expected, here, left; each step told; every wrong step is refused with words."""
    visit = await office.find("Reading volunteer")
    assert visit.state == "expected"
    with pytest.raises(Refused, match="is not here"):
        await office.desk.check_out(visit.id)
    here = await office.desk.check_in(visit.id)
    assert (here.state, here.arrived) == ("here", office.clock.now())
    with pytest.raises(Refused, match="already checked in"):
        await office.desk.check_in(visit.id)
    gone = await office.desk.check_out(visit.id)
    assert gone.state == "left"
    with pytest.raises(Refused, match="already left"):
        await office.desk.check_in(visit.id)
    with pytest.raises(Refused, match="no visit of today"):
        await office.desk.check_in("nonsense")
    assert office.told() == [
        ("visitor.checked_in", "Reading volunteer"),
        ("visitor.checked_out", "Reading volunteer"),
    ]
    event = office.events[0]
    assert (event.source, event.subject, event.data["desk"]) == (
        "visitors/front",
        visit.id,
        "front",
    )


async def test_two_hands_on_one_visit_check_in_once(office):
    """Two presses at the same moment: one counts, the other is refused."""
    visit = await office.find("Reading volunteer")
    done = await asyncio.gather(
        *(office.desk.check_in(visit.id) for _ in range(2)), return_exceptions=True
    )
    assert sum(isinstance(one, Refused) for one in done) == 1
    assert len(office.events) == 1


async def test_a_restart_forgets_nobody_who_is_here(office):
    """Who is in the building survives, even when taken off the list, and on the next day."""
    visit = await office.find("Piano tuner, Main hall")
    await office.desk.check_in(visit.id)
    await office.desk.close()
    office.list.write_text(HEAD)
    await office.clock.advance(86400)
    office.desk = office.open()
    await office.desk.start()
    (still,) = await office.desk.visits()
    assert (still.id, still.state) == (visit.id, "here")
    assert (await office.desk.check_out(visit.id)).state == "left"


async def test_an_overstay_is_told_once_over_restarts(office):
    """Past the agreed time it is an event, once per visit, restarts included."""
    visit = await office.find("Reading volunteer")
    await office.desk.check_in(visit.id)
    await office.passes(hours=2, minutes=29)
    assert len(office.events) == 1
    await office.passes(minutes=5)
    await office.passes(minutes=30)
    assert office.told().count(("visitor.overstayed", "Reading volunteer")) == 1
    await office.desk.close()
    office.desk = office.open()
    await office.desk.start()
    await office.settle()
    assert office.told().count(("visitor.overstayed", "Reading volunteer")) == 1


@pytest.mark.parametrize("ahead", [timedelta(hours=3), timedelta(days=60)])
async def test_a_clock_that_is_set_ahead_makes_nobody_late(office, ahead):
    """Whoever came for two and a half hours is late once those are over, and then they are."""
    visit = await office.find("Reading volunteer")
    await office.desk.check_in(visit.id)
    await office.passes(minutes=10)
    office.clock.set(office.clock.now() + ahead)
    await office.passes(hours=2, minutes=19)
    late = ("visitor.overstayed", "Reading volunteer")
    assert late not in office.told()
    await office.passes(minutes=2)
    assert late in office.told()


async def test_who_left_in_time_never_overstays(office):
    """Checked out visits and those that never came tell nothing."""
    visit = await office.find("Reading volunteer")
    await office.desk.check_in(visit.id)
    await office.desk.check_out(visit.id)
    await office.passes(hours=6)
    assert "visitor.overstayed" not in [event.type for event in office.events]


async def test_law_6_an_overstay_waits_for_the_journal_under_one_id(office):
    """While the journal takes nothing it is tried again, with the same event id."""
    visit = await office.find("Reading volunteer")
    await office.desk.check_in(visit.id)
    tried = []

    async def broken(event):
        tried.append(event.id)
        raise OSError("disk full")

    object.__setattr__(office.desk._context, "publish", broken)
    await office.passes(hours=2, minutes=32)
    assert len(tried) > 1
    assert len(set(tried)) == 1


async def test_a_changed_list_is_read_again_and_a_broken_one_is_not_taken(office):
    """New rows appear; after a bad edit the last good list stays."""
    office.list.write_text(HEAD + "Nurse trainee,Nurse,Training,08:00,16:00\n")
    assert [visit.visitor for visit in await office.desk.visits()] == ["Nurse trainee"] * 1
    office.list.write_text(HEAD + "Broken,Nurse,Training,8 o'clock,16:00\n")
    os.utime(office.list, ns=(1, 1))
    assert [visit.visitor for visit in await office.desk.visits()] == ["Nurse trainee"]
    office.list.unlink()
    assert [visit.visitor for visit in await office.desk.visits()] == ["Nurse trainee"]


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("", ":1:1:", "expected visitor, host, purpose, from, until"),
        ("visitor,host\n", ":1:1:", "has the columns visitor, host"),
        (HEAD + "A,B,C,nine,10:00\n", ":2:7: from:", "'nine' is no time"),
        (HEAD + "A,B,C,25:00,26:00\n", ":2:7: from:", "is no time"),
        (HEAD + "A,B,C,2026-02-30 08:00,2026-03-01 08:00\n", ":2:7: from:", "is no time"),
        (HEAD + ",B,C,09:00,10:00\n", ":2:1: visitor:", "is empty"),
        (HEAD + "A,B,C,09:00\n", ":2:1:", "has 4 values; expected 5"),
        (HEAD + "A,B,C,2026-03-03 09:00,10:00\n", ":2:24: until:", "in both"),
        (HEAD + "A,B,C,2026-03-03 09:00,2026-03-03 08:00\n", ":2:24: until:", "after `from`"),
        (HEAD + "A,B,C,09:00,10:00\n" * 2, ":3:1: visitor:", "the same as line 2"),
        (HEAD + '"A,B,C,09:00,10:00\n', ":2:1:", "is not CSV"),
    ],
)
async def test_a_bad_list_is_named_by_file_line_and_column(tmp_path, text, where, words):
    """The desk says which line is wrong, and what was expected there."""
    office = Office(tmp_path, text=text)
    with pytest.raises(BadConfig) as caught:
        await office.desk.start()
    assert str(caught.value).startswith(f"{office.list}{where}")
    assert words in str(caught.value)


async def test_all_bad_rows_are_named_at_once(tmp_path):
    """One look at the message is enough to mend the whole file."""
    office = Office(tmp_path, text=HEAD + "A,B,C,x,10:00\nA,B,C,09:00,y\n")
    with pytest.raises(BadConfig) as caught:
        await office.desk.start()
    assert [problem.line for problem in caught.value.problems] == [2, 3]


async def test_a_list_from_a_spreadsheet_is_read(tmp_path):
    """A byte order mark, Windows line ends, blank lines and other column order are fine."""
    office = Office(tmp_path)
    text = "Until,From,Visitor,Host,Purpose\r\n10:00,09:00,Zoë,Office,\r\n,,,,\r\n"
    office.list.write_bytes(b"\xef\xbb\xbf" + text.encode())
    await office.desk.start()
    assert [visit.visitor for visit in await office.desk.visits()] == ["Zoë"]
    await office.desk.close()


async def test_not_text_and_not_there_are_said(tmp_path):
    """A binary file or a missing one is a problem of the configuration, not a crash."""
    office = Office(tmp_path)
    office.list.write_bytes(b"PK\x03\x04\xff\xfe")
    with pytest.raises(BadConfig, match="not UTF-8"):
        await office.desk.start()
    office.list.unlink()
    with pytest.raises(BadConfig, match="cannot be read"):
        await office.desk.start()


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("Barred Person", True),
        ("person, barred", True),
        ("BÁRRED   PERSON", True),
        ("Mr. Barred Person", True),
        ("Barred Middle Person", True),
        ("B. Person", True),
        ("Person, Barred (a parent)", True),
        ("Barred-Person", True),
        ("Ba\u2019rred Per\u200bson", True),
        ("Barredperson", True),
        ("Barred", False),
        ("B. P.", False),
        ("Another Person", False),
        ("Barred Persons", False),
        ("", False),
    ],
)
async def test_a_match_only_asks(tmp_path, name, match):
    """Spelling variants match; a match is a question with its reason, and stops nobody."""
    stopped = "name,reason\nBarred Person,Court order\n"
    office = Office(tmp_path, stopped=stopped, text=HEAD + "Barred Person,Office,,09:00,10:00\n")
    await office.desk.start()
    found = await office.desk.screen(name)
    assert found.match is match
    assert ("Court order" in found.reason) is match
    visit = await office.find("Barred Person")
    assert (await office.desk.check_in(visit.id)).state == "here"
    await office.desk.close()


@pytest.mark.parametrize(
    ("listed", "name"),
    [
        ("Müller Überall", "Mueller Ueberall"),
        ("Müller Überall", "muller uberall"),
        ("Løve Søster", "Love Soster"),
        ("Łódź Straße", "Lodz Strasse"),
        ("Ana María de la Noria", "Noria, Ana"),
        ("O'Nobody Un", "ONobody, Un"),
        ("Un-Nobody Some", "Some Un Nobody"),
    ],
)
async def test_a_name_written_another_way_asks(tmp_path, listed, name):
    """Accents written out, letters no keyboard has, and names left out do not hide anybody."""
    office = Office(tmp_path, stopped=f"name,reason\n{listed},\n")
    await office.desk.start()
    assert (await office.desk.screen(name)).match
    assert not (await office.desk.screen("Reading volunteer")).match
    await office.desk.close()


async def test_a_do_not_admit_list_that_cannot_be_read_has_a_person_look(tmp_path):
    """After a bad edit what it said still holds, and whom it may hold now a person has to ask."""
    office = Office(tmp_path, stopped="name,reason\nBarred Person,Court order\n")
    await office.desk.start()
    assert not (await office.desk.screen("Reading volunteer")).match
    (tmp_path / "stop.csv").write_text("name,reason\nBarred Person,Court order\nNew,One,Too many\n")
    found = await office.desk.screen("Reading volunteer")
    assert found.match
    assert "stop.csv, cannot be read" in found.reason
    assert "Court order" in (await office.desk.screen("Barred Person")).reason
    office.list.write_text(HEAD + "Broken,Nurse,Training,8 o'clock,16:00\n")
    (tmp_path / "stop.csv").write_text("name,reason\nNew One,Custody\n")
    assert "Custody" in (await office.desk.screen("New One")).reason
    assert not (await office.desk.screen("Reading volunteer")).match
    await office.desk.close()


async def test_damaged_state_is_said_and_kept(tmp_path):
    """Who is here is never silently forgotten: a damaged file stops the desk with its name."""
    office = Office(tmp_path)
    (tmp_path / "state").mkdir()
    file = tmp_path / "state" / "visits.json"
    file.write_text(json.dumps({"visits": [{"id": 1}]}))
    with pytest.raises(StateError, match=r"visits\.json"):
        await office.desk.start()
    assert file.exists()


async def test_an_unwritable_disk_checks_nobody_in(office):
    """What could not be kept did not happen."""
    visit = await office.find("Reading volunteer")
    (office.folder / "state").write_text("a file where the folder should be")
    with pytest.raises(NotReady):
        await office.desk.check_in(visit.id)
    assert (await office.find("Reading volunteer")).state == "expected"
    assert office.events == []
