"""One hub to a state folder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hub.errors import StateError
from hub.storage.folder import StateFolder


def test_lock_makes_the_folders_for_the_owner_alone(tmp_path: Path) -> None:
    """Everything the hub needs exists, and nobody else may look inside."""
    with StateFolder(tmp_path / "deep" / "state").lock() as folder:
        for path in (folder.media, folder.cache, folder.models, folder.run):
            assert path.is_dir()
        assert folder.path.stat().st_mode & 0o077 == 0


def test_a_second_hub_is_refused_by_name(tmp_path: Path) -> None:
    """The message names the process that holds the folder; afterwards the folder is free."""
    folder = StateFolder(tmp_path)
    with folder.lock():
        assert folder.holder() == os.getpid()
        with (
            pytest.raises(StateError, match=f"process {os.getpid()}"),
            StateFolder(tmp_path).lock(),
        ):
            pass
    with StateFolder(tmp_path).lock():
        pass


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    """A hub that was killed leaves no lock behind."""
    script = (
        "import sys, time; from pathlib import Path; from hub.storage.folder import StateFolder\n"
        "with StateFolder(Path(sys.argv[1])).lock(): print('held', flush=True); time.sleep(60)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    with pytest.raises(StateError, match=f"process {child.pid}"), StateFolder(tmp_path).lock():
        pass
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    with StateFolder(tmp_path).lock():
        pass


def test_a_path_that_is_a_file_says_what_to_do(tmp_path: Path) -> None:
    """A state folder that cannot be made is an error in words."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="--state"):
        StateFolder(tmp_path / "file" / "state").open()
