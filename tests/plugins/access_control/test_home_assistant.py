"""The driver `home_assistant`: what every access controller promises, and what this one does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hub import CommandFailed, NotReady
from hub.testing import CabledDevice, Trial
from plugins.access_control import home_assistant
from plugins.access_control.home_assistant import HomeAssistantDevice
from tests.plugins.access_control.controllers import ScenarioContract, answer, listening
from tests.plugins.access_control.home_assistant_server import HomeAssistantServer

TOKEN = "eyJhbGciOi.long-lived"
FRONT, CONTACT = "lock.front", "binary_sensor.front"


class HomeOnCable(CabledDevice):
    """The pretended Home Assistant behind a line that can be cut."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.home = HomeAssistantServer(TOKEN)
        self.home.add_lock(FRONT, polls=True)
        self.home.add_lock("lock.pushed")
        self.home.write(CONTACT, "off")

    async def serve(self) -> int:
        """Bring it up."""
        return await self.home.start()

    async def start(self) -> None:
        """Say where it is and who signs in."""
        await super().start()
        self.settings = {"url": f"http://127.0.0.1:{self.port}", "token": TOKEN}

    async def end(self) -> None:
        """Take it down."""
        await self.home.stop()

    async def lie(self, door: str) -> None:
        """Services end well, and nothing happens."""
        self.home.faults.add("lie")

    async def flood(self, door: str, count: int) -> None:
        for number in range(count):
            state = "locked" if number % 2 or number == count - 1 else "unlocked"
            self.home.write(FRONT, state)
            if number % 100 == 0:
                await asyncio.sleep(0)


