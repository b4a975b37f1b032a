"""The detectors of a worker: built from their blocks, asked by all cameras in turn, watched.

Those from outside have a process of their own. A detector that cannot be built, or is left alone
for what it did, leaves its cameras with a guess from motion, and says so.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hub.clock import Clock
from hub.errors import PluginError, VestibuleError
from hub.kinds import Context
from hub.kinds.detectors import Crop, Detector, DetectorInfo
from hub.perception.apart import DetectorApart, Misbehaved
from hub.perception.crossing import Build
from hub.perception.inference import Answer, Inference
from hub.perception.instances import best
from hub.perception.motion import MotionGate
from hub.perception.spec import CameraSpec, DetectorSpec, WorkerSpec
from hub.plugins import Provider, Registry, load_registry, trust

log = logging.getLogger(__name__)

STAND_IN = "motion"
WARM_SIZE = (640, 360)
BEING_STARTED = "it is being started"


@dataclass(slots=True, eq=False)
class Held:
    """One detector, the threads that ask it, and why it is not the one that was wanted.

    `apart` has a process of its own; `plugin` names whose it is, `quarantine` why it is gone.
    """

    info: DetectorInfo
    inference: Inference
    reason: str = ""
    made_from: object = None
    apart: DetectorApart | None = None
    plugin: str = ""
    quarantine: str = ""


class Detectors:
    """Builds every detector of the specification and warms the motion kernels; blocking.

    Each detector is asked by all its cameras in turn (see `Inference`), on as many threads as
    were found to be worth it (see `hub.perception.instances`).
    """

    def __init__(
        self, spec: WorkerSpec, clock: Clock, misbehaved: Misbehaved = lambda *_: None
    ) -> None:
        self._clock = clock
        self._misbehaved = misbehaved
        self._held: dict[str, Held] = {}
        self._held = self.build(spec, apart=False)
        _warm()

    def build(self, spec: WorkerSpec, *, apart: bool = True) -> dict[str, Held]:
        """The detectors of a specification, those that are as they were taken over; blocking.

        Without `apart` nobody waits for a process: a guess from motion stands in for what has one.
        """
        trust(spec.looked_at)
        registry = load_registry(spec.plugins_dir, spare=True)  # the hub has said what clashes
        wanted = spec.detectors or (DetectorSpec(id="", driver=STAND_IN),)
        made_from = {one.id: (one, registry.fingerprint("detectors", one.driver)) for one in wanted}
        built = {
            name: known
            for name, known in self._held.items()
            if known.made_from == made_from.get(name) and not _left_alone(known)
        }
        new = [one for one in wanted if one.id not in built]
        with ThreadPoolExecutor(max(1, len(new))) as pool:  # one that hangs holds up no other
            made = pool.map(lambda one: self._make(one, spec, registry, apart), new)
            built |= {one.id: held for one, held in zip(new, made, strict=True)}
        return {one.id: built[one.id] for one in wanted}

    def unfinished(self) -> bool:
        """Whether `build` would give others: one has yet to start, or is to be left alone."""
        return any(
            held.reason == BEING_STARTED or _left_alone(held) for held in self._held.values()
        )

    def _make(self, one: DetectorSpec, spec: WorkerSpec, registry: Registry, apart: bool) -> Held:
        made_from = _made_from(one, registry)
        provider = registry.provider("detectors", one.driver)
        if provider is None or (provider.source == "built-in" and not one.isolate):
            provider = None
        elif not apart:
            return _stand_in(one, spec, registry, self._clock, BEING_STARTED)
        known = self._held.get(one.id)
        if known is not None and known.made_from == made_from and (why := _left_alone(known)):
            held = _stand_in(one, spec, registry, self._clock, why)
            held.quarantine = why
        else:
            held = self._build(one, spec, registry, provider)
        held.made_from = made_from
        held.plugin = provider.name if provider is not None else ""
        return held

    def _build(
        self, one: DetectorSpec, spec: WorkerSpec, registry: Registry, provider: Provider | None
    ) -> Held:
        try:
            return self._instance(one, spec, registry, provider)
        except Exception as error:
            reason = str(error) if isinstance(error, VestibuleError) else repr(error)
            log.error("detector %s cannot be used, guessing from motion: %s", one.id, reason)
        return _stand_in(one, spec, registry, self._clock, reason)

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

    def _instance(
        self, one: DetectorSpec, spec: WorkerSpec, registry: Registry, provider: Provider | None
    ) -> Held:
        driver = registry.driver("detectors", one.driver)
        context = _context(one, spec, self._clock)
        apart = None
        instances: list[Detector]
        if provider is None:
            config = driver.config.model_validate(one.settings)

            def make(threads: int) -> Detector:
                built: Detector = driver.factory(config, replace(context, threads=threads))
                return built

            instances = best(make, spec.threads)
        else:
            build = Build.of(provider, one.driver, one.settings, context)
            apart = DetectorApart(build, self._clock, self._misbehaved)
            instances = [apart]
            _wait_for(apart)
        info = instances[0].info
        if info.biometric:
            for instance in instances:
                instance.close()
            raise PluginError(f"detector {info.name} recognises persons, which is refused")
        return Held(info, Inference(instances, f"inference {one.id}", one.budget), apart=apart)

    def _find(self, detector: str) -> Held:
        return self._held.get(detector) or next(iter(self._held.values()))


def _report(held: Held) -> dict[str, Any]:
    shares = held.inference.shares().values()
    return {
        "name": held.info.name,
        "guessing": held.info.guessing,
        "licence": held.info.licence,
        "sha256": held.info.sha256,
        "reason": held.reason or held.inference.fault,
        "plugin": held.plugin,
        "quarantine": held.quarantine,
        "waiting": held.inference.waiting(),
        "inferred": sum(share.inferred for share in shares),
        "dropped": sum(share.dropped for share in shares),
        "failed": sum(share.failed for share in shares),
        "late": sum(share.late for share in shares),
        "behind": round(held.inference.behind, 2),
        "budget": held.inference.budget,
        "instances": held.inference.instances,
        "busy_s": round(sum(share.seconds for share in shares), 3),
    }


def _wait_for(apart: DetectorApart) -> None:
    try:
        apart.wait()
    except VestibuleError:
        apart.close()
        raise


def _made_from(one: DetectorSpec, registry: Registry) -> object:
    return one, registry.fingerprint("detectors", one.driver)


def _left_alone(held: Held) -> str:
    """Why a detector is asked no more; empty for one that is."""
    return held.apart.quarantine if held.apart is not None else ""


def _stand_in(
    one: DetectorSpec, spec: WorkerSpec, registry: Registry, clock: Clock, reason: str
) -> Held:
    """A guess from motion in place of a detector."""
    driver = registry.driver("detectors", STAND_IN)
    context = _context(DetectorSpec(id=one.id, driver=STAND_IN), spec, clock)
    instance: Detector = driver.factory(driver.config.model_validate({}), context)
    return Held(instance.info, Inference([instance], f"inference {one.id}", one.budget), reason)


def _context(one: DetectorSpec, spec: WorkerSpec, clock: Clock) -> Context:
    return Context(
        name=one.id,
        clock=clock,
        state=spec.state,
        cache=spec.state / "cache",
        config_folder=spec.config_folder,
    )


def _warm() -> None:
    """Compile or load the motion kernels before the first camera waits for them."""
    gate = MotionGate(*WARM_SIZE, 5.0)
    gate.update(np.zeros(WARM_SIZE[::-1], np.uint8), 0.0)
