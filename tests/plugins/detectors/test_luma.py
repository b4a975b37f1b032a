"""Models that take brightness alone, and models that say at which sizes they are to be run."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import onnx
import pytest

from hub import Context, Crop, ModelError
from hub.perception.crossing import crops_in, crops_out
from hub.perception.decode import clip_frames, frame_from_av
from hub.perception.pipeline import CameraPipeline
from hub.testing import DetectorContract
from plugins.detectors import onnx as driver
from plugins.detectors._picture import luma_of
from plugins.detectors.onnx import OnnxConfig, OnnxDetector, build
from tests.plugins.detectors.graphs import answering, as_luma, convolving, saved

NO_REGIONS = np.zeros((0, 4), np.int32)
PEOPLE = {"names": "person", "sizes": "192,256"}


def people(**metadata: str) -> onnx.ModelProto:
    """A YOLOX of one channel and one class, at any size, with float weights that mean nothing."""
    told = PEOPLE | metadata
    return convolving((8, 16, 32), 6, squashed_from=4, channels=1, free=True, metadata=told)


def opened(made: onnx.ModelProto, folder: Path, **settings: object) -> OnnxDetector:
    config = OnnxConfig.model_validate({"model": str(saved(made, folder)), **settings})
    context = Context(name="own", state=folder, cache=folder / "cache", config_folder=folder)
    detector = build(config, context)
    assert isinstance(detector, OnnxDetector)
    return detector


def whole(image: np.ndarray, side: int = 0) -> Crop:
    height, width = image.shape[:2]
    return Crop(image, (0, 0, width, height), (width, height), NO_REGIONS, side)


# ------------------------------------------------------------------ one channel


def test_a_model_of_one_channel_says_that_it_takes_luma(tmp_path: Path) -> None:
    """Its description says so, and the hub makes crops of two dimensions for it."""
    detector = opened(people(), tmp_path)
    detector.close()
    info = detector.info
    assert (info.luma, info.family, info.labels) == (True, "YOLOX", ("person",))
    assert info.input == "float32 1x1x256x256, luma, 0 to 255"
    assert info.shape(36, 64) == (36, 64)


def echoing(kind: str = "float", last: bool = False) -> onnx.ModelProto:
    """A YOLOX of 64x64 luma that finds one thing; how far right, in cells, is the pixel (3, 5)."""
    output = np.zeros((1, 84, 6), np.float32)
    output[0, 9] = (0, 0.5, 0, 0, 0.9, 1)
    shape = [1, 64, 64, 1] if last else [1, 1, 64, 64]
    pixel = (0, 5, 3, 0) if last else (0, 0, 5, 3)
    return answering({"o": output}, shape, kind=kind, echo={"o": ((0, 9, 0), pixel)})


@pytest.mark.parametrize("kind", ["float", "float16", "uint8"])
@pytest.mark.parametrize("last", [False, True], ids=["channel first", "channel last"])
def test_luma_reaches_the_model_as_it_is(tmp_path: Path, kind: str, last: bool) -> None:
    """The pixel in column 3 of row 5 arrives at that place with its value."""
    image = np.full((64, 64), 200, np.uint8)
    image[5, 3] = 4
    detector = opened(echoing(kind, last), tmp_path)
    (found,) = detector.infer([whole(image)])[0]
    assert found.box == (36.0, 8.0, 44.0, 16.0)
    detector.close()


@pytest.mark.parametrize(("pixels", "centre"), [("0..1", 16), ("-1..1", 8)])
def test_the_block_says_how_luma_goes_in(tmp_path: Path, pixels: str, centre: float) -> None:
    """White as 1; grey of half the way as 0."""
    image = np.full((64, 64), 255 if pixels == "0..1" else 127, np.uint8)
    detector = opened(echoing(), tmp_path, pixels=pixels)
    (found,) = detector.infer([whole(image)])[0]
    detector.close()
    assert (found.box[0] + found.box[2]) / 2 == pytest.approx(centre, abs=0.1)
    assert detector.info.input.endswith(f"luma, {pixels.replace('..', ' to ')}")


def test_a_colour_crop_is_taken_by_its_brightness(tmp_path: Path) -> None:
    """Blue counts 0.114, green 0.587, red 0.299."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[5, 3] = (0, 5, 0)
    detector = opened(echoing(), tmp_path)
    (found,) = detector.infer([whole(image)])[0]
    detector.close()
    assert found.box[0] == pytest.approx((3 + 1) * 8 - 4)
    assert luma_of(np.full((2, 2, 3), 255, np.uint8)).tolist() == [[255, 255], [255, 255]]


