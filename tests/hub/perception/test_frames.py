"""Frames and decoding: luma without copies, colour only where asked, damage counted."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray

from hub.perception import colour
from hub.perception.decode import Clip, NotAVideo, clip_frames, frame_from_av
from hub.perception.frames import Frame
from tests.clips import encoded

SIZE = (96, 64)


def scene(number: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """A smooth colour ramp with a square that moves, so that coding loses little."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack([x * 200 // width + 20, y * 200 // height + 20, 120 + 0 * x], axis=2)
    image[16:40, 4 * number : 4 * number + 24] = (30, 200, 60)
    return image.astype(np.uint8)


def encode(path: Path, frames: int = 12, size: tuple[int, int] = SIZE, **options: str) -> Path:
    """An H.264 clip of the scene at 10 frames a second."""
    pictures = (scene(number, size) for number in range(frames))
    return encoded(path, pictures, 10, **({"crf": "8"} | options))


def framed(pixel_format: str, size: tuple[int, int] = SIZE) -> tuple[Frame, NDArray[np.uint8]]:
    """A frame in that format, and its whole picture as FFmpeg itself makes BGR of it."""
    picture = av.VideoFrame.from_ndarray(scene(3, size), format="rgb24")
    picture = picture.reformat(format=pixel_format)
    return frame_from_av(picture, 0.5, 7), picture.to_ndarray(format="bgr24")


def test_a_clip_gives_every_frame_with_index_time_and_size(tmp_path: Path) -> None:
    """Frames come in order, numbered from 0, on the clip's own time."""
    frames = list(clip_frames(encode(tmp_path / "clip.mp4")))
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.time for frame in frames] == pytest.approx([i / 10 for i in range(12)])
    assert {frame.size for frame in frames} == {SIZE}


def test_luma_is_a_view_on_the_decoders_plane(tmp_path: Path) -> None:
    """Luma has the picture's shape and shares memory with the decoder: nothing was copied."""
    path = encode(tmp_path / "clip.mp4", size=(90, 62))
    frame = next(clip_frames(path))
    assert frame.luma.shape == (62, 90)
    assert not frame.luma.flags.owndata
    assert frame.luma.strides[0] >= 90
    plane = np.frombuffer(frame._picture.planes[0], np.uint8)
    assert np.shares_memory(frame.luma, plane)


def test_frames_stay_valid_after_the_decoder_moved_on(tmp_path: Path) -> None:
    """A frame that is kept shows the same picture after all the others were decoded."""
    frames = clip_frames(encode(tmp_path / "clip.mp4"))
    first = next(frames)
    before = first.luma.copy()
    assert len(list(frames)) == 11
    assert np.array_equal(first.luma, before)


@pytest.mark.parametrize(
    "pixel_format",
    [
        *("yuv420p", "yuvj420p", "nv12", "nv21", "yuv422p", "yuv444p", "yuv411p", "yuvj440p"),
        *("yuv420p10le", "yuv422p10le", "yuv444p12le", "p010le", "gray", "gray10le", "yuyv422"),
        *("rgb24", "gbrp", "yuva420p"),
    ],
)
@pytest.mark.parametrize("size", [SIZE, (97, 63)], ids=["even", "odd"])
def test_a_crop_has_the_colours_of_the_picture(pixel_format: str, size: tuple[int, int]) -> None:
    """BGR of a crop is what FFmpeg makes of the same pixels, within coding error, and luma is their
    brightness.
    """
    frame, whole = framed(pixel_format, size)
    brightness = whole @ np.array((0.114, 0.587, 0.299))
    assert frame.luma.shape == brightness.shape
    assert np.corrcoef(frame.luma.ravel(), brightness.ravel())[0, 1] > 0.99
    for box in ((0, 0, *size), (11, 7, 58, 41)):
        x1, y1, x2, y2 = box
        crop = frame.crop(box)
        assert crop.shape == (y2 - y1, x2 - x1, 3)
        error = np.abs(crop.astype(int) - whole[y1:y2, x1:x2]).mean()
        assert error < 4.0, pixel_format


