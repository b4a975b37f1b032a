"""The worker lets go first what moves doors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hub.perception.worker import NICE
from tests.hub.perception.test_worker import House, make_clip, playing


async def test_the_worker_has_the_smaller_share_of_the_machine(tmp_path: Path) -> None:
    """Its own niceness, and that of its session beside the hub's, where sessions have shares."""
    clip = make_clip(tmp_path / "walk.mp4", seconds=1)
    one = House(tmp_path, ["hall"])
    try:
        await one.perception.start({"hall": playing(clip)})
        await one.until(lambda: one.perception.cameras()["hall"].decoded)
        process = Path("/proc") / str(one.pid())
        assert os.getpriority(os.PRIO_PROCESS, one.pid()) == min(19, os.nice(0) + NICE)
        if not (process / "autogroup").exists():
            pytest.skip("this kernel gives sessions no share of their own")
        assert (process / "autogroup").read_text().split()[-1] == str(NICE)
    finally:
        await one.stop()
