"""Every built-in detector keeps the contract; the ONNX one with a real model where there is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hub.testing import DetectorContract
from plugins.detectors import motion, onnx


class TestMotion(DetectorContract):
    driver = motion.vestibule_detectors()[0]


class TestOnnxByDefault(DetectorContract):
    """`model: auto` with nothing installed: the built-in model, or a guess where it is missing."""

    driver = onnx.vestibule_detectors()[0]
    damaged = {"model": "no_such_model"}


@pytest.mark.material
class TestOnnx(DetectorContract):
    driver = onnx.vestibule_detectors()[0]
    config = {
        "model": str(
            Path(os.environ.get("VESTIBULE_MATERIAL", "")) / "models" / "yolox_nano_416.onnx"
        )
    }
    damaged = {"model": __file__}
