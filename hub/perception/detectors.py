"""The detectors of a worker: built from their blocks, asked by all cameras in turn, watched.

A detector that cannot be built leaves its cameras with a guess from motion, and says so.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hub.clock import Clock
from hub.errors import PluginError, VestibuleError
from hub.kinds import Context
from hub.kinds.detectors import Crop, Detector, DetectorInfo
from hub.perception.inference import Answer, Inference
from hub.perception.motion import MotionGate
from hub.perception.spec import CameraSpec, DetectorSpec, WorkerSpec
from hub.plugins import Registry, load_registry, trust

log = logging.getLogger(__name__)

STAND_IN = "motion"
WARM_SIZE = (640, 360)


@dataclass(slots=True, eq=False)
class Held:
    """One detector, the thread that asks it, and why it is not the one that was wanted."""

    info: DetectorInfo
    inference: Inference
    reason: str = ""
    made_from: object = None


class Detectors:
    """Builds every detector of the specification and warms the motion kernels; blocking.

    Each detector is asked on one thread, by all its cameras in turn (see `Inference`).
    """

    def __init__(self, spec: WorkerSpec, clock: Clock) -> None:
        self._clock = clock
        self._held = self.build(spec)
        _warm()

    def build(self, spec: WorkerSpec) -> dict[str, Held]:
        """The detectors of a specification, those that are as they were taken over; blocking."""
        held: dict[str, Held] = getattr(self, "_held", {})
        trust(spec.looked_at)
        registry = load_registry(spec.plugins_dir)
        built = {}
        for one in spec.detectors or (DetectorSpec(id="", driver=STAND_IN),):
            made_from = (one, registry.fingerprint("detectors", one.driver))
            known = held.get(one.id)
            if known is not None and known.made_from == made_from:
                built[one.id] = known
            else:
                built[one.id] = _build(one, spec, registry, self._clock)
                built[one.id].made_from = made_from
        return built

    def exchange(self, built: dict[str, Held]) -> list[Held]:
        """Answer with these from now on; returns those that are no longer needed, to be closed."""
        before, self._held = self._held, built
        return [held for held in before.values() if held not in built.values()]

    def behind(self, detector: str) -> object:
        """What stands behind a name, to be compared: another object once it was exchanged."""
        return self._find(detector)

    def info(self, detector: str) -> DetectorInfo:
        """What a detector says of itself; "" and unknown names mean the first."""
        return self._find(detector).info

    def ask(self, camera: CameraSpec, crops: Sequence[Crop], answer: Answer) -> None:
        """Have crops looked at; `answer` is called once, from any thread (see `Inference.ask`)."""
        self._find(camera.detector).inference.ask(camera.id, crops, answer, camera.important)

    def busy_s(self) -> float:
        """For how long the slowest question at hand has been with its detector."""
        return max(held.inference.busy_s() for held in self._held.values())

    def report(self) -> dict[str, dict[str, Any]]:
        """For health: by id what answers there, whether it guesses, and what is wrong."""
        return {name: _report(held) for name, held in self._held.items()}

    def _find(self, detector: str) -> Held:
        return self._held.get(detector) or next(iter(self._held.values()))


def _report(held: Held) -> dict[str, Any]:
    shares = held.inference.shares().values()
    return {
        "name": held.info.name,
        "guessing": held.info.guessing,
        "licence": held.info.licence,
        "reason": held.reason or held.inference.fault,
        "waiting": held.inference.waiting(),
        "inferred": sum(share.inferred for share in shares),
        "dropped": sum(share.dropped for share in shares),
        "failed": sum(share.failed for share in shares),
        "busy_s": round(sum(share.seconds for share in shares), 3),
    }


def _build(one: DetectorSpec, spec: WorkerSpec, registry: Registry, clock: Clock) -> Held:
    try:
        return _instance(one, spec, registry, clock)
    except Exception as error:
        reason = str(error) if isinstance(error, VestibuleError) else repr(error)
        log.error("detector %s cannot be used, guessing from motion: %s", one.id, reason)
    held = _instance(DetectorSpec(id=one.id, driver=STAND_IN), spec, registry, clock)
    held.reason = reason
    return held


def _instance(one: DetectorSpec, spec: WorkerSpec, registry: Registry, clock: Clock) -> Held:
    driver = registry.driver("detectors", one.driver)
    context = Context(
        name=one.id,
        clock=clock,
        state=spec.state,
        cache=spec.state / "cache",
        config_folder=spec.config_folder,
    )
    instance: Detector = driver.factory(driver.config.model_validate(one.settings), context)
    info = instance.info
    if info.biometric:
        raise PluginError(f"detector {info.name} recognises persons, which is refused")
    return Held(info, Inference([instance], f"inference {one.id}"))


def _warm() -> None:
    """Compile or load the motion kernels before the first camera waits for them."""
    gate = MotionGate(*WARM_SIZE, 5.0)
    gate.update(np.zeros(WARM_SIZE[::-1], np.uint8), 0.0)
