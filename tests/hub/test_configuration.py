"""A running hub and its changing file: what ran never stops for a mistake, and nothing moves that
did not change.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hub.app import Hub
from hub.chosen import Chosen, choose
from hub.errors import CannotCheck, Refused
from hub.events import Event
from hub.kept import KeptConfigs
from hub.secrets import Secrets
from hub.storage.folder import StateFolder

SCHOOL = """\
hub: {name: Tiny, timezone: Europe/Berlin}
places:
  site: {name: School, kind: site}
  hall: {name: Hall, kind: room, in: site}
access_control:
  panel: {driver: simulated}
doors:
  front: {name: Front, controller: panel, place: hall, egress: free, device: {behaviour: prompt}}
notifiers:
  lamp: {driver: lamp}
  logbook: {driver: logbook}
people:
  guard: {name: Guard, role: sro}
rules:
  forced:
    name: Forced
    when: door.forced
    alert: {severity: high, tell: [guard], through: [lamp]}
"""

LAMP = '''\
"""A channel that is awkward on request."""
from hub import BadConfig, Block, Channel, Driver, NotReady, Problem, Receipt, hookimpl

class Config(Block):
    colour: str = "green"
    password: str = ""

class Lamp:
    @property
    def channel(self):
        if self.colour == "mute":
            raise RuntimeError("it does not say what it is")
        return Channel(path="lan")

    def __init__(self, config, context):
        if config.colour == "unbuildable":
            raise RuntimeError("no such bulb")
        self.colour = config.colour
        self.started = False

    async def start(self):
        if self.colour == "unstartable":
            raise BadConfig([Problem("lamp.py", 1, 1, "colour", "does not exist; expected green")])
        if self.colour == "absent":
            raise NotReady("the lamp does not answer")
        self.started = True

    async def send(self, notice):
        if not self.started:
            raise NotReady("not started")
        return Receipt("accepted")

    async def close(self):
        self.started = False

@hookimpl
def vestibule_notifiers():
    return [Driver("lamp", Lamp, Config, "Shows a colour")]
'''


class House:
    """A folder with a configuration and the hubs that run on it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "etc" / "school.yaml"
        self.folder = StateFolder(folder / "state")
        self.kept = KeptConfigs(self.folder.configs)
        self.secrets = Secrets()
        (folder / "etc" / "my_plugins").mkdir(parents=True)
        (folder / "etc" / "my_plugins" / "lamp.py").write_text(LAMP)
        self.write(SCHOOL)

    def write(self, text: str) -> None:
        """Save the file."""
        self.file.write_text(text)

    def edit(self, old: str, new: str) -> None:
        """Save it with one thing changed."""
        text = self.file.read_text()
        assert text.count(old) == 1, old
        self.write(text.replace(old, new))

    def choose(self) -> Chosen | None:
        """What a start would take."""
        return choose(self.file, self.kept, self.secrets)[0]

    @asynccontextmanager
    async def hub(self) -> AsyncIterator[Hub]:
        """A hub on it, until the end of the block."""
        chosen = self.choose()
        assert chosen is not None
        with self.folder.lock():
            async with Hub(chosen, self.folder, self.file, secrets=self.secrets) as hub:
                await until(
                    lambda: (
                        self.kept.of(self.file) != []
                        or bool(chosen.trouble)
                        or any(view["state"] == "failed" for view in hub.drivers.views())
                    )
                )
                yield hub


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A house whose file is sound."""
    return House(tmp_path)


async def until(holds: Callable[[], bool], within_s: float = 60.0) -> None:
    """Let the hub work until something holds."""
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.01)


async def reload(hub: Hub, *, confirmed: bool = True) -> dict[str, Any]:
    """Look and apply, as a person does who confirms everything."""
    plan = await hub.configuration.look()
    assert plan["valid"], plan["problems"]
    return dict(await hub.configuration.apply(plan["id"], "it", confirmed=confirmed))


async def events(hub: Hub, kind: str) -> list[Any]:
    """The journaled events of a type."""
    return [event for _, event in await hub.intake.past_events(0) if event.type == kind]


def forced(hub: Hub) -> Event:
    """The front door was opened by force."""
    data = {"door": "front", "place": "hall"}
    return Event("door.forced", "door/front", hub.clock.now(), "front", data)


def shown(hub: Hub) -> str:
    """What the lamp that runs was told."""
    running = hub.drivers.get("notifiers", "lamp")
    assert running.state != "failed", running.reason
    return str(hub.config.notifiers["lamp"].settings.colour)


def lock_of(hub: Hub) -> str:
    """What the front door's lock reports."""
    return str(hub.house.doors()[0]["reported"]["lock"])


