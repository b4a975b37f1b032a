"""The commands around the check: notes go to standard error and change no exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTED = """\
places:
  site: {name: School, kind: site}
notifiers:
  siren: {driver: simulated_siren, sound_for_s: 30}
cameras:
  gate: {driver: file, path: gate.mp4, place: site}
"""


def vestibule(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "hub", *words],
        cwd=folder, capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_notes_are_on_standard_error(tmp_path: Path) -> None:
    """An old key and a missing clip are noted; the file is valid, and JSON an empty array."""
    (tmp_path / "school.yaml").write_text(NOTED)
    notes = [
        "note: school.yaml:4:36: notifiers.siren.sound_for_s: `sound_for_s` is called `sound_for` "
        "now; expected the new name (`vestibule config migrate school.yaml` rewrites it)",
        "note: school.yaml:6:30: cameras.gate.path: there is no file 'gate.mp4' here; "
        "expected it where the hub runs",
    ]
    done = vestibule(tmp_path, "check", "school.yaml")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [*notes, "school.yaml: valid"]
    done = vestibule(tmp_path, "check", "school.yaml", "--format", "json")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    assert done.stderr.splitlines() == notes


def test_notes_stand_beside_problems(tmp_path: Path) -> None:
    """A problem elsewhere hides no note, and a note is no problem."""
    (tmp_path / "school.yaml").write_text(NOTED.replace("kind: site", "kind: sight"))
    done = vestibule(tmp_path, "check", "school.yaml")
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr.count("note: ") == 2
    assert "valid" not in done.stderr


def test_a_hub_that_starts_says_the_notes(tmp_path: Path) -> None:
    """What somebody should know is said once more by the hub itself."""
    (tmp_path / "school.yaml").write_text(NOTED)
    done = vestibule(tmp_path, "run", "school.yaml", "--port", "0", "--for", "0.5")
    assert done.returncode == 0, done.stderr
    assert "note: school.yaml:4:36: notifiers.siren.sound_for_s: " in done.stderr
    assert "note: " not in done.stdout


def test_installed_models_are_looked_for_in_the_state_folder(tmp_path: Path) -> None:
    """`--state` names it, as for `run`; beside the file is the default."""
    (tmp_path / "school.yaml").write_text("detectors:\n  d: {driver: onnx, model: own-net}\n")
    models = tmp_path / "elsewhere" / "models"
    models.mkdir(parents=True)
    (models / "own-net.onnx").write_bytes(b"")
    done = vestibule(tmp_path, "check", "school.yaml")
    assert done.returncode == 1
    assert "detectors.d.model: 'own-net' names nothing" in done.stdout
    done = vestibule(tmp_path, "check", "school.yaml", "--state", "elsewhere")
    assert (done.returncode, done.stdout) == (0, "")


def test_what_cannot_be_read_is_neither(tmp_path: Path) -> None:
    """A missing file ends with 2 and a line that names it."""
    done = vestibule(tmp_path, "check", "school.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "school.yaml: cannot be read: No such file or directory" in done.stderr
