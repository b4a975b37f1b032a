"""What several workers say of one detector, as one report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SUMMED = ("waiting", "inferred", "dropped", "failed", "late", "instances", "busy_s")


def together(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Two reports of a detector (see `hub.perception.detectors`): what was counted is added up, and
    what is wrong is that of whichever is worse off.
    """
    worse, better = sorted((one, other), key=_trouble, reverse=True)
    summed = {name: round(one.get(name, 0) + other.get(name, 0), 3) for name in _SUMMED}
    behind = max(one.get("behind", 0.0), other.get("behind", 0.0))
    return {**better, **worse, **summed, "behind": behind}


def _trouble(report: Mapping[str, Any]) -> tuple[bool, bool, bool]:
    return bool(report.get("quarantine")), bool(report.get("guessing")), bool(report.get("reason"))