async def test_law_10_a_bad_config_never_stops_what_ran(house: House) -> None:
    """While the file is broken the old configuration works on, says why, and destroys nothing."""
    async with house.hub() as hub:
        await until(lambda: lock_of(hub) == "locked")
        lamp, panel = hub.notifiers["lamp"], hub.drivers.get("access_control", "panel").instance
        house.edit("place: hall,", "place: hell,")
        plan = await hub.configuration.look()
        assert [each["path"] for each in plan["problems"]] == ["doors.front.place"]
        with pytest.raises(Refused, match="not valid"):
            await hub.configuration.apply(plan["id"], "it", confirmed=True)
        assert hub.notifiers["lamp"] is lamp
        assert hub.drivers.get("access_control", "panel").instance is panel
        assert lock_of(hub) == "locked"
        assert hub.configuration.degraded
        health = await hub.house.health()
        assert health["state"] == "degraded"
        assert "school.yaml is not valid (1 problem)" in health["problems"][0]
        assert await hub.tidy() is False
        house.edit("place: hell,", "place: hall,")
        await hub.configuration.look()
        assert not hub.configuration.degraded
        assert await hub.tidy() is True


async def test_a_mended_file_that_waits_is_no_trouble(house: House) -> None:
    """Once the mistake is gone the banner is, even before the rest of the change is applied; a
    kept configuration that runs instead stays told until then.
    """
    async with house.hub() as hub:
        house.edit("place: hall,", "place: hell,")
        await hub.configuration.look()
        house.edit("place: hell,", "place: hall, held_after: 9s,")
        await hub.configuration.look()
        assert hub.configuration.trouble == ""
        assert hub.configuration.waiting
        await reload(hub)
        first = house.kept.of(house.file)[1]
        plan = await hub.configuration.look(first.short)
        await hub.configuration.apply(plan["id"], "it", confirmed=True)
        house.write("hub: [")
        await hub.configuration.look()
        assert "is not valid" in hub.configuration.trouble
        house.write(SCHOOL.replace("name: Tiny", "name: Newer"))
        await hub.configuration.look()
        assert f"the kept configuration {first.short} runs" in hub.configuration.trouble


@pytest.mark.parametrize("broken", ["hub: [", "", "\t", "hub: {name: 1}\n", "\x00"])
async def test_no_damage_to_the_file_harms_the_hub(house: House, broken: str) -> None:
    """Whatever the file turns into, what ran runs on."""
    async with house.hub() as hub:
        house.write(broken)
        assert not (await hub.configuration.look())["valid"]
        assert hub.configuration.degraded
        assert hub.config.hub.name == "Tiny"


async def test_a_file_that_is_gone_is_no_end(house: House) -> None:
    """A deleted file is told, and what ran runs on."""
    async with house.hub() as hub:
        house.file.unlink()
        with pytest.raises(Refused, match="cannot be read"):
            await hub.configuration.look()
        assert hub.configuration.degraded


async def test_only_what_changed_starts_afresh(house: House) -> None:
    """Another colour is another lamp; the doors' controller and the logbook are what they were."""
    async with house.hub() as hub:
        await until(lambda: lock_of(hub) == "locked")
        panel = hub.drivers.get("access_control", "panel").instance
        logbook, lamp = hub.notifiers["logbook"], hub.notifiers["lamp"]
        house.edit("lamp: {driver: lamp}", "lamp: {driver: lamp, colour: red}")
        done = await reload(hub)
        assert done["steps"] == {
            "start": [],
            "stop": [],
            "restart": ["notifiers/lamp"],
            "adjust": [],
        }
        assert hub.notifiers["lamp"] is not lamp
        assert shown(hub) == "red"
        assert hub.notifiers["logbook"] is logbook
        assert hub.drivers.get("access_control", "panel").instance is panel
        assert lock_of(hub) == "locked"
        (event,) = await events(hub, "config.changed")
        assert event.data["changes"] == ["notifiers.lamp.colour"]
        assert event.data["by"] == "it"


