"""How long to wait before a line that broke is tried again."""

from __future__ import annotations

import random


def pause(attempt: int, first: float, longest: float) -> float:
    """Seconds: twice as long after each attempt (counted from 0), and not in step with others."""
    return min(longest, first * 2.0 ** min(attempt, 10)) * random.uniform(0.5, 1.0)
