"""Where Numba keeps the compiled kernels.

A hardened service can write neither to site-packages nor to a home folder, and Numba raises at
import when it finds no place. So a place is chosen before Numba is asked to cache, and without
one nothing is cached. The place is named after the kernels' sources, because Numba renews a
cached function only when its own file changes, not when one changes that it calls.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def _candidates() -> Iterator[Path]:
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        yield Path(chosen)
        return
    for name in ("CACHE_DIRECTORY", "XDG_CACHE_HOME"):
        for folder in os.environ.get(name, "").split(":"):
            if folder:
                yield Path(folder) / "vestibule" / "numba"
    if os.environ.get("HOME"):
        yield Path(os.environ["HOME"]) / ".cache" / "vestibule" / "numba"
    # The user's number keeps two users of one machine out of each other's folder.
    yield Path(tempfile.gettempdir()) / f"vestibule-{os.getuid()}" / "numba"


def _ours_and_writable(folder: Path) -> bool:
    """True when `folder` exists or could be made, belongs to us, and takes a file."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            return False
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _sources() -> str:
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("motion_*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def place() -> Path | None:
    """A writable folder of our own for compiled kernels; None when there is none.

    NUMBA_CACHE_DIR decides where it is set; otherwise the service's or the user's cache folder,
    otherwise the temporary folder.
    """
    for folder in _candidates():
        own = folder / _sources()
        if _ours_and_writable(own):
            return own
    return None


def options() -> dict[str, Any]:
    """How every kernel is compiled; points Numba at `place` first."""
    from numba import config

    folder = place()
    if folder is not None:
        vars(config)["CACHE_DIR"] = str(folder)  # set by Numba itself only at run time
    return {
        "cache": folder is not None,
        "nogil": True,
        "boundscheck": False,
        # No kernel makes an array: without reference counts a view of one costs nothing.
        "_nrt": False,
        "error_model": "numpy",
    }


OPTIONS = options()