async def test_instances_come_and_go(house: House) -> None:
    """A new block starts, a removed one stops, one that is switched off is shown as such."""
    async with house.hub() as hub:
        house.edit("  logbook: {driver: logbook}\n", "  second: {driver: lamp, colour: blue}\n")
        await reload(hub)
        assert set(hub.notifiers) == {"lamp", "second"}
        assert [view["id"] for view in hub.drivers.views()] == ["panel", "lamp", "second"]
        house.edit("second: {driver", "second: {enabled: false, driver")
        await reload(hub)
        states = {view["id"]: view["state"] for view in hub.drivers.views()}
        assert states == {"panel": "running", "lamp": "running", "second": "disabled"}
        assert set(hub.notifiers) == {"lamp"}
        house.edit("second: {enabled: false, ", "second: {")
        await reload(hub)
        assert set(hub.notifiers) == {"lamp", "second"}


async def test_doors_come_go_and_change(house: House) -> None:
    """A second door is asked and answers; one that stays keeps what is known of it."""
    async with house.hub() as hub:
        await until(lambda: lock_of(hub) == "locked")
        house.edit("name: Front,", "name: Main entrance,")
        await reload(hub)
        (door,) = hub.house.doors()
        assert (door["name"], door["reported"]["lock"]) == ("Main entrance", "locked")
        back = (
            "  back: {name: Back, controller: panel, place: hall, egress: free,"
            " device: {behaviour: prompt, start_locked: false}}\nnotifiers:"
        )
        house.edit("notifiers:", back)
        await reload(hub)
        await until(lambda: [d["reported"]["lock"] for d in hub.house.doors()][1:] == ["unlocked"])
        await hub.house.command_door("back", "lock", "desk", "")
        await until(lambda: hub.house.doors()[1]["conclusion"] == "secured")
        house.edit(back, "notifiers:")
        await reload(hub)
        assert [door["id"] for door in hub.house.doors()] == ["front"]
        with pytest.raises(KeyError):
            await hub.house.command_door("back", "lock", "desk", "")


async def test_doors_beside_a_new_one_do_not_notice(house: House) -> None:
    """A door that was locked by hand stays so, and a command under way ends as if nothing had
    happened, while another door comes to its controller and goes again.
    """
    house.edit("{behaviour: prompt}", "{behaviour: slow, start_locked: false}")
    async with house.hub() as hub:
        await until(lambda: lock_of(hub) == "unlocked")
        await hub.house.command_door("front", "lock", "desk", "")
        back = (
            "  back: {name: Back, controller: panel, place: hall, egress: free,"
            " device: {behaviour: prompt, contact: false}}\nnotifiers:"
        )
        house.edit("notifiers:", back)
        done = await reload(hub)
        assert done["steps"]["adjust"] == ["access_control/panel"]
        await until(lambda: hub.house.doors()[0]["conclusion"] == "secured", within_s=20)

        def asked() -> str:
            return str((hub.house.doors()[0]["requested"] or {}).get("state"))

        await until(lambda: asked() != "pending")
        assert asked() == "confirmed"
        await until(lambda: hub.house.doors()[1]["conclusion"] == "secured")
        house.edit(back, "notifiers:")
        await reload(hub)
        await asyncio.sleep(1.5)
        (front,) = hub.house.doors()
        assert (front["online"], front["conclusion"]) == (True, "secured")
        assert [e.type for e in await events(hub, "door.offline")] == []


async def test_a_signal_leaves_a_way_back_alone(house: House) -> None:
    """Whoever went back is not overruled by a signal while the file is what it was; nor does a
    signal without a change leave an event.
    """
    async with house.hub() as hub:
        house.edit("name: Tiny", "name: Second")
        await reload(hub)
        first = house.kept.of(house.file)[1]
        plan = await hub.configuration.look(first.short)
        await hub.configuration.apply(plan["id"], "it")
        number = len(await events(hub, "config.changed"))
        for _ in range(3):
            hub.configuration.ask()
            await asyncio.sleep(0.3)
        assert hub.config.hub.name == "Tiny"
        assert len(await events(hub, "config.changed")) == number
        house.edit("name: Second", "name: Third")
        hub.configuration.ask()
        await until(lambda: hub.config.hub.name == "Third")


async def test_an_edited_plugin_is_a_change(house: House) -> None:
    """Its code alone was edited: that is told, and applied like any other change."""
    plugin = house.file.parent / "my_plugins" / "lamp.py"
    async with house.hub() as hub:
        plugin.write_text(LAMP.replace('path="lan"', 'path="wan"'))
        done = await reload(hub)
        assert [each["path"] for each in done["changes"]] == ["notifiers.lamp"]
        assert done["steps"]["restart"] == ["notifiers/lamp"]
        await until(lambda: hub.notifiers["lamp"].channel.path == "wan")
        plugin.write_text(LAMP.replace("self.started = True", "raise BadConfig([])"))
        with pytest.raises(Refused, match="does not start"):
            await reload(hub)
        assert hub.configuration.degraded


