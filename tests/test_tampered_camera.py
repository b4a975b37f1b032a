"""A covered camera, from the lens to the people whom a rule tells, on a running hub."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from hub.check import load_config
from hub.plugins import load_registry
from hub.testing import running_hub
from tests.clips import encoded

ROOT = Path(__file__).resolve().parent.parent
TAMPERINGS = ("covered", "moved", "defocused", "frozen", "repeating", "blind")
SCHOOL = """
hub: {{name: Test school, timezone: UTC}}
places: {{hall: {{name: Hall, kind: room}}}}
detectors: {{movers: {{driver: motion}}}}
cameras:
  hall: {{driver: file, place: hall, detector: movers, path: {clip}, loop: false}}
people: {{it: {{name: School IT, role: it}}, front_office: {{name: Office, role: front_office}}}}
notifiers: {{console: {{driver: console}}, logbook: {{driver: logbook}}}}
rules:
  camera_covered: {rule}
"""


def test_the_example_has_a_rule_for_a_covered_camera() -> None:
    """It tells people at once; the others are waited for in the same way."""
    registry = load_registry()
    config = load_config(ROOT / "config.example.yaml", registry)
    assert config.rules["camera_covered"].when == ("camera.covered",)
    assert config.rules["camera_covered"].alert is not None
    guide = (ROOT / "docs/guide/configure.md").read_text(encoding="utf-8")
    for kind in TAMPERINGS:
        assert f"camera.{kind}" in guide


def film(path: Path) -> Path:
    """Seventy-five seconds of a hall, then a hand before the lens for forty; four a second."""
    sys.path.insert(0, str(ROOT / "tests/hub/perception"))
    from tamper_scenes import HEIGHT, WIDTH, Place

    place = Place(1)
    hand = np.full((HEIGHT, WIDTH), 120, np.float32)
    planes = (place.plane(hand if n >= 4 * 75 else place.view()) for n in range(4 * 115))
    return encoded(path, planes, 4, "mjpeg", "yuvj420p", drawn="gray")


@pytest.mark.slow
def test_the_rule_of_the_example_fires_on_a_running_hub(tmp_path: Path) -> None:
    """An alert with its picture and the reason, once somebody has covered the lens for long."""
    example = yaml.safe_load((ROOT / "config.example.yaml").read_text(encoding="utf-8"))
    rule = yaml.safe_dump(example["rules"]["camera_covered"], default_flow_style=True, width=9999)
    config = SCHOOL.format(clip=film(tmp_path / "hall.mkv"), rule=rule.strip())
    with running_hub(config, tmp_path) as hub:
        alerts = hub.until("alerts", bool, within_s=130)
        (alert,) = [each for each in alerts if each["rule"] == "camera_covered"]
        assert alert["severity"] == "check"
        assert alert["picture"]
        told = hub.get(f"alerts/{alert['id']}")
        assert "lens" in str(told)
