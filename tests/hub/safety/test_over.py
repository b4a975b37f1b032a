"""Once somebody has said that an alert is over, nothing that belongs to it starts any more."""

from __future__ import annotations

from pathlib import Path

from safety_school import school, until

from hub.errors import NotReady
from hub.kinds.notifiers import Notice, Receipt


async def test_no_siren_starts_after_the_end_was_told(tmp_path: Path) -> None:
    """The siren is away when the alert is verified and back when it is over: it stays silent, and
    only hears that it is over.
    """
    async with school(tmp_path) as house:
        house.perform()
        siren = house.channels["siren"]
        there, took = False, list[tuple[str, object]]()

        def answer(notice: Notice) -> Receipt:
            if not there:
                raise NotReady("the device is away")
            took.append((notice.about, notice.data.get("verdict")))
            return Receipt("delivered")

        siren.answer = answer
        await house.intake.accept(house.seen("wing"))
        alert = (await house.intake.alerts())[0]["id"]
        await house.intake.verdict(alert, "verified", "officer")
        await until(lambda: len(siren.sent) >= 1 and not house.performer.queue()["running"])
        await house.intake.resolve(alert, "officer")
        there = True
        for _ in range(12):
            await house.clock.advance(5)
            await until(lambda: not house.performer.queue()["running"])
        await house.settled()
        assert took
        assert all(said == ("verdict", "resolved") for said in took)
