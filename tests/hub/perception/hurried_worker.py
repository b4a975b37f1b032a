"""A perception worker whose clock runs thirty times too fast, so that a minute takes two seconds.

Started like the real one, which it is but for its clock.
"""

from __future__ import annotations

import time

import hub.perception.worker as worker
from hub.clock import SystemClock

TIMES = 30


class Hurried(SystemClock):
    """The machine's clock, hurried."""

    def monotonic(self) -> float:
        return TIMES * time.monotonic()


if __name__ == "__main__":
    worker.SystemClock = Hurried  # type: ignore[misc, assignment]
    worker.main()