async def test_a_command_under_way_ends_when_its_controller_is_replaced(house: House) -> None:
    """The controller starts afresh while a slow lock turns: the command ends, and says how."""
    house.edit("{behaviour: prompt}", "{behaviour: slow, start_locked: false}")
    async with house.hub() as hub:
        await until(lambda: lock_of(hub) == "unlocked")
        await hub.house.command_door("front", "lock", "desk", "")
        house.edit("driver: simulated}", "driver: simulated, stale_after: 20s}")
        done = await reload(hub)
        assert done["steps"]["restart"] == ["access_control/panel"]

        def ended() -> bool:
            asked = hub.house.doors()[0]["requested"]
            return bool(asked and asked["state"] != "pending")

        await until(ended, within_s=20)


async def test_rules_and_people_change_between_two_events(house: House) -> None:
    """The next event is judged by the new rules; nothing starts afresh for that."""
    async with house.hub() as hub:
        house.edit("severity: high", "severity: note")
        done = await reload(hub)
        assert done["steps"] == {"start": [], "stop": [], "restart": [], "adjust": []}
        await hub.accept(forced(hub))
        (alert,) = await hub.house.alerts()
        assert alert["severity"] == "note"


async def test_no_notice_is_lost_to_a_reload(house: House) -> None:
    """Alerts raised while a channel is being replaced reach it, through the old or the new."""
    async with house.hub() as hub:
        for turn in range(5):
            colour = f"colour: c{turn}"
            text = SCHOOL.replace("lamp: {driver: lamp}", f"lamp: {{driver: lamp, {colour}}}")
            house.write(text)
            coming = asyncio.create_task(hub.accept(forced(hub)))
            await reload(hub)
            await coming
            (alert,) = await hub.house.alerts(open_only=True)
            await hub.house.verdict(alert["id"], "dismissed", "guard")
        await until_done(hub, 10)
        counts = (await hub.intake.counts())["actions"]
        assert {state for state, number in counts.items() if number} <= {"confirmed", "cancelled"}
        assert counts["confirmed"] >= 3


async def until_done(hub: Hub, number: int) -> None:
    """Wait until so many notices have come to an end."""
    async with asyncio.timeout(20):
        while True:
            counts = (await hub.intake.counts())["actions"]
            if sum(counts.values()) - counts.get("pending", 0) >= number:
                return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("colour", "says"),
    [
        (
            "unbuildable",
            "notifiers.lamp could not be built: its factory raised RuntimeError: no such bulb",
        ),
        ("mute", "could not be built: its factory raised RuntimeError: it does not say what it is"),
        ("unstartable", "notifiers.lamp does not start: lamp.py:1:1: colour: does not exist"),
    ],
)
async def test_a_configuration_that_does_not_start_is_taken_back(
    house: House, colour: str, says: str
) -> None:
    """Building or starting fails: the old instances run, people read why, and nothing is kept."""
    async with house.hub() as hub:
        before = hub.config
        house.edit("lamp: {driver: lamp}", f"lamp: {{driver: lamp, colour: {colour}}}")
        house.edit("name: Front,", "name: Main entrance,")
        with pytest.raises(Refused) as caught:
            await reload(hub)
        assert says in str(caught.value)
        assert hub.config is before
        assert hub.house.doors()[0]["name"] == "Front"
        assert shown(hub) == "green"
        await until(lambda: hub.drivers.get("notifiers", "lamp").state == "running")
        assert hub.configuration.degraded
        assert len(house.kept.of(house.file)) == 1
        (event,) = await events(hub, "config.refused")
        assert says in event.data["reason"]
        house.write(SCHOOL)
        await hub.configuration.look()
        assert not hub.configuration.degraded