class TestHomeAssistant(ScenarioContract):
    """The promises of an access controller, on a lock that is asked and a contact."""

    driver = home_assistant.vestibule_access_control()[0]
    device = HomeOnCable
    doors: ClassVar[dict[str, dict[str, Any]]] = {
        "main": {"entity": FRONT, "contact": CONTACT, "polls": True}
    }

    def test_what_the_lock_tells_after_the_command_confirms_it(self) -> None:
        """Each verb is its service, and the state that was written since answers it."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                for verb, service, lock in (
                    ("lock", "lock.lock", "locked"),
                    ("hold_open", "lock.unlock", "unlocked"),
                    ("momentary", "lock.open", "unlocked"),
                ):
                    await instance.command("door", verb, "key")
                    assert (await answer(instance, "door")).lock == lock
                    assert home(trial).calls[-1] == (service, FRONT, {"code": "4711"})

        self.go(scenario, door={"entity": FRONT, "opens": True, "code": "4711"})

    def test_what_home_assistant_knew_before_confirms_nothing(self) -> None:
        """A lock that reports by itself and does not: no answer, and its state is as old as it
        is; what it reports again afterwards, the same as before, is one.
        """

        async def scenario(trial: Trial) -> None:
            home(trial).states.clear()
            home(trial).bolts["lock.pushed"] = "locked"
            home(trial).write("lock.pushed", "locked", ago=600)
            home(trial).faults.add("lie")
            async with self.started(trial) as instance, listening(instance) as heard:
                await instance.command("door", "lock", "key")
                await instance.refresh("door")
                known = await heard.until(lambda each: each.lock == "locked")
                assert self.time is not None
                assert 599 <= (self.time.now() - known.time).total_seconds() <= 602
                assert not any(each.answers for each in heard.heard)
                home(trial).write("lock.pushed", "locked")
                await instance.refresh("door")
                await heard.until(lambda each: each.lock == "locked" and each.answers)
                assert "homeassistant.update_entity" not in [call for call, *_ in home(trial).calls]

        self.go(scenario, door={"entity": "lock.pushed"})

    def test_a_lock_that_is_asked_answers(self) -> None:
        """With `polls` the integration asks the lock: what nobody told is seen."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance, listening(instance) as heard:
                home(trial).bolts[FRONT] = "locked"
                await instance.refresh("main")
                await heard.until(lambda each: each.lock == "locked" and each.answers)

        self.go(scenario)

    def test_an_assumed_state_is_never_believed(self) -> None:
        """Home Assistant says locked and that it assumes so: unknown, and no answer, ever."""

        async def scenario(trial: Trial) -> None:
            home(trial).write(FRONT, "unlocked", assumed_state=True)
            async with self.started(trial) as instance, listening(instance) as heard:
                await instance.command("main", "lock", "key")
                await instance.refresh("main")
                told = [each for each in heard.heard if each.lock is not None]
                await heard.until(lambda each: each.lock == "unknown")
                assert home(trial).states[FRONT]["state"] == "locked"
                assert {each.lock for each in told} <= {"unknown"}
                assert not any(each.answers for each in heard.heard)
                assert "assumes its state" in heard.heard[0].detail
                found = await instance.probe()
                assert f"{FRONT} only assumes its state" in found.remedy

        self.go(scenario, main={"entity": FRONT, "polls": True})

    def test_a_jam_and_a_slow_lock_are_shown_as_that(self) -> None:
        """`locking` is moving, `jammed` is jammed, and what comes by itself answers."""

        async def scenario(trial: Trial) -> None:
            home(trial).faults |= {"lag", "jam"}
            async with self.started(trial) as instance, listening(instance) as heard:
                await instance.command("main", "lock", "key")
                await heard.until(lambda each: each.lock == "moving")
                home(trial).settle(FRONT)
                assert (await heard.until(lambda each: each.lock == "jammed")).answers

        self.go(scenario)

    def test_an_unavailable_lock_takes_no_command(self) -> None:
        """Home Assistant would say that all is well; here the lock is offline, and NotReady."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance, listening(instance) as heard:
                home(trial).write(FRONT, "unavailable")
                away = await heard.until(lambda each: not each.online)
                assert away.detail == "Home Assistant does not reach the lock"
                with pytest.raises(NotReady, match="does not reach the lock"):
                    await instance.command("main", "lock", "key")
                assert home(trial).calls == []
                home(trial).states.pop(FRONT)
                with pytest.raises(CommandFailed, match=r"has no entity lock\.front"):
                    await instance.command("main", "lock", "key")

        self.go(scenario)

    def test_a_contact_tells_the_door(self) -> None:
        """`on` is open; a contact that is away is unknown, with words."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance, listening(instance) as heard:
                await heard.until(lambda each: each.position == "closed")
                home(trial).write(CONTACT, "on")
                await heard.until(lambda each: each.position == "open")
                home(trial).write(CONTACT, "unavailable")
                odd = await heard.until(lambda each: each.position == "unknown")
                assert odd.detail == "Home Assistant says 'unavailable' of the door"

        self.go(scenario)

    def test_a_refusal_is_told_without_the_code(self) -> None:
        """What Home Assistant says of a failed call is passed on; the code in it is not."""

        async def scenario(trial: Trial) -> None:
            home(trial).faults.add("refuse")
            async with self.started(trial) as instance:
                with pytest.raises(CommandFailed) as raised:
                    await instance.command("door", "lock", "key")
            assert "node is dead" in str(raised.value)
            assert "4711" not in str(raised.value)

        self.go(scenario, door={"entity": FRONT, "code": "4711"})

    def test_a_call_that_never_ends_is_not_handed_over(self) -> None:
        """The integration hangs: NotReady after a while, to be tried again."""

        async def scenario(trial: Trial) -> None:
            home(trial).faults.add("drop")
            async with self.started(trial) as instance:
                with pytest.raises(NotReady, match=r"does not answer within 0\.1 s"):
                    await instance.command("main", "lock", "key")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("plugins.access_control._home_assistant_api.SERVICE_S", 0.1)
            self.go(scenario)

    def test_a_restart_is_an_absence(self) -> None:
        """After a restart the lock is offline until its integration has reached it."""

        async def scenario(trial: Trial) -> None:
            assert self.time is not None
            async with self.started(trial) as instance, listening(instance) as heard:
                await heard.until(lambda each: each.lock == "unlocked")
                await home(trial).reboot()
                await heard.until(lambda each: "no link to Home Assistant" in each.detail)
                heard.heard.clear()
                await heard.until(lambda each: "does not reach the lock" in each.detail, self.time)
                home(trial).write(FRONT, "locked")
                assert not (await heard.until(lambda each: each.lock == "locked")).answers

        self.go(scenario)

    def test_a_wrong_token_is_said(self) -> None:
        """It is told that the token is not taken, at start and by the probe; it is not shown."""

        async def scenario(trial: Trial) -> None:
            instance = trial.build(token="not.that.one")
            with pytest.raises(NotReady, match="does not take the token") as raised:
                await instance.start()
            with pytest.raises(NotReady, match="does not take the token"):
                await instance.probe()
            assert "not.that.one" not in str(raised.value)
            await instance.close()

        self.go(scenario)

    def test_a_door_comes_and_goes_without_the_others_noticing(self) -> None:
        """The link is kept; a new door is met, and one that went is unknown."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance, listening(instance) as heard:
                taken = trial.device.cable.taken  # type: ignore[attr-defined]
                new = HomeAssistantDevice(entity="lock.pushed")
                await instance.adopt({"new": new})
                await heard.until(lambda each: (each.door, each.lock) == ("new", "unlocked"))
                home(trial).write("lock.pushed", "locked")
                await heard.until(lambda each: (each.door, each.lock) == ("new", "locked"))
                with pytest.raises(CommandFailed, match="belongs to main"):
                    await instance.command("main", "lock", "key")
                # one line for questions beside the link, which was there before
                assert trial.device.cable.taken == taken  # type: ignore[attr-defined]

        self.go(scenario)

    def test_a_probe_calls_no_service(self) -> None:
        """It says which version answers and how each entity stands, and what is wrong."""

        async def scenario(trial: Trial) -> None:
            found = await trial.build().probe()
            assert found.found == (f"Home Assistant 2026.11.1; {FRONT} unlocked; {CONTACT} off")
            assert (found.works, found.remedy, home(trial).calls) == (True, "", [])
            home(trial).states.pop(CONTACT)
            home(trial).write(FRONT, "unavailable")
            wrong = await trial.build().probe()
            assert not wrong.works
            assert "correct the device of main" in wrong.remedy

        self.go(scenario)


def home(trial: Trial) -> HomeAssistantServer:
    """The Home Assistant of a trial."""
    assert isinstance(trial.device, HomeOnCable)
    return trial.device.home
