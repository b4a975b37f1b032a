"""The driver `csv_list`: what every visitor system promises, and what this one does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import pytest
from vestibule_csv_list import vestibule_visitors

from hub import Event, NotReady, Visit
from hub.testing import Device, FakeClock, Trial, VisitorSystemContract

HEAD = "visitor,host,purpose,from,until\n"
TODAY = HEAD + (
    "Piano tuner,Music department,Tuning,2026-03-02 08:30,2026-03-02 12:00\n"
    "Reading volunteer,Library,Reading hour,2026-03-02 09:00,2026-03-02 10:30\n"
    "Photographer,Front office,Portraits,2026-03-03 08:00,2026-03-03 15:00\n"
)


class Export(Device):
    """The file of a registration system, which can be taken away or spoilt."""

    async def start(self) -> None:
        """Export the list."""
        self.file = self.folder / "expected.csv"
        self.settings = {"file": "expected.csv"}
        await self.come_back()

    async def vanish(self) -> None:
        """Take it away."""
        self.file.unlink(missing_ok=True)

    async def speak_nonsense(self) -> None:
        """Put something else in its place."""
        self.file.write_bytes(bytes(range(128, 256)))

    async def come_back(self) -> None:
        """Export it again."""
        export(self.file, TODAY)


class TestCsvList(VisitorSystemContract):
    """The promises of a visitor system; it is 8 o'clock on the 2nd of March."""

    driver = vestibule_visitors()[0]
    device = Export
    alone = True  # a file can be gone or spoilt, but not silent
    times: ClassVar[list[FakeClock]] = []

    def clock(self) -> FakeClock:
        """A clock that a test moves; the newest is the one of the newest instance."""
        self.times[:] = [FakeClock(datetime(2026, 3, 2, 8, 0, tzinfo=UTC))]
        return self.times[0]

    def test_the_day_of_the_file_is_expected(self) -> None:
        """Visits of today are listed by time, with host and purpose; tomorrow's are not."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                found: list[Visit] = await instance.visits()
            assert [(each.visitor, each.host, each.purpose) for each in found] == [
                ("Piano tuner", "Music department", "Tuning"),
                ("Reading volunteer", "Library", "Reading hour"),
            ]
            assert found[0].until == datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

        self.run(scenario)

    def test_a_new_export_is_read(self) -> None:
        """The file of the next night is seen at the next question, without a restart."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                assert len(await instance.visits()) == 2
                export(listed(trial), TODAY.replace("2026-03-03", "2026-03-02"))
                assert len(await instance.visits()) == 3

        self.run(scenario)

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("A,B,C,9 o'clock,2026-03-02 12:00", "from: expected a time such as 2026-03-02 09:30"),
            ("A,B,C,2026-03-02 12:00,2026-03-02 09:00", "until: expected a time after 2026-03-02"),
            (",B,C,2026-03-02 09:00,2026-03-02 12:00", "visitor: expected a name, found nothing"),
            ("A,B,C", "expected a value for each column of line 1"),
            ("A,B,C,2026-03-02 09:00,2026-03-02 12:00,D", "expected a value for each column"),
        ],
    )
    def test_a_broken_line_is_named_and_loses_no_other(self, line: str, said: str) -> None:
        """File, line and what was expected are published once and probed; the rest is listed."""

        async def scenario(trial: Trial) -> None:
            export(listed(trial), TODAY.replace("\n", f"\n{line}\n", 1))
            async with self.started(trial) as instance:
                assert len(await instance.visits()) == len(await instance.visits()) == 2
                found = await instance.probe()
            (event,) = trial.events
            assert event.type == "plugin.csv_list.left_out"
            (told,) = event.data["lines"]
            assert told.startswith(f"{listed(trial)}:2: {said}")
            assert found.found.startswith("3 visits in")
            assert told in found.remedy

        self.run(scenario)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("name,host\n", ":1: expected the columns visitor, host, purpose, from, until; found"),
            ("", ":1: expected the columns"),
            ("\udcff", "expected CSV in UTF-8"),
            (HEAD + "\n" * 20_001 + "x", "expected at most 20000 lines"),
        ],
    )
    def test_another_file_is_refused_or_the_last_good_one_stays(self, text: str, said: str) -> None:
        """At the start the reason is raised; later it is told once, and the old list is kept."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                listed(trial).write_bytes(text.encode("utf-8", "surrogateescape"))
                assert len(await instance.visits()) == len(await instance.visits()) == 2
            (event,) = trial.events
            assert said in event.data["lines"][0]
            with pytest.raises(NotReady, match=said.partition("(")[0]):
                await trial.build().start()

        self.run(scenario)

    def test_the_next_export_forgets_nobody_who_is_here(self) -> None:
        """Who is here stays listed when the new file has no line for them, also after a restart."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                tuner = (await instance.visits())[0]
                await instance.check_in(tuner.id)
                export(listed(trial), HEAD)
                assert [each.visitor for each in await instance.visits()] == ["Piano tuner"]
            async with self.started(trial) as instance:
                assert [each.state for each in await instance.visits()] == ["here"]
                assert (await instance.check_out(tuner.id)).state == "left"

        self.run(scenario)

    def test_who_stays_too_long_is_told_once(self) -> None:
        """After the agreed time the visit is told, under one event id also after a restart."""

        async def scenario(trial: Trial) -> None:
            for _ in range(2):
                async with self.started(trial) as instance:
                    reader = (await instance.visits())[1]
                    if reader.state == "expected":
                        await instance.check_in(reader.id)
                    await self.times[0].advance(0)
                    await self.times[0].advance(2.4 * 3600)
                    assert not late(trial) or len(late(trial)) == 1
                    for _ in range(3):
                        await self.times[0].advance(600)
            told = late(trial)
            assert len(told) == 2
            assert len({event.id for event in told}) == 1
            assert told[0].data["visitor"] == "Reading volunteer"

        self.run(scenario)

    def test_damaged_state_is_not_taken_for_an_empty_house(self) -> None:
        """Where it cannot be read who is here, start says so and names the file."""

        async def scenario(trial: Trial) -> None:
            (self.folder / "state").mkdir()
            (self.folder / "state" / "visits.json").write_text("[{}]")
            with pytest.raises(NotReady, match=r"visits\.json; move it away"):
                await trial.build().start()

        self.run(scenario)


def export(file: Path, text: str) -> None:
    """Write the file as an export does: beside it, then into its place."""
    part = file.with_suffix(".new")
    part.write_text(text, encoding="utf-8")
    part.replace(file)


def listed(trial: Trial) -> Path:
    """The file of a trial."""
    assert isinstance(trial.device, Export)
    return trial.device.file


def late(trial: Trial) -> list[Event]:
    """Who was told to have stayed too long."""
    return [event for event in trial.events if event.type == "visitor.overstayed"]