async def test_a_fault_of_our_own_in_the_middle_is_undone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever breaks between the first part and the last, all of them end up where they were."""
    async with house.hub() as hub:
        reconfigure, failures = hub.perception.reconfigure, [RuntimeError("a fault")]

        def fail_once(*given: Any) -> None:
            if failures:
                raise failures.pop()
            reconfigure(*given)

        monkeypatch.setattr(hub.perception, "reconfigure", fail_once)
        house.edit("name: Front,", "name: Main entrance,")
        house.edit("lamp: {driver: lamp}", "lamp: {driver: lamp, colour: red}")
        with pytest.raises(Refused, match="could not be put in place: RuntimeError: a fault"):
            await reload(hub)
        assert hub.house.doors()[0]["name"] == "Front"
        assert shown(hub) == "green"
        await until(lambda: hub.drivers.get("notifiers", "lamp").state == "running")
        await until(lambda: lock_of(hub) == "locked")
        done = await reload(hub)
        assert done["steps"]["restart"] == ["notifiers/lamp"]
        assert hub.house.doors()[0]["name"] == "Main entrance"


async def test_a_device_that_is_away_is_no_reason_to_go_back(house: House) -> None:
    """What is not there yet is tried again, as at every start."""
    async with house.hub() as hub:
        house.edit("lamp: {driver: lamp}", "lamp: {driver: lamp, colour: absent}")
        await reload(hub)
        assert hub.drivers.get("notifiers", "lamp").state == "retrying"
        assert not hub.configuration.degraded


async def test_what_touches_doors_needs_a_second_confirmation(house: House) -> None:
    """Without it nothing changes; with it everything does."""
    async with house.hub() as hub:
        house.edit("name: Front,", "name: Main entrance,")
        with pytest.raises(Refused, match=r"second confirmation: doors\.front\.name"):
            await reload(hub, confirmed=False)
        assert hub.house.doors()[0]["name"] == "Front"
        assert hub.configuration.waiting == "1 change waits to be confirmed"
        await reload(hub, confirmed=True)
        assert hub.house.doors()[0]["name"] == "Main entrance"
        assert hub.configuration.waiting == ""


async def test_nobody_applies_what_they_have_not_seen(house: House) -> None:
    """A plan is applied as it was looked at, even when the file has changed since; an older plan
    is refused.
    """
    async with house.hub() as hub:
        house.edit("name: Tiny", "name: Seen")
        seen = await hub.configuration.look()
        house.edit("name: Seen", "name: Unseen")
        await hub.configuration.apply(seen["id"], "it")
        assert hub.config.hub.name == "Seen"
        first = await hub.configuration.look()
        house.edit("name: Unseen", "name: Newer")
        await hub.configuration.look()
        with pytest.raises(Refused, match="look again"):
            await hub.configuration.apply(first["id"], "it")


async def test_a_signal_applies_what_is_harmless(house: House) -> None:
    """SIGHUP takes over a new name at once, and leaves doors to a person."""
    async with house.hub() as hub:
        house.edit("name: Tiny", "name: Renamed")
        hub.configuration.ask()
        await until(lambda: hub.config.hub.name == "Renamed")
        house.edit("name: Front,", "name: Main entrance,")
        hub.configuration.ask()
        await until(lambda: bool(hub.configuration.waiting))
        async with asyncio.timeout(30):
            while not await events(hub, "config.waiting"):
                await asyncio.sleep(0.01)
        assert hub.house.doors()[0]["name"] == "Front"
        house.edit("place: hall,", "place: hell,")
        hub.configuration.ask()
        await until(lambda: hub.configuration.degraded)
        assert hub.configuration.waiting == ""


async def test_comments_need_nobody(house: House) -> None:
    """A file that says the same in other words is the one that is kept from then on."""
    async with house.hub() as hub:
        house.write("# why not\n" + SCHOOL)
        plan = await hub.configuration.look()
        assert plan["changes"] == []
        assert (await hub.configuration.view())["hash"] == plan["id"][:12]
        assert len(house.kept.of(house.file)) == 2
        assert await events(hub, "config.changed") == []


async def test_a_changed_secret_is_a_change(house: House) -> None:
    """secrets.yaml alone was edited: what uses it starts afresh, and no value is told."""
    secrets = house.file.parent / "secrets.yaml"
    secrets.write_text("lamp: canary-of-old\n")
    house.edit("lamp: {driver: lamp}", "lamp: {driver: lamp, password: !secret lamp}")
    async with house.hub() as hub:
        secrets.write_text("lamp: canary-of-new\n")
        done = await reload(hub)
        assert done["steps"]["restart"] == ["notifiers/lamp"]
        assert "canary" not in str(done)
        assert "canary" not in str([event.data for _, event in await hub.intake.past_events(0)])
        assert hub.secrets.clean("canary-of-old canary-of-new").count("canary") == 0


async def test_going_back_leaves_the_file_alone(house: House) -> None:
    """What ran before runs again, says so on every page, and still does after a restart; a changed
    file ends it.
    """
    async with house.hub() as hub:
        house.edit("name: Tiny", "name: Second")
        await reload(hub)
        view = await hub.configuration.view()
        first = next(each["hash"] for each in view["kept"] if not each["running"])
        plan = await hub.configuration.look(first)
        assert [each["path"] for each in plan["changes"]] == ["hub.name"]
        await hub.configuration.apply(plan["id"], "it")
        assert hub.config.hub.name == "Tiny"
        assert hub.configuration.degraded
        assert "name: Second" in house.file.read_text()
        assert (await hub.configuration.look())["changes"] != []
        assert hub.configuration.degraded
    chosen = house.choose()
    assert chosen is not None
    assert chosen.examined.config is not None
    assert chosen.examined.config.hub.name == "Tiny"
    assert "went back" in chosen.trouble
    async with house.hub() as hub:
        assert hub.configuration.degraded
        house.edit("name: Second", "name: Third")
        await reload(hub)
        assert not hub.configuration.degraded
    chosen = house.choose()
    assert chosen is not None
    assert chosen.trouble == ""


async def test_included_files_are_kept_too(house: House) -> None:
    """Going back brings the included files' text of then, whatever lies beside the file now."""
    part = house.file.parent / "doors.yaml"
    start, end = SCHOOL.index("  front:"), SCHOOL.index("notifiers:")
    part.write_text(SCHOOL[start:end])
    house.write(SCHOOL[:start].replace("doors:\n", "doors: !include doors.yaml\n") + SCHOOL[end:])
    async with house.hub() as hub:
        part.write_text(part.read_text().replace("name: Front", "name: Main entrance"))
        await reload(hub)
        part.write_text("broken: [")
        first = house.kept.of(house.file)[1]
        plan = await hub.configuration.look(first.short)
        await hub.configuration.apply(plan["id"], "it", confirmed=True)
        assert hub.house.doors()[0]["name"] == "Front"


