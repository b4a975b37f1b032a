"""The simulated camera: the same pictures from the same seed, drawn once, true to their truth."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from pydantic import ValidationError

from hub import Context, NotReady, VideoSource
from plugins.cameras.school import SCENES, encode
from plugins.cameras.simulated import SimulatedCamera, SimulatedConfig, vestibule_cameras
from tests.example_cameras import clips

SMALL: dict[str, Any] = {"scene": "corridor", "size": "320x180", "stream_fps": 2}


def camera(cache: Path, progress: Any = None, **config: Any) -> SimulatedCamera:
    """A camera that keeps its clips in `cache`."""
    told = progress or (lambda label, done, total: None)
    context = Context("hall", cache=cache, progress=told)
    return SimulatedCamera(SimulatedConfig(**{**SMALL, **config}), context)


def truth_of(clip: Path) -> list[dict[str, Any]]:
    """The lines beside a clip."""
    return [json.loads(line) for line in clip.with_suffix(".jsonl").read_text().splitlines()]


def pictures(clip: Path) -> Iterator[np.ndarray]:
    """The clip's frames as RGB."""
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


@pytest.mark.parametrize(
    "wrong",
    [
        {"scene": "moon"},
        {"seed": -1},
        {"size": "321x180"},
        {"size": "200x100"},
        {"size": "wide"},
        {"stream_fps": 1},
        {"length": 20},
        {"length": "90.5s"},
        {"colour": "red"},
    ],
)
def test_a_config_that_cannot_be_drawn_is_refused(wrong: dict[str, Any]) -> None:
    """Unknown scenes, keys, sizes and rates are errors before anything is drawn."""
    with pytest.raises(ValidationError):
        SimulatedConfig(**{**SMALL, **wrong})


def test_the_hook_offers_one_driver() -> None:
    """The plugin announces `simulated` with its config model."""
    (driver,) = vestibule_cameras()
    assert (driver.name, driver.config) == ("simulated", SimulatedConfig)


