"""Whether a machine is told beforehand that it is too small for its cameras."""

from __future__ import annotations

import os
import re
from typing import Any

from hub.doctor import capacity
from hub.doctor.capacity import Cost, Machine, carries, finding
from tests.hub.doctor.examined_school import School

COST = Cost(decode=0.004, look=0.001, inference=0.003)  # 0.0288 cores at 5 looks a second
SMALL = Machine(2, 8000)


def cameras(count: int, **more: Any) -> dict[str, Any]:
    """So many cameras that nobody needs to reach."""
    block = {"driver": "rtsp", "place": "site", **more}
    return {f"c{number}": {**block, "url": f"rtsp://192.0.2.1/{number}"} for number in range(count)}


async def test_five_hundred_cameras_are_too_many_and_it_says_what_to_change(school: School) -> None:
    """Measured on this very machine; more cores than any has are not to be had."""
    detectors = {"people": {"driver": "motion"}}
    school.write(detectors=detectors, cameras=cameras(500, detector="people", fps=60))
    found = await school.one(capacity.probes, limit=100)
    assert found.state in ("bad", "warn") if (os.cpu_count() or 1) < 16 else found.state
    assert found.subject == "all of them"
    carried = re.search(r"this machine carries about (\d+) of them", found.found)
    assert carried is not None
    assert 0 < int(carried[1]) < 500
    assert f"watch {carried[1]} cameras at most" in found.remedy
    assert "`fps: 2` carries" in found.remedy
    assert "such machines" in found.remedy


async def test_one_camera_fits(school: School) -> None:
    """No machine that runs the tests is too small for one camera."""
    school.write(detectors={"people": {"driver": "motion"}}, cameras=cameras(1))
    found = await school.one(capacity.probes, limit=100)
    assert found.state == "ok"
    assert found.found.startswith("1 camera takes about 0.0")


async def test_without_cameras_there_is_nothing_to_measure(school: School) -> None:
    """Nor where none is switched on, nor where the file is invalid."""
    school.write(cameras={})
    assert capacity.probes(school.given()) == []
    school.write(cameras=cameras(3, enabled=False))
    assert capacity.probes(school.given()) == []
    school.write(cameras=cameras(1, fps="fast"))
    assert capacity.probes(school.given()) == []


async def test_a_detector_that_does_not_start_is_a_warning(school: School) -> None:
    """What cannot be measured is said, and is no verdict on the machine."""
    broken = school.folder / "broken.onnx"
    broken.write_bytes(b"no model")
    detectors = {"people": {"driver": "onnx", "model": str(broken)}}
    school.write(detectors=detectors, cameras=cameras(2))
    found = await school.one(capacity.probes, limit=100)
    assert found.state == "warn"
    assert "could not be measured" in found.found
    assert "broken" in found.found


def test_the_verdict_follows_the_need() -> None:
    """Ok up to four fifths of the cores, a warning up to all of them, bad beyond."""
    most = carries([(5.0, COST)], SMALL)
    assert most == 37
    assert finding([(5.0, COST)] * most, SMALL).state == "ok"
    assert finding([(5.0, COST)] * (most + 1), SMALL).state == "warn"
    assert finding([(5.0, COST)] * 50, SMALL).state == "bad"
    assert finding([(5.0, COST)] * 70, Machine(4, 8000)).state == "ok"


def test_memory_counts_too() -> None:
    """Many cores do not help where the pictures find no room."""
    found = finding([(1.0, COST)] * 200, Machine(64, 1000))
    assert found.state == "warn"
    assert "carries about 56 of them" in found.found


def test_the_largest_part_comes_first_and_what_does_not_help_is_left_out() -> None:
    """Remedies follow what was measured."""
    heavy = finding([(5.0, Cost(0.004, 0.001, 0.05))] * 100, SMALL).remedy
    assert heavy.index("lighter model") < heavy.index("share them")
    assert "sub-streams" not in heavy
    light = finding([(2.0, Cost(0.05, 0.001, 0.0))] * 100, SMALL).remedy
    assert "sub-streams" in light
    assert "lighter model" not in light
    assert "fps" not in light