async def test_a_start_on_a_broken_file_takes_what_ran_last(house: House) -> None:
    """After a power cut a school with a typo in its file is not blind; it is told so."""
    async with house.hub():
        pass
    house.edit("place: hall,", "place: hell,")
    chosen, said = choose(house.file, house.kept, Secrets())
    assert chosen is not None
    assert chosen.trouble.startswith(
        "the file school.yaml is not valid (1 problem); the kept configuration"
    )
    assert not isinstance(said, CannotCheck)
    assert [problem.path for problem in said.problems] == ["doors.front.place"]
    async with house.hub() as hub:
        assert hub.configuration.degraded
        assert hub.house.doors()[0]["name"] == "Front"
        house.edit("place: hell,", "place: hall,")
        await hub.configuration.look()
        assert not hub.configuration.degraded
        assert (await hub.configuration.view())["kept_runs"] is False
    house.file.unlink()
    chosen, said = choose(house.file, house.kept, Secrets())
    assert chosen is not None
    assert isinstance(said, CannotCheck)


def test_without_anything_kept_a_broken_file_starts_nothing(house: House) -> None:
    """A first start needs a valid file."""
    house.edit("place: hall,", "place: hell,")
    assert house.choose() is None


async def test_what_failed_at_the_start_is_not_kept_as_good(house: House) -> None:
    """A configuration with a driver that does not start is not one to go back to."""
    house.edit("lamp: {driver: lamp}", "lamp: {driver: lamp, colour: unbuildable}")
    chosen = house.choose()
    assert chosen is not None
    with house.folder.lock():
        async with Hub(chosen, house.folder, house.file) as hub:
            await until(lambda: hub.drivers.get("access_control", "panel").state == "running")
            await hub.configuration.look()
            await asyncio.sleep(0.1)
            assert house.kept.of(house.file) == []


async def test_the_folder_of_the_file_may_be_read_only(house: House) -> None:
    """The hub writes nothing beside the file."""
    before = sorted(house.file.parent.glob("*"))
    async with house.hub() as hub:
        house.edit("name: Tiny", "name: Second")
        await reload(hub)
        plan = await hub.configuration.look(house.kept.of(house.file)[1].short)
        await hub.configuration.apply(plan["id"], "it")
    assert sorted(house.file.parent.glob("*")) == before