def test_announcing_it_loads_no_drawing_library() -> None:
    """Importing the plugin, as every start of the hub does, leaves Pillow and PyAV alone."""
    code = (
        "import plugins.cameras.simulated, sys;"
        "sys.exit(any(name in sys.modules for name in ('PIL', 'av')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_each_thing_that_changes_the_picture_changes_the_name() -> None:
    """Clips of different configurations never share a file."""
    base = SimulatedConfig(**SMALL)
    others = [
        {"scene": "yard"},
        {"seed": 2},
        {"size": "640x360"},
        {"stream_fps": 5},
        {"length": "90s"},
    ]
    names = {SimulatedConfig(**{**SMALL, **other}).stem() for other in others}
    assert len(names) == len(others)
    assert base.stem() not in names
    assert SimulatedConfig(**SMALL).stem() == base.stem()


@pytest.mark.parametrize("name", SCENES)
def test_the_same_seed_draws_the_same_frames(name: str) -> None:
    """Two drawings from one seed agree in every pixel and box; another seed differs."""
    moments = (0.0, 12.0, 29.0)

    def draw(seed: int) -> tuple[np.ndarray, str]:
        scene = encode.build(name, (320, 180), seed, 60)
        drawn = [scene.draw(moment) for moment in moments]
        return np.stack([picture for picture, _ in drawn]), str([seen for _, seen in drawn])

    first, second, other = draw(5), draw(5), draw(6)
    assert np.array_equal(first[0], second[0])
    assert first[1] == second[1]
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("name", SCENES)
def test_the_clip_ends_as_it_begins(name: str) -> None:
    """Played in a loop, the seam changes no more than the sensor's noise and the leaves do."""
    scene = encode.build(name, (320, 180), 1, 60)
    first, seen_first = scene.draw(0.0)
    last, seen_last = scene.draw(59.9)
    change = np.abs(first.astype(int) - last.astype(int)).mean()
    assert change < 4
    assert not [s for s in (*seen_first, *seen_last) if s.label == "person"]


def test_the_corridor_tells_its_story() -> None:
    """One tall person comes at 8 to 12 s, stands still for 7 s or more, leaves, and nobody else."""
    scene = encode.build("corridor", (640, 360), 1, 60)
    present, still, whole = [], 0, []
    before = None
    for moment in np.arange(0, 60, 0.5):
        _, seen = scene.draw(float(moment))
        assert len(seen) <= 1
        shown = [s for s in seen if s.visible > 0.5]
        if not shown:
            continue
        present.append(float(moment))
        x = (shown[0].box[0] + shown[0].box[2]) / 2
        still += before is not None and abs(x - before) < 3
        before = x
        if shown[0].whole and shown[0].visible > 0.95:
            whole.append(shown[0].box[3] - shown[0].box[1])
    assert 8 <= present[0] <= 12
    assert present[-1] < 34
    assert np.allclose(np.diff(present), 0.5)
    assert still >= 14
    assert min(whole) >= 100


async def test_the_clip_is_a_cameras_own_kind_of_file(tmp_path: Path) -> None:
    """H.264, 4:2:0, no B-frames, a key frame every 2 s, played in a loop; truth line by line."""
    heard: list[tuple[str, int, int]] = []
    one = camera(tmp_path / "cache", lambda *said: heard.append(said))
    await one.start()
    source = await one.source("analysis")
    await one.close()
    assert source == VideoSource(url=source.url, transport="file", loop=True)
    clip = Path(source.url)
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        kinds = [(PictureType(f.pict_type).name, f.key_frame) for f in container.decode(video=0)]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.profile == "Main"
        assert (stream.codec_context.pix_fmt, stream.average_rate) == ("yuv420p", 2)
    assert {kind for kind, _ in kinds} <= {"I", "P"}
    assert [i for i, (_, key) in enumerate(kinds) if key] == list(range(0, 120, 4))
    lines = truth_of(clip)
    assert [line["frame"] for line in lines] == list(range(len(kinds))) == list(range(120))
    assert {(line["clip"], line["w"], line["h"]) for line in lines} == {(clip.stem, 320, 180)}
    assert all(len(line["boxes"]) == len(line["labels"]) for line in lines)
    assert any("person" in line["labels"] for line in lines)
    assert heard[-1] == ("Drawing corridor", 120, 120)
    assert sorted(p.suffix for p in clip.parent.iterdir()) == [".jsonl", ".mp4"]


async def test_truth_lies_where_the_picture_changes(tmp_path: Path) -> None:
    """The corridor's box holds nearly all of what differs from the empty corridor."""
    one = camera(tmp_path)
    clip = Path((await one.source("analysis")).url)
    await one.close()
    shown, lines = list(pictures(clip)), truth_of(clip)
    empty = shown[2].astype(int)
    checked = 0
    for picture, line in zip(shown, lines, strict=True):
        if line["labels"] != ["person"] or not line["whole"][0]:
            continue
        changed = np.abs(picture.astype(int) - empty).max(2) > 60
        x0, y0, x1, y1 = (int(v) for v in line["boxes"][0])
        inside = changed[y0 - 2 : y1 + 2, x0 - 2 : x1 + 2].sum()
        assert inside >= 0.8 * changed.sum() > 0
        checked += 1
    assert checked > 10


async def test_what_is_drawn_is_kept(tmp_path: Path) -> None:
    """A second camera with the same values draws nothing and plays the same file."""
    one = camera(tmp_path)
    first = Path((await one.source("analysis")).url)
    await one.close()
    drawn, stamp = first.read_bytes(), first.stat().st_mtime_ns
    heard: list[Any] = []
    two = camera(tmp_path, lambda *said: heard.append(said))
    second = Path((await two.source("live")).url)
    await two.close()
    assert (second, heard, first.stat().st_mtime_ns) == (first, [], stamp)
    elsewhere = camera(tmp_path / "elsewhere")
    third = Path((await elsewhere.source("analysis")).url)
    await elsewhere.close()
    assert third.read_bytes() == drawn


async def test_two_cameras_of_one_scene_draw_it_once(tmp_path: Path) -> None:
    """Started together, one draws and the other waits for it."""
    heard: dict[int, int] = {0: 0, 1: 0}

    def count(number: int) -> Any:
        def told(label: str, done: int, total: int) -> None:
            heard[number] += 1

        return told

    both = [camera(tmp_path, count(number)) for number in range(2)]
    sources = await asyncio.gather(*(one.source("analysis") for one in both))
    assert sources[0] == sources[1]
    assert sorted(bool(count) for count in heard.values()) == [False, True]
    for one in both:
        await one.close()


async def test_closing_while_it_draws_leaves_nothing(tmp_path: Path) -> None:
    """No half clip, no half truth and no child stay behind."""
    begun = asyncio.Event()
    one = camera(tmp_path, lambda *said: begun.set(), stream_fps=10)
    await one.start()
    async with asyncio.timeout(60):
        await begun.wait()
    assert list(tmp_path.iterdir())
    await one.close()
    assert list(tmp_path.iterdir()) == []


async def test_giving_up_waiting_does_not_stop_the_drawing(tmp_path: Path) -> None:
    """A caller with a short deadline may come back for the clip later."""
    begun = asyncio.Event()
    one = camera(tmp_path, lambda *said: begun.set())
    waiting = asyncio.create_task(one.source("analysis"), name="impatient")
    async with asyncio.timeout(60):
        await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(60):
        source = await one.source("analysis")
    assert Path(source.url).exists()
    await one.close()


async def test_a_cache_that_cannot_be_written_is_not_ready(tmp_path: Path) -> None:
    """The problem is named, and the camera may be asked again once it is gone."""
    (tmp_path / "cache").write_text("in the way")
    one = camera(tmp_path / "cache")
    with pytest.raises(NotReady, match="cache"):
        await one.source("analysis")
    (tmp_path / "cache").unlink()
    assert Path((await one.source("analysis")).url).exists()
    await one.close()


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """YOLOX's cells and strides at 416 pixels: (3549, 2) and (3549, 1)."""
    cells, strides = [], []
    for stride in (8, 16, 32):
        count = 416 // stride
        y, x = np.mgrid[0:count, 0:count]
        cells.append(np.stack([x.ravel(), y.ravel()], 1))
        strides.append(np.full((count * count, 1), stride))
    return np.concatenate(cells), np.concatenate(strides)


def _people(session: Any, picture: np.ndarray) -> np.ndarray:
    """Boxes of everything scored 0.3 or more as a person, in the picture's pixels."""
    from PIL import Image

    cells, strides = _grid()
    height, width = picture.shape[:2]
    ratio = min(416 / width, 416 / height)
    size = int(width * ratio), int(height * ratio)
    plate = np.full((416, 416, 3), 114, np.float32)
    plate[: size[1], : size[0]] = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR)
    tensor = np.ascontiguousarray(plate[:, :, ::-1].transpose(2, 0, 1)[None])
    out = session.run(None, {session.get_inputs()[0].name: tensor})[0][0]
    middle, half = (out[:, :2] + cells) * strides, np.exp(out[:, 2:4]) * strides / 2
    boxes = np.concatenate([middle - half, middle + half], 1) / ratio
    return boxes[out[:, 4] * out[:, 5] >= 0.3]


