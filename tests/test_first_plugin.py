"""docs/guide/first-plugin.md is followed word for word: its commands are run, its changes made."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.testing import RunningHub

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "docs/guide/first-plugin.md").read_text(encoding="utf-8")
MODULES = {"vestibule": "hub", "pytest": "pytest"}
VENDORS = "--disable-plugin-autoload -p vestibule"  # of pytest's plugins only what a vendor has


class Reader:
    """Somebody who does what the page says, in a folder with what the checkout has."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.cache = cache
        self.hub: RunningHub | None = None
        self.printed: dict[str, str] = {}
        example = (ROOT / "config.example.yaml").read_text(encoding="utf-8")
        assert example.count("forced_after: 25s") == 1
        soon = example.replace("forced_after: 25s", "forced_after: 3s")
        (folder / "config.example.yaml").write_text(soon, encoding="utf-8")
        shutil.copytree(ROOT / "examples", folder / "examples")

    def follow(self) -> Iterator[str]:
        """Do each block of the page, and say which was done."""
        for kind, text in re.findall(r"^```(\w+)\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL):
            if kind == "diff":
                self.change(text)
                yield text
            for command in text.splitlines() if kind == "sh" else ():
                if command.startswith("vestibule run "):
                    config = self.folder / command.split()[2]
                    self.hub = RunningHub(config, self.folder / ".vestibule", cache=self.cache)
                    self.hub.start()
                elif not command.startswith("export "):
                    self.printed[command] = self.run(command)
                yield command

    def run(self, command: str) -> str:
        """What a command prints; it must work."""
        first, *words = command.split()
        module = MODULES.get(first)
        done = subprocess.run(
            [sys.executable, "-m", module, *words] if module else [first, *words],
            cwd=self.folder, capture_output=True, text=True, check=False, timeout=120,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": VENDORS},
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def change(self, text: str) -> None:
        """Make the change of a diff; the place that it means is there exactly once."""
        heading, *lines = text.splitlines()
        file = self.folder / heading.removeprefix("--- ")
        before = "\n".join(line[1:] for line in lines if line[0] in " -")
        after = "\n".join(line[1:] for line in lines if line[0] in " +")
        whole = file.read_text(encoding="utf-8")
        assert whole.count(before) == 1, f"{file.name}: {before}"
        file.write_text(whole.replace(before, after), encoding="utf-8")


@pytest.fixture
def reader(tmp_path: Path, drawn_cameras: Path) -> Iterator[Reader]:
    """A reader who leaves no hub running."""
    someone = Reader(tmp_path, drawn_cameras)
    yield someone
    if someone.hub is not None:
        someone.hub.stop()


def test_the_guide_leads_to_a_driver_in_the_example_school(reader: Reader) -> None:
    """Every command works, the plugin is listed as shown, the running school hands it the notice of
    the forced door, and after the change and the reload a verdict has the new words."""
    board = reader.folder / "hall_board.txt"
    (shown,) = re.findall(r"\n\n```\n([^`]*)```\n", GUIDE)
    steps = []
    for step in reader.follow():
        steps.append(step)
        if step.startswith("vestibule run "):
            assert reader.hub is not None
            reader.hub.until("alerts", lambda _: board.exists(), within_s=90)
            assert re.fullmatch(r"\S+Z high Door forced open .*\n", board.read_text())
    assert len(steps) == 17
    assert reader.printed["vestibule plugins --config my-school.yaml"].endswith(shown)
    assert " passed" in reader.printed["pytest my_plugins"]
    assert "my-school.yaml: valid" in reader.printed["vestibule check my-school.yaml"]
    assert "hall_board" in reader.printed["vestibule reload my-school.yaml --yes"]

    assert reader.hub is not None
    alerts = reader.hub.get("alerts")
    forced = next(alert for alert in alerts if alert["rule"] == "forced_door")
    reader.hub.post(f"alerts/{forced['id']}/verdict", {"verdict": "verified", "note": ""})
    reader.hub.until("alerts", lambda _: "ATTENTION" in board.read_text(), within_s=30)