def test_a_crop_is_clipped_to_the_frame() -> None:
    """Boxes that reach outside give what is inside, and nothing where all of it is outside."""
    frame, _ = framed("yuv420p")
    assert frame.crop((-10, -10, 20, 20)).shape == (20, 20, 3)
    assert frame.crop((90, 60, 400, 400)).shape == (4, 6, 3)
    assert frame.crop((200, 0, 300, 50)).size == 0


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "yuv420p10le", "rgb24", "nv12"])
def test_a_luma_crop_is_the_brightness_of_the_colour_crop(pixel_format: str) -> None:
    """From 0 to 255 whatever the stream spans, clipped to the frame, and a copy to write into."""
    frame, whole = framed(pixel_format)
    box = (11, 7, 58, 41)
    luma = frame.luma_crop(box)
    assert luma.shape == (34, 47)
    expected = whole[7:41, 11:58] @ np.array((0.114, 0.587, 0.299))
    assert np.abs(luma - expected).mean() < 2.0
    assert frame.luma_crop((90, 60, 400, 400)).shape == (4, 6)
    assert frame.luma_crop((200, 0, 300, 50)).shape == (0, 0)
    before = frame.luma.copy()
    luma[:] = 114
    assert np.array_equal(frame.luma, before)


def test_the_compiled_spreading_and_its_twin_agree() -> None:
    """Numba and NumPy give the same bytes for every level, of a plane whose rows lie apart."""
    plane = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 48)[:, ::2]
    offset, gain, *_ = colour.Matrix(0.299, 0.114, False).coefficients()
    fast = colour._spreader()(plane, offset, gain)
    assert np.array_equal(fast, colour.spread_numpy(plane, offset, gain))
    assert fast.dtype == np.uint8
    assert (int(fast[0, 0]), int(fast[-1, -1])) == (0, 255)


@pytest.mark.parametrize("full_range", [True, False])
def test_the_compiled_conversion_and_its_twin_agree(full_range: bool) -> None:
    """Numba and NumPy give the same bytes for every level, at odd offsets too."""
    rng = np.random.default_rng(5)
    luma = rng.integers(0, 256, (33, 47), dtype=np.uint8)
    blue = rng.integers(0, 256, (20, 30), dtype=np.uint8)
    red = rng.integers(0, 256, (20, 30), dtype=np.uint8)
    weights = colour.Matrix(0.2126, 0.0722, full_range).coefficients()
    fast = colour._converter()(luma, blue, red, (3, 5, 1, 1), weights)
    slow = colour.convert_numpy(luma, blue, red, (3, 5, 1, 1), weights)
    assert np.array_equal(fast, slow)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "nv12", "yuv444p"])
def test_a_jpeg_shows_the_picture(pixel_format: str) -> None:
    """The JPEG decodes to the frame's size and colours, whatever the range and format."""
    frame, whole = framed(pixel_format)
    back = simplejpeg.decode_jpeg(frame.jpeg(90), "BGR")
    assert back.shape == whole.shape
    assert np.abs(back.astype(int) - whole).mean() < 6.0


def test_a_jpeg_of_an_odd_size_has_that_size() -> None:
    """Sizes that chroma does not divide evenly still give the whole picture."""
    frame, _ = framed("yuv420p", (95, 63))
    assert simplejpeg.decode_jpeg(frame.jpeg(), "BGR").shape == (63, 95, 3)


def test_damaged_frames_are_counted_and_skipped(tmp_path: Path) -> None:
    """A clip with broken packets still gives its sound frames, and says how many were not."""
    path = encode(tmp_path / "clip.mp4", frames=40, g="10", bf="0")
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + len(data) // 3
    for place in range(start, start + 400, 7):
        data[place] ^= 0xFF
    path.write_bytes(bytes(data))
    with Clip(path) as clip:
        frames = list(clip)
        assert 0 < len(frames) < 40
        assert clip.counts.damaged > 0
        assert [f.index for f in frames] == sorted({f.index for f in frames})


@pytest.mark.parametrize("content", [None, b"", b"not a video at all" * 50])
def test_what_is_no_video_is_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    """A missing, empty or foreign file raises an error that names it."""
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NotAVideo, match=r"clip\.mp4"):
        Clip(path)


def test_a_file_without_video_is_refused(tmp_path: Path) -> None:
    """Sound alone is not a clip."""
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(
            np.zeros((1, 4096), np.float32), format="fltp", layout="mono"
        )
        sound.sample_rate = 44100
        file.mux(stream.encode(sound))
        file.mux(stream.encode())
    with pytest.raises(NotAVideo, match="no video"):
        Clip(path)
