"""Detector driver `motion`: names a mover by its size and shape; for machines without a model."""

from __future__ import annotations

from hub import Block, Context, Detector, Driver, hookimpl
from plugins.detectors._guess import MotionGuess


class MotionConfig(Block):
    """It has nothing to set."""


def build(config: MotionConfig, context: Context) -> Detector:
    """The detector that a block asks for."""
    return MotionGuess("guessing from motion")


@hookimpl
def vestibule_detectors() -> list[Driver]:
    """Announce the driver."""
    return [
        Driver(
            name="motion",
            factory=build,
            config=MotionConfig,
            summary="Guesses people and vehicles from the size of what moves; needs no model",
        )
    ]
