"""What looks at pictures: the detectors, their models, and the motion gate's compiled kernels."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

from hub.config import DriverBlock
from hub.doctor.drivers import REMEDIES
from hub.doctor.finding import Finding, Probe, bad, ok, warn
from hub.doctor.given import Given
from hub.models import ANEW, ModelStore
from hub.threads import in_thread

TRIAL = "hub.doctor.trial"
BUILD_PATIENCE_S = 30.0
COMPILE_PATIENCE_S = 120.0


def probes(given: Given) -> list[Probe]:
    """The kernels, ONNX Runtime, the installed models, and each enabled detector."""
    made = [
        Probe("motion", "compiled kernels", partial(_kernels, given), COMPILE_PATIENCE_S),
        Probe("detectors", "ONNX Runtime", _runtime, BUILD_PATIENCE_S),
        Probe("detectors", "models", partial(_models, given)),
    ]
    if given.config is None:
        return made
    enabled = {key: each for key, each in given.config.detectors.items() if each.enabled}
    if not enabled and given.config.cameras:
        made.append(Probe("detectors", "none", partial(_nobody, given)))
    made += [
        Probe("detectors", key, partial(_detector, given, key, block), BUILD_PATIENCE_S)
        for key, block in enabled.items()
    ]
    return made


async def _kernels(given: Given) -> AsyncIterator[Finding]:
    said = await given.tried(TRIAL, {"try": "kernels"})
    yield kernels_finding(said)


def kernels_finding(said: Mapping[str, Any]) -> Finding:
    """What the trial of the kernels means."""
    if "error" in said:
        return bad(f"the motion gate does not start: {said['error']}", "install Vestibule anew")
    if said["kernels"] != "numba":
        told = "Numba cannot be used: NumPy stands in, which takes several times as long"
        return warn(told, "run `make run` once to mend the installation, or install numba")
    if not said["folder"]:
        place = f" ({said['chosen']} cannot be written)" if said["chosen"] else ""
        told = f"compiled in {said['seconds']:.1f} s, but kept nowhere{place}"
        return warn(told, "set NUMBA_CACHE_DIR to a folder that the hub's user may write")
    if said["kept"]:
        return ok(f"loaded in {said['seconds']:.1f} s from {said['folder']}")
    return ok(f"compiled in {said['seconds']:.1f} s, kept in {said['folder']} from now on")


async def _runtime() -> AsyncIterator[Finding]:
    try:
        runtime = await in_thread(lambda: importlib.import_module("onnxruntime"))
    except Exception as error:
        told = f"cannot be loaded: {type(error).__name__}: {error}"
        yield bad(told, "install Vestibule anew, on a processor that ONNX Runtime supports")
        return
    yield ok(f"version {runtime.__version__}")


async def _models(given: Given) -> AsyncIterator[Finding]:
    store = ModelStore(given.folder.models)
    for name in await in_thread(store.shipped_names):
        if fault := await in_thread(partial(store.fault, name)):
            yield warn(fault, ANEW, f"model {name}")
        else:
            yield ok(f"{name}: comes with Vestibule, and is whole", f"model {name}")
    names = {entry.name for entry in store.catalogue()}
    for model in await in_thread(store.installed):
        if fault := await in_thread(partial(store.verify, model)):
            remedy = f"remove it and fetch it anew: vestibule models fetch {model.name}"
            yield bad(fault, remedy, f"model {model.name}")
        elif model.name in names:
            yield ok(f"{model.name}: its SHA-256 is the catalogue's", f"model {model.name}")
        else:
            yield ok(f"{model.name}: a model of your own", f"model {model.name}")


async def _nobody(given: Given) -> AsyncIterator[Finding]:
    remedy = "add one: `detectors:` with `people: {driver: onnx}`"
    yield warn("no detector is configured: people are guessed from motion alone", remedy)


async def _detector(given: Given, key: str, block: DriverBlock) -> AsyncIterator[Finding]:
    said = await given.tried(TRIAL, {"try": "detector", **given.detector(key)})
    yield detector_finding(block.driver, said, _fetch(given))


def detector_finding(driver: str, said: Mapping[str, Any], fetch: str) -> Finding:
    """What the trial of a detector means; `fetch` is the command that installs a model."""
    if "error" in said:
        told = f"{said['error']}; people are guessed from motion instead"
        return bad(told, REMEDIES["detectors"])
    if said["biometric"]:
        return bad(f"{driver} recognises persons, which the hub refuses", "choose another one")
    told = str(said["name"])
    if said["guessing"]:
        return warn(told, fetch)
    told += f", one look takes {look_words(said['milliseconds'])}"
    probed = said["probed"]
    if probed is None:
        return ok(told)
    told = f"{told}; {probed['found']}"
    if not probed["works"]:
        return bad(told, probed["remedy"] or REMEDIES["detectors"])
    return warn(told, probed["remedy"]) if probed["remedy"] else ok(told)


def look_words(milliseconds: Mapping[str, float]) -> str:
    """How long a look takes, by input side ("0" where there is none)."""
    return ", ".join(
        f"{spent:.0f} ms" + (f" at {side}" if side != "0" else "")
        for side, spent in milliseconds.items()
    )


def _fetch(given: Given) -> str:
    entry = next((each for each in ModelStore(given.folder.models).catalogue() if each.url), None)
    name = entry.name if entry is not None else "NAME"
    state = f"--state {given.asked.state}"
    return f"vestibule models fetch {name} {state}, or offline vestibule models add FILE {state}"
