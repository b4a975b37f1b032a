"""A test's folder in memory, for tests in which the disk is only furniture.

A journal syncs every commit, and here nobody pulls the plug. What is about the disk itself (the
journal, its kills, backups, whole hubs) keeps its folder on the disk.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
LEAST_BYTES = 1 << 30


@cache
def offered() -> bool:
    """Whether this machine has such a place, with room in it."""
    try:
        place = os.statvfs(MEMORY)
    except OSError:
        return False
    return place.f_bavail * place.f_frsize >= LEAST_BYTES and os.access(MEMORY, os.W_OK)


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of the test's own that ends with it; on the disk where memory has no room for it."""
    if not offered():
        yield tmp_path_factory.mktemp("test")
        return
    with tempfile.TemporaryDirectory(
        dir=MEMORY, prefix="vestibule-test-", ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)
