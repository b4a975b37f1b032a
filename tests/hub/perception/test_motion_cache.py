"""How the gate loads: lightly, with or without Numba, with or without a place to cache."""

import os
import subprocess
import sys
from pathlib import Path


def run_python(code: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(root), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_gate_does_not_import_numba() -> None:
    """Numba costs a second and a hundred megabytes: only who makes a gate pays."""
    code = "import sys, hub.perception.motion; print('numba' in sys.modules)"
    assert run_python(code) == "False"


def test_without_numba_the_twin_takes_over() -> None:
    """Where Numba cannot load the gate works and says what it runs on."""
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "import numpy as np\n"
        "from hub.perception.motion import MotionGate\n"
        "gate = MotionGate(64, 48, 5)\n"
        "gate.update(np.zeros((48, 64), np.uint8))\n"
        "print(gate.kernel)"
    )
    assert run_python(code) == "numpy"


def test_a_cache_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """With nowhere to cache, nothing is cached, and nothing raises."""
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    code = (
        "import numpy as np\n"
        "from hub.perception import motion_cache\n"
        "print(motion_cache.place(), motion_cache.OPTIONS['cache'])"
    )
    assert run_python(code, NUMBA_CACHE_DIR=str(blocked)) == "None False"
    nowhere = {"NUMBA_CACHE_DIR": "", "HOME": str(blocked), "XDG_CACHE_HOME": str(blocked)}
    found = run_python(code, **nowhere, CACHE_DIRECTORY=str(blocked), TMPDIR=str(tmp_path))
    assert found.startswith(str(tmp_path))
    assert found.endswith("True")
