"""The driver `sample`: what every camera promises, and what this one does."""

from __future__ import annotations

import os

from hub.scaffold.cameras import vestibule_cameras
from hub.testing import CameraContract, Device, Trial


class Clips(Device):
    """A folder with two clips that can be taken away; the newer one is `b.mp4`."""

    async def start(self) -> None:
        """Put them there."""
        self.settings = {"folder": "clips"}
        (self.folder / "clips").mkdir()
        await self.come_back()

    async def vanish(self) -> None:
        """Take them away."""
        for clip in ("a.mp4", "b.mp4"):
            (self.folder / "clips" / clip).unlink()

    async def come_back(self) -> None:
        """Put them there again."""
        for age, clip in enumerate(("b.mp4", "a.mp4")):
            (self.folder / "clips" / clip).touch()
            os.utime(self.folder / "clips" / clip, (1_000_000 - age, 1_000_000 - age))


class TestSample(CameraContract):
    """The promises of a camera; without its clips it names no source."""

    driver = vestibule_cameras()[0]
    device = Clips
    reaches = frozenset({"source"})

    def test_the_newest_clip_is_played(self) -> None:
        """Of two clips the one that was changed last is played, in a loop."""

        async def scenario(trial: Trial) -> None:
            async with self.started(trial) as instance:
                found = await instance.source("analysis")
            assert found.url.endswith("b.mp4")
            assert found.loop

        self.run(scenario)
