"""The driver `modbus_relay`: what every access controller promises, and what this one does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pretended_board import PretendedBoard
from vestibule_modbus_relay import HELD, vestibule_access_control

from hub import Clock, CommandFailed, DoorReport, NotReady, SystemClock
from hub.testing import AccessControllerContract, CabledDevice, FakeClock, Trial


class BoardOnCable(CabledDevice):
    """The pretended board behind a line that can be cut."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.board = PretendedBoard()

    async def serve(self) -> int:
        """Bring the board up."""
        return await self.board.start()

    async def start(self) -> None:
        """Say where the near end of the line is."""
        await super().start()
        self.settings = {"host": "127.0.0.1", "port": self.port, "poll": "200ms"}

    async def lie(self, door: str) -> None:
        """The board answers each write as it should, and no relay moves."""
        self.board.stuck.update(range(8))

    async def end(self) -> None:
        """Take the board down."""
        await self.board.stop()


class TestModbusRelay(AccessControllerContract):
    """The promises of an access controller: a magnet with a contact, and a strike without."""

    driver = vestibule_access_control()[0]
    device = BoardOnCable
    doors = {
        "main": {"coil": 0, "locked_when": "on", "contact": 0},
        "yard": {"coil": 1, "locked_when": "off"},
        "beyond": {"coil": 2, "locked_when": "on", "contact": 99},
    }
    time: FakeClock | None = None

    def clock(self) -> Clock:
        """The machine's own, unless a test brings one that it moves."""
        return self.time or SystemClock()

    @pytest.mark.parametrize(
        ("door", "coil", "current"), [("main", 0, {"lock": True}), ("yard", 1, {"lock": False})]
    )
    def test_a_command_moves_the_coil_and_reports_what_was_read(
        self, door: str, coil: int, current: dict[str, bool]
    ) -> None:
        """Fail-safe locks with current and fail-secure without; the report follows a reading."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                for verb, lock in (("lock", "locked"), ("unlock", "unlocked"), ("lock", "locked")):
                    await instance.command(door, verb, "key")
                    report = await answer(instance, door)
                    assert report.lock == lock
                    assert board(trial).coils[coil] == (current["lock"] == (verb == "lock"))
                    asked = [message[0] for message in board(trial).asked]
                    assert 0x01 in asked[max(at for at, each in enumerate(asked) if each == 5) :]

        self.run(scenario)

    def test_a_relay_that_does_not_move_is_not_believed(self) -> None:
        """The board takes the write and the relay stays: the door is still unlocked."""

        async def scenario(trial: Trial) -> None:
            board(trial).stuck.add(0)
            async with self.started(trial) as instance:
                await instance.command("main", "lock", "key")
                assert (await answer(instance, "main")).lock == "unlocked"

        self.run(scenario)

    def test_the_position_is_that_of_the_contact_alone(self) -> None:
        """A contact that opens is an open door; a door without one says nothing of it."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                assert instance.capabilities.has_position
                assert instance.capabilities.without_position == {"yard"}
                for closed, position in ((True, "closed"), (False, "open")):
                    board(trial).inputs[0] = closed
                    await instance.refresh("main")
                    assert (await answer(instance, "main")).position == position
                await instance.refresh("yard")
                assert (await answer(instance, "yard")).position is None

        self.run(scenario)

    def test_what_the_board_refuses_is_unknown_and_said(self) -> None:
        """A contact that the board does not have is unknown, with the reason; its lock is known."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                await instance.refresh("beyond")
                report = await answer(instance, "beyond")
            assert (report.lock, report.position, report.online) == ("unlocked", "unknown", True)
            assert report.detail.endswith("it has no such address")

        self.run(scenario)

    def test_a_refused_write_is_a_failed_command(self) -> None:
        """A coil that the board does not have ends as CommandFailed, with coil and reason."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                with pytest.raises(CommandFailed, match=r"coil 9 of .*: it has no such address"):
                    await instance.command("none", "lock", "key")

        doors, self.doors = self.doors, {"none": {"coil": 9, "locked_when": "on"}}  # type: ignore[misc]
        self.run(scenario)
        self.doors = doors  # type: ignore[misc]

    def test_it_reads_every_second_and_tells_a_loss_once(self) -> None:
        """A contact is seen within one poll; a loss is told once for each door, and the return."""

        async def scenario(trial: Trial) -> None:
            assert self.time is not None
            instance = trial.build(poll="1s")
            await instance.start()
            reports = instance.reports()
            for _ in self.doors:
                assert (await anext(reports)).online
            board(trial).inputs[0] = False
            await self.time.advance(0)  # the poll is on its way before time passes
            await self.time.advance(0.9)
            assert instance._reports.empty()
            await self.time.advance(0.2)
            seen = [await anext(reports) for _ in self.doors]
            assert (seen[0].door, seen[0].position, seen[0].answers) == ("main", "open", False)
            await trial.device.vanish()
            lost = []
            while len(lost) < len(self.doors):
                await self.time.advance(1)
                await asyncio.sleep(0.01)
                while not instance._reports.empty():
                    lost.append(await anext(reports))
            assert {(each.door, each.online) for each in lost} == {
                (door, False) for door in self.doors
            }
            assert "nothing listens there" in lost[0].detail or "hung up" in lost[0].detail
            await trial.device.come_back()
            await self.time.advance(1)
            back = [await asyncio.wait_for(anext(reports), 5) for _ in self.doors]
            assert all(each.online and each.lock for each in back)
            await reports.aclose()
            await instance.close()

        self.time = FakeClock()
        self.run(scenario)

    def test_only_the_newest_reports_are_kept(self) -> None:
        """While nobody reads, so many are held and the rest is counted; the newest stays."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                for _ in range(HELD):
                    await instance.refresh("yard")
                await instance.command("main", "lock", "key")
                assert instance.dropped > 0
                reports = instance.reports()
                held = [await anext(reports) for _ in range(HELD)]
                assert [each.lock for each in held if each.door == "main"][-1] == "locked"
                await reports.aclose()

        self.time = FakeClock()
        self.run(scenario)

    def test_another_protocol_is_named(self) -> None:
        """What answers with other bytes is said not to be a board, and is not believed."""

        async def scenario(trial: Trial) -> None:
            await trial.device.speak_nonsense()
            with pytest.raises(NotReady, match="answers, but not as Modbus TCP"):
                await trial.build().start()

        self.run(scenario)

    def test_a_cancelled_command_does_not_spoil_the_next(self) -> None:
        """Whenever it is called off, the answer that still comes is not taken for another's."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                for ticks in range(12):
                    command = asyncio.create_task(instance.command("yard", "unlock", "a"))
                    for _ in range(ticks):
                        await asyncio.sleep(0)
                    command.cancel()
                    await asyncio.wait({command})
                    await instance.command("main", "lock", "b")
                    assert (await answer(instance, "main")).lock == "locked"

        self.time = FakeClock()
        self.run(scenario)

    def test_no_line_is_opened_after_close(self) -> None:
        """Commands that wait for their turn while it is closed fail, and reach no board."""

        async def scenario(trial: Trial) -> None:
            instance = trial.build()
            await instance.start()
            commands = [asyncio.create_task(instance.command("yard", "lock", "k")) for _ in "abc"]
            await asyncio.sleep(0)
            taken = trial.device.cable.taken  # type: ignore[attr-defined]
            await instance.close()
            results = await asyncio.gather(*commands, return_exceptions=True)
            assert all(isinstance(each, NotReady) for each in results), results
            assert trial.device.cable.taken == taken  # type: ignore[attr-defined]

        self.run(scenario)

    def test_a_probe_moves_no_relay(self) -> None:
        """A probe only reads."""

        async def scenario(trial: Trial) -> None:
            instance = trial.build()
            assert "answers for 3 doors" in await instance.probe()
            await instance.close()
            assert {message[0] for message in board(trial).asked} == {0x01, 0x02}

        self.run(scenario)


def board(trial: Trial) -> PretendedBoard:
    """The board of a trial."""
    assert isinstance(trial.device, BoardOnCable)
    return trial.device.board


async def answer(instance: Any, door: str) -> DoorReport:
    """The next report of a door that answers."""
    reports = instance.reports()
    try:
        async with asyncio.timeout(5):
            while True:
                report: DoorReport = await anext(reports)
                if report.door == door and report.answers:
                    return report
    finally:
        await reports.aclose()
