"""The systemd unit of the guide is one that systemd takes."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

GUIDE = Path(__file__).resolve().parent.parent / "docs/guide/service.md"


def test_the_unit_of_the_guide_is_sound(tmp_path: Path) -> None:
    """It reads as a unit, its credential is the one the text speaks of, and systemd, where it is
    there, finds nothing unknown in it."""
    text = GUIDE.read_text(encoding="utf-8")
    unit = re.search(r"```ini\n(.*?)```", text, re.S)
    assert unit
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.read_string(unit[1])
    service = parsed["Service"]
    name, _, file = service["LoadCredential"].partition(":")
    assert f"!secret {name}" in text
    assert text.count(file) >= 3
    assert f"--name={name} " in text
    analyse = shutil.which("systemd-analyze")
    if analyse:
        program = service["ExecStart"].split()[0]
        there = tmp_path / "vestibule.service"
        there.write_text(unit[1].replace(program, "/bin/true"))
        done = subprocess.run(
            [analyse, "verify", "--man=no", str(there)],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        about_us = [line for line in done.stderr.splitlines() if "vestibule" in line]
        assert not about_us, done.stderr
