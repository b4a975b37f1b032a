"""The driver `sample`: what every notifier promises, and what this one does."""

from __future__ import annotations

from hub.scaffold.notifiers import vestibule_notifiers
from hub.testing import NotifierContract, Trial


class TestSample(NotifierContract):
    """The promises of a notifier; a file is no device that could vanish."""

    driver = vestibule_notifiers()[0]
    config = {"file": "notices.txt"}
    alone = True

    def test_a_notice_is_one_line(self) -> None:
        """A notice whose title has two lines becomes one line with time and severity."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                await instance.send(self.notice(title="Door\nforced", text="Now"))
            written = (self.folder / "notices.txt").read_text(encoding="utf-8")
            assert written == "2026-03-02T22:15:00.000Z severe Door forced Now\n"

        self.run(scenario)
