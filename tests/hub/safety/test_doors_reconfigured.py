"""Doors under another configuration: what stays is remembered, what goes ends, nothing is lost."""

from test_doors import House, ScriptedController, config, house, running

from hub.campus import Campus

__all__ = ["house"]
FREE = {"egress": "free"}


def reconfigure(house: House, **doors) -> None:
    """The configuration changes to these doors."""
    made = config(**doors)
    house.doors.reconfigure(made, Campus(made.places))


async def test_a_door_that_stays_is_remembered(house):
    """Its name and patience change; what is known of it does not, and nothing is told."""
    await house.hears(lock="locked", position="closed")
    before = house.told()
    reconfigure(house, main={**FREE, "name": "Main entrance", "held_after": 5})
    view = house.view()
    assert view["name"] == "Main entrance"
    assert view["conclusion"] == "secured"
    await house.clock.advance(2)
    assert house.told() == before
    await house.hears(position="open")
    assert house.events[-1].data["name"] == "Main entrance"


async def test_the_new_patience_holds_at_once(house):
    """A door that may stand open for five seconds now is told after five."""
    await house.hears(lock="unlocked", position="open")
    reconfigure(house, main={**FREE, "held_after": 5})
    for _ in range(8):
        await house.clock.advance(1)
        house.panel.says("main", lock="unlocked", position="open")
    assert "door.held" in house.told()


async def test_a_new_door_is_asked_and_takes_commands(house):
    """It has its controller from the start, and knows nothing yet."""
    reconfigure(house, main=FREE, back=FREE)
    assert house.view("back")["conclusion"] == "unknown"
    ending = await house.asks("back", "lock", "k1", 8.0)
    assert house.panel.commands == [("back", "lock", "k1")]
    await house.hears("back", lock="locked", position="closed")
    assert (await ending).state == "confirmed"


async def test_a_door_that_goes_ends_its_command(house):
    """Who waits for it hears at once that it is gone; its reports are no news any more."""
    ending = await house.asks("main", "lock", "k1", 8.0)
    reconfigure(house, back=FREE)
    outcome = await ending
    assert (outcome.state, outcome.detail) == ("failed", "its configuration was changed meanwhile")
    await house.hears("main", lock="locked")
    assert [view["id"] for view in house.doors.views()] == ["back"]
    assert house.doors.counts()["strange_reports"] == 1


async def test_law_1_a_door_that_loses_its_attested_egress_takes_no_lock_verb_from_then_on(house):
    """The new configuration's word about leaving counts from the next command."""
    reconfigure(house, main={})
    outcome = await house.doors.perform("main", "lock", "k1", 8.0)
    assert outcome.state == "failed"
    assert "egress: free" in outcome.detail
    assert house.panel.commands == []


async def test_a_command_outlives_its_controller(house):
    """A lock that is turning while its controller is replaced is asked through the new one, and
    confirmed by its own word.
    """
    ending = await house.asks("main", "lock", "k1", 8.0)
    assert house.panel.commands == [("main", "lock", "k1")]
    new = ScriptedController(house.clock)
    house.doors.attach("panel", new)
    house.tasks[0].cancel()
    house.panel = new
    house.watch()
    await house.clock.advance(1.5)
    assert new.asked, "the new controller is asked"
    assert new.commands == [], "and not told twice"
    await house.hears(lock="locked", position="closed")
    assert (await ending).state == "confirmed"


async def test_between_two_controllers_a_command_waits(house):
    """While none is there the command is tried again, and goes out through the next."""
    house.doors.detach("panel")
    assert house.view()["verbs"] == []
    assert (await house.doors.perform("main", "lock", "k0", 8.0)).state == "failed"
    house.doors.attach("panel", house.panel)
    house.panel.on_command = refuse_once(house)
    ending = await house.asks("main", "lock", "k1", 8.0)
    await house.clock.advance(1.0)
    assert house.panel.commands[-1] == ("main", "lock", "k1")
    await house.hears(lock="locked", position="closed")
    assert (await ending).state == "confirmed"


def refuse_once(house):
    """The controller is taken away in the middle of handing over, and is back when tried again."""
    from hub import NotReady

    async def on_command(door, verb):
        if len(house.panel.commands) == 1:
            raise NotReady("it is being replaced")

    return on_command


async def test_a_door_that_changes_its_controller_starts_from_nothing():
    """What the old lock said is not taken for the new one's word."""
    from hub.testing import FakeClock

    async with running(House(FakeClock(), main=FREE)) as house:
        other = ScriptedController(house.clock)
        house.doors.attach("other", other)
        await house.hears(lock="locked", position="closed")
        ending = await house.asks("main", "unlock", "k1", 8.0)
        reconfigure(house, main={**FREE, "controller": "other"})
        assert (await ending).state == "failed"
        assert house.view()["conclusion"] == "unknown"
        await house.asks("main", "lock", "k2", 8.0)
        assert other.commands == [("main", "lock", "k2")]
