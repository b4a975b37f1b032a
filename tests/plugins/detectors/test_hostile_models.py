"""A wrong, cut or hostile model file is refused with the reason, and takes nothing down."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hub import Context, Crop, ModelError
from plugins.detectors import _trial
from plugins.detectors import onnx as driver
from plugins.detectors._onnxfile import weights_elsewhere
from plugins.detectors._runtime import Session, Watch
from plugins.detectors._trial import tried
from plugins.detectors.onnx import OnnxConfig, OnnxDetector
from tests.plugins.detectors.graphs import answering, model, saved

CELLS = 84


def opened(path: Path, folder: Path) -> OnnxDetector:
    """The detector of a file."""
    context = Context(name="own", state=folder, cache=folder / "cache", config_folder=folder)
    detector = driver.build(OnnxConfig(model=str(path)), context)
    assert isinstance(detector, OnnxDetector)
    return detector


def yolox(value: float = 0.0) -> onnx.ModelProto:
    """A sound YOLOX, or one whose every number is `value`."""
    return answering({"o": np.full((1, CELLS, 85), value, np.float32)}, [1, 3, 64, 64])


# ------------------------------------------------------------------ what is no model


def empty(path: Path) -> None:
    path.write_bytes(b"")


def jpeg(path: Path) -> None:
    path.write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(5000))


def cut(path: Path) -> None:
    data = yolox().SerializeToString()
    path.write_bytes(data[: len(data) // 2])


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2 << 30)


def zeros(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(100 << 20)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (empty, "no model has 0 bytes"),
        (jpeg, "not an ONNX file"),
        (cut, "cut short"),
        (sparse, "no model has 2147483648 bytes; expected at most 512 MiB"),
        (zeros, "not an ONNX"),
        (os.mkfifo, "cannot be read"),
        (Path.mkdir, "cannot be read"),
        (lambda path: path.symlink_to("/dev/zero"), "cannot be read"),
        (lambda path: path.symlink_to(path), "own.onnx"),
    ],
    ids=["empty", "jpeg", "cut", "sparse", "zeros", "pipe", "folder", "device", "loop"],
)
def test_what_is_no_model_is_refused(
    tmp_path: Path, make: Callable[[Path], None], says: str
) -> None:
    """Whatever stands under the name of a model: an error with that name, at once."""
    path = tmp_path / "own.onnx"
    make(path)
    with pytest.raises(ModelError, match=says):
        opened(path, tmp_path)


# ------------------------------------------------------------------ what a model may try


@pytest.mark.parametrize("elsewhere", ["/etc/passwd", "../../secret", "weights.bin"])
def test_weights_in_other_files_are_never_read(tmp_path: Path, elsewhere: str) -> None:
    """Whether the path leads out of the folder or not, the model is refused by its bytes."""
    made = yolox()
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=elsewhere)
    with pytest.raises(ModelError, match="its weights lie in other files"):
        opened(saved(made, tmp_path), tmp_path)


def test_weights_elsewhere_are_found_wherever_they_are() -> None:
    """In a constant, in a branch within a branch, and in a function."""
    tensor = numpy_helper.from_array(np.zeros(3, np.float32))
    tensor.external_data.add(key="location", value="/etc/passwd")
    constant = helper.make_node("Constant", [], ["c"], value=tensor)
    inner = helper.make_graph([constant], "inner", [], [])
    branch = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    outer = helper.make_graph([branch], "outer", [], [])
    function = helper.make_function("own", "f", [], ["c"], [constant], [])
    plain = helper.make_graph([], "plain", [], [])
    assert not weights_elsewhere(model(plain).SerializeToString())
    assert weights_elsewhere(model(helper.make_graph([constant], "g", [], [])).SerializeToString())
    assert weights_elsewhere(model(outer).SerializeToString())
    made = helper.make_model(plain, functions=[function])
    assert weights_elsewhere(made.SerializeToString())


def huge(shape: list[int]) -> onnx.ModelProto:
    """A YOLOX-shaped model that makes a tensor of this shape on the way."""
    graph = yolox().graph
    node = helper.make_node("ConstantOfShape", ["size"], ["much"])
    add = [
        helper.make_node("ReduceSum", ["much"], ["sum"], keepdims=0),
        helper.make_node("Add", ["base o", "sum"], ["o"]),
    ]
    initial = [*graph.initializer, numpy_helper.from_array(np.array(shape), "size")]
    return model(helper.make_graph([node, *add], "huge", graph.input, graph.output, initial))


@pytest.mark.parametrize("shape", [[1 << 20, 1 << 20], [1 << 17, 1 << 14]], ids=["4 TB", "8 GB"])
def test_a_model_that_wants_all_memory_is_refused(tmp_path: Path, shape: list[int]) -> None:
    """It meets the limit of the process that tries it."""
    with pytest.raises(ModelError, match=r"own\.onnx: (not an ONNX model|it (fails|ends|wants))"):
        opened(saved(huge(shape), tmp_path), tmp_path)


def test_weights_that_are_claimed_but_not_there_are_refused(tmp_path: Path) -> None:
    """A tensor of a terabyte in a file of a few bytes."""
    made = yolox()
    made.graph.initializer[0].ClearField("dims")
    made.graph.initializer[0].dims.extend([1 << 20, 1 << 18])
    with pytest.raises(ModelError, match=r"own\.onnx: not an ONNX model that can be run"):
        opened(saved(made, tmp_path), tmp_path)


def test_operators_of_a_library_that_is_not_there_are_told(tmp_path: Path) -> None:
    """The name of the operator is in the reason."""
    graph = yolox().graph
    node = helper.make_node("Frobnicate", ["base o"], ["o"], domain="com.example")
    made = model(
        helper.make_graph([node], "own", graph.input, graph.output, list(graph.initializer))
    )
    made.opset_import.append(helper.make_opsetid("com.example", 1))
    with pytest.raises(ModelError, match="Frobnicate"):
        opened(saved(made, tmp_path), tmp_path)


def endless(when_bright: bool) -> onnx.ModelProto:
    """A YOLOX that never ends: always, or where the picture's first pixel is bright."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["on out"]),
            helper.make_node("Add", ["total", "one"], ["total out"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("total", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("on out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("total out", TensorProto.FLOAT, []),
        ],
    )
    graph = yolox().graph
    given = {
        "one": np.array(1, np.float32), "nothing": np.array(0, np.float32),
        "from": np.array([0, 1, 0, 0]), "to": np.array([1, 2, 1, 1]),
        "flat": np.array([1]), "limit": np.array(254.5 if when_bright else -1.0, np.float32),
        "scalar": np.zeros(0, np.int64),
    }  # fmt: skip
    nodes = [
        helper.make_node("Slice", ["images", "from", "to"], ["pixel"]),
        helper.make_node("Reshape", ["pixel", "scalar"], ["bright"]),
        helper.make_node("Greater", ["bright", "limit"], ["go"]),
        helper.make_node("Loop", ["", "go", "nothing"], ["turns"], body=body),
        helper.make_node("Mul", ["turns", "nothing"], ["none"]),
        helper.make_node("Add", ["base o", "none"], ["o"]),
    ]
    initial = [*graph.initializer, *(numpy_helper.from_array(v, k) for k, v in given.items())]
    return model(helper.make_graph(nodes, "endless", graph.input, graph.output, initial))


def test_a_model_that_never_ends_is_given_up(tmp_path: Path) -> None:
    """An endless loop ends with the process that tries it, after the time it has."""
    data = endless(when_bright=False).SerializeToString()
    with pytest.raises(ValueError, match=r"not loaded and tried within (2 s of processor|6 s)"):
        tried(data, 0, within_s=2)


def test_a_look_that_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a picture starts an endless loop, the look ends as an error, the third one for good."""
    monkeypatch.setattr(driver, "Watch", lambda: Watch(0.4))
    before = set(threading.enumerate())
    detector = opened(saved(endless(when_bright=True), tmp_path), tmp_path)
    none = np.zeros((0, 4), np.int32)
    dark, bright = (
        Crop(np.full((64, 64, 3), value, np.uint8), (0, 0, 64, 64), (64, 64), none)
        for value in (0, 255)
    )
    assert detector.infer([dark]) == [[]]
    for _ in range(3):
        with pytest.raises(ModelError, match=r"own was stopped: a look took more than 0\.4 s of"):
            detector.infer([bright])
    with pytest.raises(ModelError, match="asked no more"):
        detector.infer([dark])
    detector.close()
    assert set(threading.enumerate()) <= before


class _Looking:
    """A thread in the middle of a look, and what a `Watch` may set there."""

    terminate = False

    def __init__(self, watch: Watch) -> None:
        self.begun, self.over = threading.Event(), threading.Event()
        self.watch, self.late = watch, False

    def wait(self) -> None:
        """A look that gets no processor time: its machine sleeps or does other things."""
        self.watch.begin(self)
        self.begun.set()
        self.over.wait(30)
        self.late = self.watch.end()

    def work(self) -> None:
        """A look that works until it is ended."""
        self.watch.begin(self)
        self.begun.set()
        while not self.terminate and not self.over.is_set():
            sum(range(1000))
        self.late = self.watch.end()


@pytest.mark.parametrize("works", [False, True], ids=["waits", "works"])
def test_a_look_is_only_late_by_the_time_its_own_thread_has_had(works: bool) -> None:
    """On a machine that sleeps or is busy with other things a look is not given up."""
    watch = Watch(0.1)
    looking = _Looking(watch)
    thread = threading.Thread(target=looking.work if works else looking.wait)
    thread.start()
    assert looking.begun.wait(30)
    begun = time.thread_time()
    while time.thread_time() - begun < 0.4 and not looking.terminate:
        watch.look()  # all that while somebody else works
    if works:
        thread.join(30)
    looking.over.set()
    thread.join(30)
    watch.close()
    assert looking.late is works


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (np.nan, "not one of its scores is a finite number"),
        (np.inf, "not one of its scores is a finite number"),
        (7.5, "a score is 7.5; expected 0 to 1"),
        (-6.0, "a score is -6; expected 0 to 1"),
    ],
)
def test_numbers_that_are_no_scores_are_refused(tmp_path: Path, value: float, says: str) -> None:
    """A head of NaN, infinity or raw logits is told when it is tried."""
    with pytest.raises(ModelError, match=says):
        opened(saved(yolox(value), tmp_path), tmp_path)


def test_a_count_beyond_the_list_is_refused(tmp_path: Path) -> None:
    """An SSD that counts a thousand finds in a list of ten."""
    outputs = {
        "boxes": np.zeros((1, 10, 4), np.float32),
        "scores": np.zeros((1, 10), np.float32),
        "classes": np.zeros((1, 10), np.float32),
        "num": np.array([1000], np.float32),
    }
    made = answering(outputs, [1, 64, 64, 3], kind="uint8")
    with pytest.raises(ModelError, match="it counts 1000 finds in a list of 10"):
        opened(saved(made, tmp_path), tmp_path)


def test_outputs_of_another_shape_than_tried_are_an_error(tmp_path: Path) -> None:
    """What comes later is held against the family again."""
    detector = opened(saved(yolox(), tmp_path), tmp_path)
    other = answering({"o": np.zeros((1, 50, 85), np.float32)}, [1, 3, 64, 64])
    detector._session = Session(other.SerializeToString())
    crop = Crop(np.zeros((64, 64, 3), np.uint8), (0, 0, 64, 64), (64, 64), np.zeros((0, 4)))  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"\[1, 50, 85\]; expected \[1, 84, N\]"):
        detector.infer([crop])
    detector.close()


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_model_is_refused_or_works(tmp_path: Path, seed: int) -> None:
    """Bytes changed at random never do more than raise ModelError."""
    random = np.random.default_rng(seed)
    data = np.frombuffer(yolox().SerializeToString(), np.uint8).copy()
    head = np.flatnonzero(data)  # what is zero are weights
    data[random.choice(head, 4)] = random.integers(0, 256, 4)
    path = tmp_path / "own.onnx"
    path.write_bytes(data.tobytes())
    with contextlib.suppress(ModelError):
        opened(path, tmp_path).close()


def test_a_detector_that_is_let_go_leaves_no_thread(tmp_path: Path) -> None:
    """Nobody closed it, and still the thread that watched it ends."""
    detector = opened(saved(yolox(), tmp_path), tmp_path)
    watch = detector._watch
    assert watch is not None
    del detector
    gc.collect()
    watch._thread.join(5)
    assert not watch._thread.is_alive()


# ------------------------------------------------------------------ what is remembered


def test_a_model_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found is kept by the file's SHA-256; a torn note is made anew."""
    path = saved(yolox(), tmp_path)
    opened(path, tmp_path).close()
    (kept,) = (tmp_path / "cache" / "models").iterdir()
    asked: list[bytes] = []
    real = _trial._asked
    monkeypatch.setattr(
        _trial, "_asked", lambda data, *rest: asked.append(data) or real(data, *rest)
    )
    opened(path, tmp_path).close()
    assert asked == []
    kept.write_text('{"key": "1')
    opened(path, tmp_path).close()
    assert len(asked) == 1


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    """A file where the folder would be only costs the next trial its time."""
    (tmp_path / "cache").write_text("")
    opened(saved(yolox(), tmp_path), tmp_path).close()
