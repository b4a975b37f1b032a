"""The driver `shelly`: what every access controller promises, and what this one does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hub import CommandFailed, NotReady
from hub.testing import CabledDevice, Trial
from plugins.access_control import shelly
from plugins.access_control.shelly import ShellyDevice as Wired
from tests.plugins.access_control.controllers import ScenarioContract, answer, listening
from tests.plugins.access_control.shelly_device import ShellyDevice

PASSWORD = "correct horse"


class ShellyOnCable(CabledDevice):
    """The pretended Shelly behind a line that can be cut."""

    password: str | None = PASSWORD

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.shelly = ShellyDevice(self.password)

    async def serve(self) -> int:
        """Bring it up."""
        return await self.shelly.start()

    async def start(self) -> None:
        """Say what the password is."""
        await super().start()
        self.settings = {"password": self.password}

    async def end(self) -> None:
        """Take it down."""
        await self.shelly.stop()

    async def lie(self, door: str) -> None:
        """Say that relays were set, and leave them."""
        self.shelly.faults.add("lie")

    async def flood(self, door: str, count: int) -> None:
        await self.shelly.flood(0, count)


class TestShelly(ScenarioContract):
    """The promises of an access controller, on a magnet with contact and a strike with a bolt."""

    driver = shelly.vestibule_access_control()[0]
    device = ShellyOnCable
    doors: ClassVar[dict[str, dict[str, Any]]] = {
        "main": {"energised": "locked", "contact": 0},
        "yard": {"switch": 1, "energised": "unlocked", "bolt": 1, "bolted_when": "off"},
    }

    def devices(self, device: Any) -> Any:
        host = f"127.0.0.1:{device.port}"
        return {
            door: Wired.model_validate({"host": host, **block})
            for door, block in self.doors.items()
        }

    @pytest.mark.parametrize(
        ("energised", "verb", "on", "lock"),
        [
            ("locked", "lock", True, "locked"),
            ("locked", "unlock", False, "unlocked"),
            ("locked", "hold_open", False, "unlocked"),
            ("unlocked", "lock", False, "locked"),
            ("unlocked", "unlock", True, "unlocked"),
        ],
    )
    def test_a_relay_means_what_the_configuration_says(
        self, energised: str, verb: str, on: bool, lock: str
    ) -> None:
        """`energised` alone decides what on and off are, and the report was read, and says so."""

        async def scenario(trial: Trial) -> None:
            device(trial).outputs[2] = not on
            async with self.started(trial) as instance:
                await instance.command("door", verb, "key")
                report = await answer(instance, "door")
                assert (report.lock, device(trial).outputs[2]) == (lock, on)
                assert report.detail == "as its relay is set; nothing tells where the bolt is"
                assert [name for name, _ in device(trial).calls][-2:] == [
                    "Switch.Set",
                    "Switch.GetStatus",
                ]

        self.go(scenario, door={"switch": 2, "energised": energised})

    def test_a_relay_that_stays_is_not_believed(self) -> None:
        """The device says that it set the relay, and it stays: the door is still unlocked."""

        async def scenario(trial: Trial) -> None:
            device(trial).faults.add("lie")
            async with self.started(trial) as instance:
                await instance.command("main", "lock", "key")
                assert (await answer(instance, "main")).lock == "unlocked"

        self.go(scenario)

    def test_a_bolt_that_follows_late_is_moving_first(self) -> None:
        """With a sensor the bolt decides, and what it tells by itself answers the command."""

        async def scenario(trial: Trial) -> None:
            device(trial).bolts[3] = 3
            device(trial).faults.add("lag")
            async with self.started(trial) as instance:
                await instance.command("door", "lock", "key")
                seen = [await answer(instance, "door", lock) for lock in ("moving", "locked")]
                assert seen[-1].answers
                assert seen[-1].detail == ""

        self.go(scenario, door={"switch": 3, "energised": "locked", "bolt": 3})

    def test_a_bolt_that_does_not_follow_is_jammed(self) -> None:
        """A bolt that has not followed within two seconds is jammed, never locked."""

        async def scenario(trial: Trial) -> None:
            assert self.time is not None
            async with self.started(trial) as instance:
                await instance.command("door", "lock", "key")
                await answer(instance, "door", "moving")
                await self.time.advance(2.1)
                await instance.refresh("door")
                report = await answer(instance, "door", "jammed")
                assert report.detail == "its relay is set to locked, and the bolt has not followed"

        self.go(scenario, door={"switch": 3, "energised": "locked", "bolt": 3})

    def test_a_hand_on_the_key_is_seen(self) -> None:
        """A bolt that had followed and is moved later stands as it stands, told at once."""

        async def scenario(trial: Trial) -> None:
            device(trial).bolts[3] = 3
            async with self.started(trial) as instance:
                await instance.command("door", "lock", "key")
                await answer(instance, "door", "locked")
                device(trial).set_input(3, False)
                report = await answer(instance, "door", "unlocked")
                assert report.detail == "its relay is set to locked, yet the bolt was moved"

        self.go(scenario, door={"switch": 3, "energised": "locked", "bolt": 3})

    def test_a_contact_is_told_by_itself(self) -> None:
        """An opened door is reported without being asked, once a frame with `src` was sent."""

        async def scenario(trial: Trial) -> None:
            device(trial).set_input(0, True)
            async with self.started(trial) as instance, listening(instance) as heard:
                await heard.until(lambda report: report.position == "closed")
                device(trial).set_input(0, False)
                report = await heard.until(lambda report: report.position == "open")
                assert not report.answers

        self.go(scenario)

    def test_one_passage_is_ended_by_the_device(self) -> None:
        """The pulse is the device's (`toggle_after`): it ends without the hub."""

        async def scenario(trial: Trial) -> None:
            device(trial).outputs[0] = True
            async with self.started(trial) as instance:
                await instance.command("main", "momentary", "key")
                assert (await answer(instance, "main")).lock == "unlocked"
                asked = [params for name, params in device(trial).calls if name == "Switch.Set"]
                assert asked == [{"id": 0, "on": False, "toggle_after": 1.0}]
            seconds, timer = device(trial).timers[0]
            assert seconds == 1.0
            timer._run()  # type: ignore[attr-defined]
            assert device(trial).outputs[0] is True

        self.go(scenario, main={"energised": "locked", "pulse": 1})

    def test_one_passage_through_an_unlocked_door_locks_nothing(self) -> None:
        """Where it is unlocked anyway no pulse is made, since its end would lock the door."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                await instance.command("main", "momentary", "key")
                assert (await answer(instance, "main")).lock == "unlocked"
                assert "Switch.Set" not in [name for name, _ in device(trial).calls]

        self.go(scenario)

    def test_a_timer_that_will_unlock_is_not_locked(self) -> None:
        """While a timer of the device is about to release the lock it is never called locked."""

        async def scenario(trial: Trial) -> None:
            device(trial)._set(0, True, 60.0)
            async with self.started(trial) as instance:
                await instance.refresh("main")
                report = await answer(instance, "main")
                assert report.lock == "moving"
                assert "timer" in report.detail
                await instance.command("main", "lock", "key")
                assert (await answer(instance, "main", "locked")).lock == "locked"

        self.go(scenario)

    def test_a_reboot_is_an_absence_and_then_the_truth(self) -> None:
        """After a restart of the device the door is offline, then as the relay fell."""

        async def scenario(trial: Trial) -> None:
            assert self.time is not None
            async with self.started(trial) as instance, listening(instance) as heard:
                await instance.command("main", "lock", "key")
                await heard.until(lambda report: report.lock == "locked")
                await device(trial).reboot()
                away = await heard.until(lambda report: not report.online)
                assert "hung up" in away.detail
                back = await heard.until(lambda report: report.lock == "unlocked", self.time)
                assert not back.answers

        self.go(scenario)

    def test_a_lost_command_is_not_handed_over(self) -> None:
        """A device that swallows a frame took nothing: NotReady, to be tried again."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                device(trial).faults.add("drop")
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr("plugins.access_control._socket_line.ANSWER_S", 0.2)
                    with pytest.raises(NotReady, match=r"does not answer within 0\.2 s"):
                        await instance.command("main", "lock", "key")

        self.go(scenario)

    def test_a_device_that_freezes_is_told(self) -> None:
        """One whose line stands and that answers not even a ping is offline, with words."""

        async def scenario(trial: Trial) -> None:
            device(trial).faults.add("freeze")
            async with self.started(trial) as instance, listening(instance) as heard:
                away = await heard.until(lambda report: not report.online)
                assert away.detail.endswith("it has fallen silent")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("plugins.access_control._socket_line.HEARTBEAT_S", 0.1)
            self.go(scenario)

    def test_one_device_that_is_away_holds_no_other(self) -> None:
        """Where one of two devices is not there the other's door works from the start."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance, listening(instance) as heard:
                away = await heard.until(lambda report: report.door == "gone")
                assert not away.online
                assert "nothing listens there" in away.detail
                await instance.command("main", "lock", "key")
                await heard.until(lambda report: report.lock == "locked" and report.answers)
                with pytest.raises(NotReady, match="nothing listens there"):
                    await instance.command("gone", "lock", "key")

        gone = {"host": "127.0.0.1:9", "energised": "locked"}
        self.go(scenario, main={"energised": "locked"}, gone=gone)

    def test_a_wrong_password_is_said_and_nothing_moves(self) -> None:
        """It is told what is wrong, the password is not, and no call was answered."""

        async def scenario(trial: Trial) -> None:
            instance = trial.build(password="not that one")
            with pytest.raises(NotReady, match="does not take the password") as raised:
                await instance.start()
            assert "not that one" not in str(raised.value)
            await instance.close()
            without = trial.build(password=None)
            with pytest.raises(NotReady, match="wants a password; write `password`"):
                await without.start()
            await without.close()
            assert device(trial).calls == []

        self.go(scenario)

    def test_a_new_nonce_is_taken_up(self) -> None:
        """A nonce that the device no longer knows is replaced, and the command goes through."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                device(trial).valid.clear()
                await instance.command("main", "lock", "key")
                assert device(trial).outputs[0] is True

        self.go(scenario)

    def test_what_the_device_does_not_have_is_a_failed_command(self) -> None:
        """A relay that is not there is unknown, fails its own commands, and harms no other door."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance, listening(instance) as heard:
                report = await heard.until(lambda report: report.door == "none")
                assert report.lock == "unknown"
                assert "refused Switch.GetStatus" in report.detail
                with pytest.raises(CommandFailed, match=r"refused Switch\.Set.*not found"):
                    await instance.command("none", "lock", "key")
                await instance.command("main", "lock", "key")
                await heard.until(lambda report: report.lock == "locked")
                found = await instance.probe()
                assert found.remedy.endswith("has no switch 9; correct the door's device")

        wired = {"energised": "locked"}
        self.go(scenario, none={"switch": 9, **wired}, main=wired)

    def test_a_panel_starts_its_own_lockdown(self) -> None:
        """One relay for all doors of the panel; each door is as the panel's output tells."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance, listening(instance) as heard:
                can = instance.capabilities
                assert can.lockdown_native
                assert can.verbs == {"lockdown", "lockdown_release"}
                await instance.lockdown_all(True, "key")
                sets = [params for name, params in device(trial).calls if name == "Switch.Set"]
                assert sets == [{"id": 3, "on": True}]
                device(trial).set_input(5, True)
                report = await heard.until(lambda report: report.lock == "locked")
                assert (report.door, report.answers) == ("told", True)
                untold = [report for report in heard.heard if report.door == "untold"]
                assert {report.lock for report in untold} == {"unknown"}
                assert untold[-1].detail == "the panel does not tell whether this door is locked"
                await instance.lockdown_all(False, "key")
                assert device(trial).outputs[3] is False
                device(trial).faults.add("lie")
                with pytest.raises(CommandFailed, match=r"relay 3 .* took the command and stays"):
                    await instance.lockdown_all(True, "key")
                with pytest.raises(CommandFailed, match="takes no lock; it takes lockdown"):
                    await instance.command("told", "lock", "key")

        panel = {"switch": None, "lockdown": 3}
        self.go(scenario, told={**panel, "bolt": 5}, untold=panel)

    def test_a_panel_that_is_told_no_more_is_in_no_lockdown(self) -> None:
        """The relay fell back: the door is still locked, and says that it is in no lockdown."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance, listening(instance) as heard:
                await instance.lockdown_all(True, "key")
                device(trial).set_input(5, True)
                told = await heard.until(lambda report: report.lock == "locked")
                assert told.lockdown is None
                heard.heard.clear()
                device(trial)._turn(3, on=False)
                told = await heard.until(lambda report: report.lockdown is False)
                assert told.lock == "locked"

        self.go(scenario, told={"switch": None, "lockdown": 3, "bolt": 5})

    def test_a_panel_that_is_away_holds_no_other(self) -> None:
        """The lockdown of all goes on where it can, and then says what did not work."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                with pytest.raises(NotReady, match="nothing listens there"):
                    await instance.lockdown_all(True, "key")
                assert device(trial).outputs[3] is True

        panel = {"switch": None, "lockdown": 3}
        self.go(scenario, gone={**panel, "host": "127.0.0.1:9"}, told=panel)

    def test_a_contact_that_is_not_there_fails_no_lockdown(self) -> None:
        """The relays were set: the door that cannot be read is unknown, and nothing has failed."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance, listening(instance) as heard:
                await heard.until(lambda report: report.door == "ill")
                heard.heard.clear()
                await instance.lockdown_all(True, "key")
                assert device(trial).outputs[3] is True
                report = await heard.until(lambda report: report.door == "ill")
                assert report.lock == "unknown"
                assert "refused Input.GetStatus" in report.detail
                await heard.until(lambda report: report.door == "told" and report.answers)

        panel = {"switch": None, "lockdown": 3}
        self.go(scenario, ill={**panel, "contact": 199}, told={**panel, "bolt": 5})

    def test_doors_of_a_panel_are_not_mixed_with_others(self) -> None:
        """A lockdown would be asked of doors that have none: it says how to part them."""

        async def scenario(trial: Trial) -> None:
            instance = trial.build()
            with pytest.raises(NotReady, match="a controller block of their own"):
                await instance.start()
            await instance.close()

        mixed = {"switch": None, "lockdown": 3}
        self.go(scenario, one=mixed, other={"energised": "locked"})

    def test_a_door_comes_and_goes_without_the_others_noticing(self) -> None:
        """The line of a device that stays is kept; a new door is met, one that went is unknown."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance, listening(instance) as heard:
                taken = trial.device.cable.taken  # type: ignore[attr-defined]
                before = dict(instance._doors)
                host = before["main"].host
                new = Wired.model_validate({"host": host, "switch": 2, "energised": "locked"})
                await instance.adopt({"main": before["main"], "new": new})
                await heard.until(lambda report: report.door == "new")
                await instance.command("new", "lock", "key")
                assert device(trial).outputs[2] is True
                with pytest.raises(CommandFailed, match="belongs to yard"):
                    await instance.command("yard", "lock", "key")
                assert trial.device.cable.taken == taken  # type: ignore[attr-defined]
                await instance.adopt({})
                with pytest.raises(CommandFailed):
                    await instance.command("main", "lock", "key")

        self.go(scenario)

    def test_a_command_comes_before_its_device_is_reached(self) -> None:
        """A door that is just being adopted took nothing yet: NotReady, to be tried again."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                gone = Wired.model_validate({"host": "127.0.0.1:9", "energised": "locked"})
                adopting = asyncio.create_task(instance.adopt({"gone": gone}))
                await asyncio.sleep(0)
                with pytest.raises(NotReady, match="the Shelly devices are not connected"):
                    await instance.command("gone", "lock", "key")
                await adopting

        self.go(scenario)

    def test_a_probe_reads_and_says_what_is_ill_set(self) -> None:
        """It signs in over HTTP, moves nothing, and names settings that would move a lock."""

        async def scenario(trial: Trial) -> None:
            instance = trial.build()
            found = await instance.probe()
            assert (found.works, found.remedy) == (True, "")
            assert found.found == f"shellypro4pm-0cb815fcaff4 at 127.0.0.1:{trial.device.port}"  # type: ignore[attr-defined]
            device(trial).configs = {
                "switch:0": {"auto_off": True, "in_mode": "follow"},
                "input:0": {"type": "button"},
            }
            told = (await instance.probe()).remedy
            assert "switch the timers of relay 0" in told
            assert "to `detached`" in told
            assert "set input 0" in told
            assert "Switch.Set" not in [name for name, _ in device(trial).calls]
            wrong = await trial.build(password="not that one").probe()
            assert (wrong.works, wrong.remedy) == (False, "correct `password`")

        self.go(scenario)

    @pytest.mark.parametrize(
        ("block", "words"),
        [
            ({"switch": 0}, "expected `energised`"),
            ({"switch": None}, "expected a relay of its own"),
            ({"switch": 0, "energised": "locked", "lockdown": 0}, "another relay"),
            ({"host": "http://x", "energised": "locked"}, "String should match pattern"),
        ],
    )
    def test_wiring_that_cannot_work_is_refused(self, block: dict[str, Any], words: str) -> None:
        """What a door says of its wiring is checked before anything runs."""
        with pytest.raises(ValueError, match=words):
            Wired.model_validate({"host": "192.0.2.9", **block})


def device(trial: Trial) -> ShellyDevice:
    """The device of a trial."""
    assert isinstance(trial.device, ShellyOnCable)
    return trial.device.shelly
