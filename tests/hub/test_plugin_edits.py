"""A plugin that somebody has edited runs as it stands now."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

import pytest
from test_plugins import GOOD, write

from hub.plugins import load_registry


def test_an_edit_is_seen_whatever_its_time_and_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as before and changed within the same second, the new code is what runs."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = write(tmp_path, "lamp.py", GOOD)
    for colour in ("amber", "green"):
        write(tmp_path, "lamp.py", GOOD.replace("amber", colour))
        os.utime(path, (1_700_000_000, 1_700_000_000))
        driver = load_registry(tmp_path).drivers("notifiers")["lamp"]
        assert driver.config.model_fields["colour"].default == colour


def test_an_edit_within_a_folder_is_seen_whatever_its_time_and_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the plugin imports of its own folder, however deep, is the new code as well."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    inside = tmp_path / "lamps" / "paint"
    shade = "from .paint.shades import SHADE\n"
    plugin = shade + textwrap.dedent(GOOD).replace('"amber"', "SHADE")
    write(tmp_path / "lamps", "__init__.py", plugin)
    write(inside, "__init__.py", "")
    for colour in ("amber", "green"):
        path = write(inside, "shades.py", f"SHADE = {colour!r}\n")
        os.utime(path, (1_700_000_000, 1_700_000_000))
        driver = load_registry(tmp_path).drivers("notifiers")["lamp"]
        assert driver.config.model_fields["colour"].default == colour