def _overlap(box: list[float], boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of one box with each of (N, 4)."""
    corner = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    shared = np.maximum(corner, 0).prod(1)
    sizes = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return shared / ((box[2] - box[0]) * (box[3] - box[1]) + sizes - shared)


@pytest.mark.material
def test_a_real_detector_takes_the_drawn_people_for_people(
    drawn_cameras: Path, material: Path
) -> None:
    """YOLOX-nano finds at least 95 % of those in full view and 70 px or taller in the example's
    cameras, after H.264, looked at twice a second.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(
        str(material / "models" / "yolox_nano_416.onnx"), options
    )
    asked = found = 0
    shown = list(clips(drawn_cameras / "cameras"))
    assert {config.scene for _, config in shown} == set(SCENES)
    for clip, _ in shown:
        looks = zip(pictures(clip), truth_of(clip), strict=True)
        for picture, line in islice(looks, 0, None, 5):
            wanted = [
                box
                for box, label, visible, whole in zip(
                    line["boxes"], line["labels"], line["visible"], line["whole"], strict=True
                )
                if label == "person" and visible >= 0.95 and whole and box[3] - box[1] >= 70
            ]
            boxes = _people(session, picture) if wanted else np.zeros((0, 4))
            asked += len(wanted)
            found += sum(bool((_overlap(box, boxes) >= 0.5).any()) for box in wanted)
    assert asked > 150
    assert found / asked >= 0.95