def test_the_pipeline_hands_over_luma_with_private_parts_painted(tmp_path: Path) -> None:
    """Crops for such a detector have no colour dimension, and a mask is grey in them."""
    detector = opened(people(), tmp_path)
    detector.close()
    noise = np.random.default_rng(3).integers(0, 256, (180, 320, 3), np.uint8)
    frame = frame_from_av(av.VideoFrame.from_ndarray(noise, "rgb24"), 0.0, 0)
    mask = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]
    pipeline = CameraPipeline("hall", frame.size, 5, detector.info, masks=[mask])
    look = pipeline.look(frame)
    (crop, *_) = pipeline.cut(frame, look)
    assert crop.side == 256
    assert crop.image.ndim == 2
    assert (crop.image[:, :10] == 114).all()
    assert crop.image[:, -10:].std() > 0


def test_luma_crosses_to_a_detector_in_a_process_of_its_own() -> None:
    """A crop of two dimensions arrives beside one of three, pixel by pixel."""
    noise = np.random.default_rng(5).integers(0, 256, (24, 40), np.uint8)
    colour = np.repeat(noise[:, :, None], 3, axis=2)
    shared = np.zeros(1 << 16, np.uint8)
    told = json.loads(
        json.dumps(crops_out(shared, [whole(noise, 192), whole(colour), whole(noise)]))
    )
    arrived = [crop.image for crop in crops_in(memoryview(shared), told)]
    assert [image.shape for image in arrived] == [(24, 40), (24, 40, 3), (24, 40)]
    assert all(np.array_equal(a, b) for a, b in zip(arrived, (noise, colour, noise), strict=True))


class TestLuma(DetectorContract):
    """A detector that takes luma keeps the contract, on crops of luma."""

    driver = driver.vestibule_detectors()[0]

    @pytest.fixture(autouse=True)
    def model(self, tmp_path: Path) -> None:
        self.config = {"model": str(saved(people(), tmp_path))}


@pytest.mark.material
def test_a_real_model_finds_the_same_person_by_luma_alone(material: Path, tmp_path: Path) -> None:
    """YOLOX-nano with its three channels fed from one: the same place, from the decoder's plane."""
    model = onnx.load(material / "models" / "yolox_nano_416.onnx")
    grey = opened(as_luma(model), tmp_path)
    frames = clip_frames(material / "clips" / "porch_person.mp4")
    frame = next(frame for frame in frames if frame.index == 5)
    box = (0, 0, *frame.size)
    by_luma = grey.infer([Crop(frame.luma_crop(box), box, frame.size, NO_REGIONS, 416)])[0]
    by_colour = grey.infer([Crop(frame.crop(box), box, frame.size, NO_REGIONS, 416)])[0]
    grey.close()
    assert by_luma[0].label == by_colour[0].label == "person"
    assert by_luma[0].score > 0.7
    assert by_luma[0].box == pytest.approx(by_colour[0].box, abs=6)


# ------------------------------------------------------------------ sizes told


@pytest.mark.parametrize("told", ["192,256", "[192, 256]", "256, 192"])
def test_the_sizes_that_a_model_tells_are_the_only_ones(tmp_path: Path, told: str) -> None:
    """However they are written; a crop goes in at the smallest that holds it, else the largest."""
    detector = opened(people(sizes=told), tmp_path)
    assert detector.info.input_sizes == (192, 256)
    assert detector._input_size(90, 160, 0) == (128, 192)
    assert detector._input_size(360, 640, 0) == (160, 256)
    detector.close()


def test_sizes_bound_a_colour_model_whose_file_says_another(tmp_path: Path) -> None:
    """What counts for ours counts for anybody's."""
    made = convolving((8, 16, 32), 85, squashed_from=4, metadata={"sizes": "320"})
    detector = opened(made, tmp_path)
    detector.close()
    assert detector.info.input_sizes == (320,)
    assert not detector.info.luma


@pytest.mark.parametrize("told", ["200", "192,16", "4096", ",".join(map(str, range(32, 320, 32)))])
def test_sizes_that_cannot_be_meant_are_told(tmp_path: Path, told: str) -> None:
    """Sides that are no multiple of 32, beyond what a picture may have, or too many."""
    with pytest.raises(ModelError, match=r"its metadata says sizes .*a multiple of 32 from 32 to"):
        opened(people(sizes=told), tmp_path)


@pytest.mark.parametrize("told", ["", "small", "640x480", "192;256"])
def test_sizes_of_another_meaning_are_left_alone(tmp_path: Path, told: str) -> None:
    """Metadata that is no list of numbers says nothing about input sides."""
    detector = opened(people(sizes=told), tmp_path)
    detector.close()
    assert detector.info.input_sizes == (192, 256, 320, 416)
