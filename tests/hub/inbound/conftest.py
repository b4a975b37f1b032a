"""The journal is furniture here: its own tests are in `tests/hub/storage`."""

from tests.in_memory import tmp_path

__all__ = ["tmp_path"]
