"""What may start a protocol: a hand, and what is signed by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.check import check
from hub.plugins import load_registry

BUILT_IN = load_registry()
SCHOOL = """
places:
  school: {{name: School, kind: site}}
notifiers:
  log: {{driver: logbook}}
protocols:
  lockdown: {{}}
inbound:
  sender:
    signature: {{secret: 0123456789abcdef{signed}}}
    fields: {{id: id, place: room{fields}}}
    does: {does}
"""
TIMED = ', timestamp: X-Time, signs: "{timestamp}.{body}"'


def said(tmp_path: Path, fields: str = "", does: str = "lockdown", signed: str = TIMED) -> str:
    """What check says to it; empty where it is fine."""
    file = tmp_path / "school.yaml"
    file.write_text(SCHOOL.format(fields=fields, does=does, signed=signed), encoding="utf-8")
    return "\n".join(str(problem) for problem in check(str(file), BUILT_IN))


@pytest.mark.parametrize("field", ["score", "camera", "label"])
@pytest.mark.parametrize("does", ["lockdown", "help", "fire"])
def test_law_2_no_detector_starts_a_protocol(tmp_path: Path, field: str, does: str) -> None:
    """A message that carries what a detector says does nothing by itself, whatever it names."""
    assert "detectors propose, people decide" in said(tmp_path, f", {field}: x", does)


def test_law_2_no_protocol_alert_of_another_system_is_a_press(tmp_path: Path) -> None:
    """A CAP message says how certain somebody's system is: it is reported, and acts on nothing."""
    told = said(tmp_path, "}\n    format: cap\n    data: {own: sender", "shelter")
    assert "`format: cap` is sent by no person's hand" in told


def test_law_3_a_signed_press_of_a_hand_is_allowed(tmp_path: Path) -> None:
    """A key fob's message, signed with a time or told apart by an id, may start a lockdown."""
    assert said(tmp_path) == ""
    assert said(tmp_path, signed="") == ""
