"""The front desk keeps the contract."""

from __future__ import annotations

from hub.clock import Clock
from hub.testing import Device, FakeClock, VisitorSystemContract
from plugins.visitors import desk


class Lists(Device):
    """The lists of a school office, on its disk."""

    async def start(self) -> None:
        (self.folder / "visitors.csv").write_text(
            "visitor,host,purpose,from,until\n"
            "Reading volunteer,Library,Reading hour,09:00,10:30\n"
            "Piano tuner,Music department,Tuning,08:30,12:00\n"
        )
        (self.folder / "stop.csv").write_text("name,reason\nSomebody Else,a court order\n")
        self.settings = {"file": "visitors.csv", "do_not_admit": "stop.csv"}


class TestDesk(VisitorSystemContract):
    driver = desk.vestibule_visitors()[0]
    device = Lists
    alone = True

    def clock(self) -> Clock:
        return FakeClock()
