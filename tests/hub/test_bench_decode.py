"""What `benchmarks/decode.py` prints is measured, whole, and in one unit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hub.bench.decode import measure, table

ROOT = Path(__file__).resolve().parents[2]
BY_FFMPEG = {"ffmpeg_pipe_us", "by_command_us"}
ALWAYS = {"decode_us", "decode_gate_us", "ratio", "colour_us", "mjpeg_us", "mjpeg_due_us"}
FIGURES = ALWAYS | BY_FFMPEG


def test_the_script_prints_one_object_with_every_figure() -> None:
    """By size; only what the command does may be missing, where there is no `ffmpeg` command."""
    done = subprocess.run(
        [sys.executable, "benchmarks/decode.py", "--json", "--rounds", "2", "--sizes", "320x180"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert set(found) == {"320x180"}
    figures = found["320x180"]
    assert set(figures) == FIGURES
    assert all(figures[name] > 0 for name in ALWAYS)
    assert figures["decode_gate_us"] > figures["decode_us"]
    assert figures["mjpeg_due_us"] < 0.7 * figures["mjpeg_us"]


def test_a_larger_picture_costs_more_and_a_crop_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding grows with the picture; colour is made for what was asked for alone. It needs no
    `ffmpeg` command."""
    monkeypatch.setenv("PATH", "")
    small, large = (measure(size, rounds=2) for size in ("640x360", "1280x720"))
    assert large["ffmpeg_pipe_us"] is large["by_command_us"] is None
    growth = {name: (large[name] or 0) / (small[name] or 1) for name in ("decode_us", "colour_us")}
    assert growth["decode_us"] > 2
    assert growth["colour_us"] < 2


def test_the_table_shows_what_is_missing_as_missing() -> None:
    """Never as nought."""
    figures = dict.fromkeys(FIGURES, 1.5) | {"by_command_us": None}
    heading, line = table({"640x360": figures})
    assert set(heading.split()) == {"size", *FIGURES}
    assert line.split() == ["640x360", *["1.5"] * 7, "-"]
