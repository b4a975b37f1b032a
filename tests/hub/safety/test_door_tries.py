"""A door that keeps failing is told once with a count; each try stays in the journal."""

from pathlib import Path
from typing import Any

from door_school import DoorSchool, door_school
from safety_school import SCHOOL
from sqlalchemy import select

from hub.events import Event
from hub.safety.doors.past import MOST, door_past
from hub.storage.audit_tables import lines

DOOR = "wing_east"
DOORS: dict[str, Any] = {DOOR: SCHOOL["doors"][DOOR]}


async def audited(house: DoorSchool) -> list[tuple[str, str]]:
    """Each line of the audit about the door: what, and how it ended."""

    def work(connection: Any) -> list[tuple[str, str]]:
        wanted = select(lines.c.act, lines.c.outcome).where(lines.c.subject == DOOR)
        return [tuple(row) for row in connection.execute(wanted.order_by(lines.c.number))]

    return await house.journal.read(work)


async def past(house: DoorSchool) -> list[str]:
    """What the door's page says, newest first."""
    found = await door_past(house.journal, lambda: house.intake.words, DOOR)
    return [each["text"] for each in found]


async def tries(house: DoorSchool) -> int:
    """How many commands the journal has of the door."""
    return len(await house.told("action.requested"))


async def failing(house: DoorSchool, minutes: int) -> None:
    """A protocol wants a jammed door locked, for so long."""
    house.lock.locks[DOOR] = "unlocked"
    house.lock.jammed.add(DOOR)
    await house.want(DOOR, "lock", "protocol", "p1")
    await house.pass_time(60 * minutes)


async def test_a_quarter_of_an_hour_of_tries_adds_no_line_to_the_audit(tmp_path: Path) -> None:
    """What was asked and each way in which it failed has one; every try and every answer is an
    event.
    """
    async with door_school(tmp_path, doors=DOORS) as house:
        await failing(house, 3)
        early, asked = await audited(house), await tries(house)
        await house.pass_time(12 * 60)
        assert await audited(house) == early
        assert early == [("door.asked", "asked"), ("door.answered", "failed"),
                         ("door.answered", "no answer")]  # fmt: skip
        assert await tries(house) >= asked + 20
        ended = await house.told("action.failed", "action.timed_out")
        assert len(ended) >= await tries(house) - 1
        assert [event.data["tries"] for event in ended[1:]] == list(range(2, len(ended) + 1))


async def test_the_doors_page_tells_the_first_failure_and_a_count(tmp_path: Path) -> None:
    """What was asked and what came first stand there still, with how often since and until when."""
    async with door_school(tmp_path, doors=DOORS) as house:
        await failing(house, 20)
        said = await past(house)
        assert len(said) < 8 < MOST
        assert "asked to lock" in said[-1]
        (told,) = [each for each in said if "times more, until 20:3" in each]
        count = await tries(house)
        assert f"asked {count - 3} times more" in told or f"asked {count - 2} times more" in told


async def test_what_changed_is_told_and_that_it_works(tmp_path: Path) -> None:
    """Another way of failing is a line, the same again none; locked at last is one, with how many
    tries that took, in the story too.
    """
    async with door_school(tmp_path, doors=DOORS) as house:
        await failing(house, 3)
        before = len(await audited(house))
        house.lock.jammed.clear()
        house.lock.deaf.add(DOOR)
        house.lock.says(DOOR, lock="unlocked", answers=True)
        await house.pass_time(120)
        changed = await audited(house)
        assert 1 <= len(changed) - before <= 2, "what it says now is another reason"
        await house.pass_time(120)
        assert await audited(house) == changed
        house.lock.deaf.clear()
        await house.pass_time(60)
        assert (await audited(house))[len(changed) :] == [("door.answered", "confirmed")]
        (agrees,) = await house.told("door.agrees")
        count = await tries(house)
        assert agrees.data["tries"] == count
        assert house.intake.words.sentence(agrees)[0].endswith(f"after {count} tries")


async def test_a_restart_goes_on_counting(tmp_path: Path) -> None:
    """The hub that starts again asks again, counts on, and tells no old news."""
    async with door_school(tmp_path, doors=DOORS) as house:
        await failing(house, 3)
        early, asked, clock, locks = (
            await audited(house), await tries(house), house.clock, house.locks,
        )  # fmt: skip
    async with door_school(tmp_path, clock, locks, doors=DOORS) as house:
        await house.pass_time(120)
        assert (await audited(house))[: len(early)] == early
        assert len(await audited(house)) <= len(early) + 1
        newest = (await house.told("action.requested"))[-1]
        assert newest.data["tries"] == await tries(house) > asked


async def test_a_door_that_has_failed_for_long_is_still_counted(tmp_path: Path) -> None:
    """Where the first failure is too long ago for the page, it says how often it was asked."""
    async with door_school(tmp_path, doors=DOORS) as house:
        facts = {"kind": "door", "target": DOOR, "verb": "lock", "by": "head", "detail": "stuck"}
        events = [
            Event("action.failed", "hub/actions", house.clock.now(), DOOR,
                  {**facts, "tries": number, "same": True})
            for number in range(2, 400)
        ]  # fmt: skip
        await house.intake.accept(*events)
        assert (await past(house))[-1].endswith("asked 399 times")
