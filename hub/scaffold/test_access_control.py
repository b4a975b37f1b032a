"""The driver `sample`: what every access controller promises, and what this one does."""

from __future__ import annotations

from hub.scaffold.access_control import vestibule_access_control
from hub.testing import AccessControllerContract, Trial


class TestSample(AccessControllerContract):
    """The promises of an access controller; pretended relays cannot vanish."""

    driver = vestibule_access_control()[0]
    doors = {"main": {"relay": 1}, "yard": {"relay": 2}}
    alone = True

    def test_each_door_has_its_relay(self) -> None:
        """Unlocking one door is reported for that door, and the other stays locked."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                await instance.command("main", "unlock", "a")
                await instance.refresh("yard")
                reports = instance.reports()
                heard = [await anext(reports), await anext(reports)]
                await reports.aclose()
            assert [(each.door, each.lock) for each in heard] == [
                ("main", "unlocked"),
                ("yard", "locked"),
            ]

        self.run(scenario)
