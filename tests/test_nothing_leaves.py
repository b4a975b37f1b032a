"""Nothing leaves the school that its file does not name: libraries tell their makers nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOOK = """
import os, sys
import hub
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
onnxruntime.InferenceSession(sys.argv[1], options)
for each in os.listdir("/proc/self/task"):
    print(open(f"/proc/self/task/{each}/comm").read().strip())
"""


def test_the_library_that_runs_models_tells_its_maker_nothing(tmp_path: Path) -> None:
    """ONNX Runtime, which sends how it is used unless told not to, neither starts the thread that
    sends nor keeps a number of the machine where the hub was imported first."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ORT_")}
    for quiet in ("CI", "GITHUB_ACTIONS", "TF_BUILD"):  # with which it would be silent anyway
        kept.pop(quiet, None)
    homes = {"HOME": str(tmp_path), "XDG_CACHE_HOME": "", "XDG_DATA_HOME": "", "TMPDIR": ""}
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(ROOT / "plugins/detectors/models/people.onnx")],
        env={**kept, **homes, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []
    assert len(done.stdout.split()) == 1, "a thread of its own beside the one that looks"
