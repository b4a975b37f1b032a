"""The driver `modbus`: what every access controller promises, and what this one does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from hub import CommandFailed, NotReady
from hub.testing import CabledDevice, Trial
from plugins.access_control import modbus
from plugins.access_control.modbus import ModbusDevice as Wired
from tests.plugins.access_control.controllers import ScenarioContract, answer, listening
from tests.plugins.access_control.modbus_board import READ_COILS, WRITE_COIL, ModbusBoard


class BoardOnCable(CabledDevice):
    """The simulated board behind a line that can be cut."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.board = ModbusBoard()

    async def serve(self) -> int:
        """Bring it up."""
        return await self.board.start()

    async def start(self) -> None:
        """Say where the near end of the line is."""
        await super().start()
        self.settings = {"host": "127.0.0.1", "port": self.port, "poll": "0.3s"}

    async def end(self) -> None:
        """Take it down."""
        await self.board.stop()

    async def lie(self, door: str) -> None:
        """Take writes, and leave the relays."""
        self.board.faults.add("lie")


class TestModbus(ScenarioContract):
    """The promises of an access controller, on a magnet with contact and a strike with a bolt."""

    driver = modbus.vestibule_access_control()[0]
    device = BoardOnCable
    doors: ClassVar[dict[str, dict[str, Any]]] = {
        "main": {"coil": 0, "energised": "locked", "contact": 0},
        "yard": {"coil": 1, "energised": "unlocked"},
    }

    @pytest.mark.parametrize(
        ("energised", "verb", "on", "lock"),
        [
            ("locked", "lock", True, "locked"),
            ("locked", "hold_open", False, "unlocked"),
            ("unlocked", "lock", False, "locked"),
            ("unlocked", "unlock", True, "unlocked"),
        ],
    )
    def test_a_coil_means_what_the_configuration_says(
        self, energised: str, verb: str, on: bool, lock: str
    ) -> None:
        """`energised` alone decides what on and off are; the report follows a reading."""

        async def scenario(trial: Trial) -> None:
            board(trial).coils[2] = not on
            async with self.started(trial) as instance:
                await instance.command("door", verb, "key")
                report = await answer(instance, "door")
                assert (report.lock, board(trial).coils[2]) == (lock, on)
                assert report.detail == "as its relay is set; nothing tells where the bolt is"
                assert board(trial).asked[-2:] == [(WRITE_COIL, 2), (READ_COILS, 2)]

        self.go(scenario, door={"coil": 2, "energised": energised})

    def test_a_bolt_tells_more_than_its_relay(self) -> None:
        """It is moving, then locked; one that does not follow is jammed after two seconds, and
        one that is moved later by hand stands as it stands.
        """

        async def scenario(trial: Trial) -> None:
            assert self.time is not None
            board(trial).faults.add("jam")
            async with self.started(trial) as instance:
                await instance.command("door", "lock", "key")
                await answer(instance, "door", "moving")
                board(trial).inputs[5] = True
                await instance.refresh("door")
                assert (await answer(instance, "door", "locked")).detail == ""
                board(trial).inputs[5] = False
                await instance.refresh("door")
                moved = await answer(instance, "door", "unlocked")
                assert moved.detail == "its relay is set to locked, yet the bolt was moved"
                board(trial).inputs[5] = True
                await instance.command("door", "unlock", "key")
                await self.time.advance(2.1)
                await instance.refresh("door")
                stuck = await answer(instance, "door", "jammed")
                assert stuck.detail == "its relay is set to unlocked, and the bolt has not followed"

        self.go(scenario, door={"coil": 3, "energised": "locked", "bolt": 5})

    def test_a_contact_is_seen_within_one_poll(self) -> None:
        """The position is that of the contact, read every `poll`, in both wirings."""

        async def scenario(trial: Trial) -> None:
            assert self.time is not None
            board(trial).inputs[0] = True
            async with self.started(trial) as instance, listening(instance) as heard:
                await heard.until(lambda each: (each.door, each.position) == ("one", "closed"))
                await heard.until(lambda each: (each.door, each.position) == ("other", "open"))
                board(trial).inputs[0] = False
                await self.time.advance(1)
                seen = await heard.until(lambda each: (each.door, each.position) == ("one", "open"))
                assert not seen.answers
                await heard.until(lambda each: (each.door, each.position) == ("other", "closed"))

        one = {"coil": 0, "energised": "locked", "contact": 0}
        self.go(scenario, one=one, other={**one, "closed_when": "off"})

    def test_one_passage_is_ended_by_the_board(self) -> None:
        """The pulse is the board's own; without a pulse coil there is no `momentary` at all."""

        async def scenario(trial: Trial) -> None:
            board(trial).coils[0] = True
            async with self.started(trial) as instance:
                await instance.command("main", "momentary", "key")
                assert (await answer(instance, "main")).lock == "unlocked"
                assert [each for each in board(trial).asked if each[0] == WRITE_COIL] == [
                    (WRITE_COIL, 32)
                ]
                board(trial).end_pulse(0)
                await instance.refresh("main")
                assert (await answer(instance, "main")).lock == "locked"
                with pytest.raises(CommandFailed, match="takes no momentary; it takes hold_open"):
                    await instance.command("yard", "momentary", "key")

        pulsed = {"coil": 0, "energised": "locked", "pulse_coil": 32}
        self.go(scenario, main=pulsed, yard={"coil": 1, "energised": "locked"})

    def test_one_passage_through_an_unlocked_door_locks_nothing(self) -> None:
        """Where it is unlocked anyway no pulse is made, since it would lock the door."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                await instance.command("main", "momentary", "key")
                assert (await answer(instance, "main")).lock == "unlocked"
                assert WRITE_COIL not in [function for function, _ in board(trial).asked]

        self.go(scenario, main={"coil": 0, "energised": "locked", "pulse_coil": 32})

    def test_what_the_board_refuses_is_said(self) -> None:
        """An address that is not there fails its door's commands and harms no other door."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance, listening(instance) as heard:
                report = await heard.until(lambda each: each.door == "none")
                assert (report.lock, report.online) == ("unknown", True)
                assert report.detail.endswith("it has no such address")
                with pytest.raises(CommandFailed, match=r"coil 99 of .*: it has no such address"):
                    await instance.command("none", "lock", "key")
                await instance.command("main", "lock", "key")
                await heard.until(lambda each: (each.door, each.lock) == ("main", "locked"))
                found = await instance.probe()
                assert (found.works, "none: coil 99" in found.found) == (False, True)
                board(trial).faults.add("busy")
                with pytest.raises(CommandFailed, match="it is busy"):
                    await instance.command("main", "unlock", "key")

        wired = {"energised": "locked"}
        self.go(scenario, none={"coil": 99, **wired}, main={"coil": 0, **wired})

    def test_a_board_that_swallows_questions_took_nothing(self) -> None:
        """No answer within the limit is NotReady, and its doors are offline after one poll."""

        async def scenario(trial: Trial) -> None:
            assert self.time is not None
            async with self.started(trial) as instance, listening(instance) as heard:
                board(trial).faults.add("drop")
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr("plugins.access_control._modbus_board.ANSWER_S", 0.15)
                    with pytest.raises(NotReady, match=r"does not answer within 0\.15 s"):
                        await instance.command("main", "lock", "key")
                    await heard.until(lambda each: not each.online, self.time)

        self.go(scenario)

    def test_a_reboot_shows_the_relays_as_they_fell(self) -> None:
        """After a power cut of the board the next poll says unlocked, as no answer."""

        async def scenario(trial: Trial) -> None:
            assert self.time is not None
            async with self.started(trial) as instance, listening(instance) as heard:
                await instance.command("main", "lock", "key")
                await heard.until(lambda each: each.lock == "locked")
                heard.heard.clear()
                board(trial).reboot()
                await heard.until(
                    lambda each: (each.door, each.lock) == ("main", "unlocked"), self.time
                )

        self.go(scenario)

    def test_a_panel_starts_its_own_lockdown(self) -> None:
        """A dry contact starts it once for all doors; each is as the panel's output tells."""

        async def scenario(trial: Trial) -> None:
            board(trial).coils[7] = True
            board(trial).bolts[7] = 4
            board(trial).inputs[4] = True
            async with self.started(trial) as instance, listening(instance) as heard:
                can = instance.capabilities
                assert (can.lockdown_native, can.badges_still_work, can.local_siren) == (True,) * 3
                tried = {"badges_still_work": False, "local_siren": False}
                told = trial.build(panel=tried).capabilities
                assert (told.badges_still_work, told.local_siren) == (False, False)
                assert can.verbs == {"lockdown", "lockdown_release"}
                await instance.lockdown_all(True, "key")
                written = [each for each in board(trial).asked if each[0] == WRITE_COIL]
                assert written == [(WRITE_COIL, 7)]
                assert board(trial).coils[7] is False
                await instance.refresh("told")
                report = await heard.until(lambda each: each.lock == "locked")
                assert (report.door, report.answers) == ("told", True)
                untold = [each for each in heard.heard if each.door == "untold"]
                assert {each.lock for each in untold} == {"unknown"}
                board(trial).faults.add("lie")
                with pytest.raises(CommandFailed, match=r"relay 7 .* took the command and stays"):
                    await instance.lockdown_all(False, "key")

        panel = {"lockdown": 7, "lockdown_when": "off"}
        told = {**panel, "bolt": 4, "bolted_when": "off"}
        self.go(scenario, told=told, untold=panel)

    def test_a_panel_that_is_told_no_more_is_in_no_lockdown(self) -> None:
        """The relay fell back: the door is still locked, and says that it is in no lockdown."""

        async def scenario(trial: Trial) -> None:
            board(trial).inputs[4] = True
            async with self.started(trial) as instance, listening(instance) as heard:
                await instance.lockdown_all(True, "key")
                told = await heard.until(lambda each: each.answers and each.lock == "locked")
                assert told.lockdown is None
                heard.heard.clear()
                board(trial).coils[7] = False
                await instance.refresh("told")
                told = await heard.until(lambda each: each.lockdown is False)
                assert told.lock == "locked"

        self.go(scenario, told={"lockdown": 7, "bolt": 4})

    def test_a_relay_that_stays_holds_no_other_panel(self) -> None:
        """The lockdown of all goes on to the next relay, and then says which stayed."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                with pytest.raises(CommandFailed, match="coil 9999"):
                    await instance.lockdown_all(True, "key")
                assert board(trial).coils[7] is True

        self.go(scenario, one={"lockdown": 9999}, two={"lockdown": 7})

    def test_a_door_comes_and_goes_without_the_others_noticing(self) -> None:
        """The line is kept; a new door is met, and one that went is unknown."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance, listening(instance) as heard:
                taken = trial.device.cable.taken  # type: ignore[attr-defined]
                new = Wired.model_validate({"coil": 4, "energised": "locked"})
                await instance.adopt({"main": instance._doors["main"], "new": new})
                await heard.until(lambda each: each.door == "new")
                await instance.command("new", "lock", "key")
                assert board(trial).coils[4] is True
                with pytest.raises(CommandFailed, match="belongs to yard"):
                    await instance.command("yard", "lock", "key")
                assert trial.device.cable.taken == taken  # type: ignore[attr-defined]

        self.go(scenario)

    def test_a_probe_moves_no_relay(self) -> None:
        """A probe only reads, on a line of its own, and says what answers."""

        async def scenario(trial: Trial) -> None:
            found = await trial.build().probe()
            port = trial.device.port  # type: ignore[attr-defined]
            assert found.found == f"the board at 127.0.0.1:{port} answers for 2 doors"
            assert WRITE_COIL not in [function for function, _ in board(trial).asked]
            await trial.device.vanish()
            with pytest.raises(NotReady, match="nothing listens there"):
                await trial.build().probe()

        self.go(scenario)

    @pytest.mark.parametrize(
        ("block", "words"),
        [
            ({"coil": 0}, "expected `energised`"),
            ({}, "expected a relay of its own"),
            ({"bolt": 0, "pulse_coil": 32}, "expected `coil` with `pulse_coil`"),
            ({"coil": 3, "energised": "locked", "lockdown": 3}, "another relay"),
        ],
    )
    def test_wiring_that_cannot_work_is_refused(self, block: dict[str, Any], words: str) -> None:
        """What a door says of its wiring is checked before anything runs."""
        with pytest.raises(ValueError, match=words):
            Wired.model_validate(block)


def board(trial: Trial) -> ModbusBoard:
    """The board of a trial."""
    assert isinstance(trial.device, BoardOnCable)
    return trial.device.board
