"""Who comes to the desk unannounced, and the badges that the desk gives."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from test_desk import LIST, Office

from hub import Refused, WalkIn

MARIA = ("Maria Lopez", "Class 4b", "Brings a lunch box")


@pytest.fixture
async def office(tmp_path):
    """An office whose desk is open, and knows whom not to admit."""
    made = Office(tmp_path, stopped="name,reason\nMaria Lopez,Court order\n")
    await made.desk.start()
    yield made
    await made.desk.close()


def walk_in(office, who=MARIA, **span):
    return WalkIn(*who, office.clock.now() + timedelta(**(span or {"hours": 1})))


async def test_who_comes_unannounced_is_on_the_list_and_not_in(office):
    """Registered is expected now, by name, host and reason; in is who was checked in, as ever."""
    visit = await office.desk.register(walk_in(office))
    assert (visit.state, visit.badge, office.events) == ("expected", "", [])
    assert await office.find("Maria Lopez") == visit
    here = await office.desk.check_in(visit.id)
    assert (here.visitor, here.host, here.purpose, here.badge) == (*MARIA, "1")
    assert office.told() == [("visitor.checked_in", "Maria Lopez")]
    assert office.events[0].data["badge"] == "1"
    await office.desk.check_out(visit.id)
    again = await office.desk.register(walk_in(office))
    assert again.id != visit.id


async def test_nobody_is_on_the_list_twice(office):
    """Pressed twice is one visit, whatever the capitals; the same name for another host is two."""
    visit = await office.desk.register(walk_in(office))
    shouted = walk_in(office, ("MARIA LOPEZ", "class 4B", ""))
    with pytest.raises(Refused, match="on the list of the expected already"):
        await office.desk.register(shouted)
    await office.desk.check_in(visit.id)
    with pytest.raises(Refused, match="already checked in"):
        await office.desk.register(shouted)
    other = await office.desk.register(walk_in(office, ("Maria Lopez", "Class 1a", "")))
    assert other.id != visit.id
    with pytest.raises(Refused, match="that time is over"):
        await office.desk.register(walk_in(office, ("Late", "Office", ""), minutes=-1))


async def test_father_and_son_of_one_name_may_both_visit(office):
    """Once somebody has said how many others there are of the name, one more is entered, and one
    alone: pressed twice is refused again. Each has a badge of their own and leaves by themselves.
    """
    father = await office.desk.check_in((await office.desk.register(walk_in(office))).id)
    another = replace(walk_in(office), namesakes=1)
    son = await office.desk.register(another)
    assert son.id != father.id
    with pytest.raises(Refused, match="already checked in"):
        await office.desk.register(another)
    son = await office.desk.check_in(son.id)
    assert (father.badge, son.badge) == ("1", "2")
    assert (await office.desk.screen(son.visitor)).match
    await office.desk.check_out(son.id)
    states = {each.id: each.state for each in await office.desk.visits()}
    assert (states[father.id], states[son.id]) == ("here", "left")
    grandson = await office.desk.register(replace(walk_in(office), namesakes=1))
    assert grandson.id not in (father.id, son.id)


async def test_badges_count_through_the_day(office):
    """No two of a day are alike, also after somebody left and after a restart; who stays over
    night keeps theirs, and the next day goes on after it.
    """
    for number, who in enumerate(("Reading volunteer", "Piano tuner, Main hall"), 1):
        here = await office.desk.check_in((await office.find(who)).id)
        assert here.badge == str(number)
    await office.desk.check_out((await office.find("Reading volunteer")).id)
    await office.desk.close()
    office.desk = office.open()
    await office.desk.start()
    third = await office.desk.register(walk_in(office))
    assert (await office.desk.check_in(third.id)).badge == "3"
    await office.desk.check_out(third.id)
    await office.desk.close()
    await office.clock.advance(86400)
    await office.desk.start()
    next_day = await office.desk.register(walk_in(office))
    assert (await office.desk.check_in(next_day.id)).badge == "3", "the tuner still wears 2"


async def test_who_was_registered_and_never_came_in_is_forgotten(office):
    """Somebody who was sent away is on the list of that day alone, and in the book for a week."""
    await office.desk.register(walk_in(office))
    await office.desk.close()
    await office.clock.advance(2 * 86400)
    await office.desk.start()
    assert "Maria Lopez" not in [each.visitor for each in await office.desk.visits()]
    await office.desk.close()
    await office.clock.advance(7 * 86400)
    await office.desk.start()
    await office.desk.register(walk_in(office, ("Somebody else", "Office", "")))
    kept = json.loads((office.folder / "state" / "visits.json").read_text(encoding="utf-8"))
    assert [each["visitor"] for each in kept["visits"]] == ["Somebody else"]


async def test_a_book_of_before_there_were_badges_is_read(tmp_path):
    """Whoever was here when the hub was brought up to date is here after it, without a number."""
    office = Office(tmp_path, LIST)
    await office.desk.start()
    await office.desk.check_in((await office.find("Reading volunteer")).id)
    await office.desk.close()
    file = tmp_path / "state" / "visits.json"
    kept = json.loads(file.read_text(encoding="utf-8"))
    for each in kept["visits"]:
        del each["badge"]
    file.write_text(json.dumps(kept), encoding="utf-8")
    office.desk = office.open()
    await office.desk.start()
    assert (await office.find("Reading volunteer")).state == "here"
    assert (await office.desk.check_in((await office.find("Night cleaner")).id)).badge == "1"
    await office.desk.close()
