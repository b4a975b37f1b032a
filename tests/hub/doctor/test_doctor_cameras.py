"""Cameras: opened, read and decoded for real; each way to fail has its own words and remedy."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from hub.doctor import cameras
from hub.doctor.finding import Finding
from hub.perception import ffmpeg
from tests.hub.doctor.examined_school import School, by_subject, clip

PEER = Path(__file__).parents[2] / "plugins" / "cameras" / "rtsp_peer.py"
USER, PASSWORD = "viewer", "p@ss/w:rd-canary"


@pytest.fixture(scope="module")
def guarded() -> Iterator[int]:
    """The port of a camera that asks for a password."""
    process = subprocess.Popen(
        ["/usr/bin/python3", str(PEER), USER, PASSWORD], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    yield int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()


def without_key_frames(whole: Path, file: Path) -> Path:
    """The same clip with every key frame left out."""
    with av.open(str(whole)) as source, av.open(str(file), "w", format="mpegts") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size and not packet.is_keyframe:
                packet.stream = stream
                output.mux(packet)
    return file


async def look(school: School, limit: float = 10.0, **blocks: dict[str, Any]) -> dict[str, Finding]:
    """The findings on these cameras."""
    base = {"place": "site", "driver": "rtsp"}
    school.write(cameras={name: {**base, **block} for name, block in blocks.items()})
    return by_subject(await school.look(cameras.probes, limit=limit))


@pytest.mark.rtsp
async def test_a_camera_answers_with_what_it_sends(school: School, guarded: int) -> None:
    """Size, codec, pictures a second and the time to the first picture, over both transports."""
    url = f"rtsp://127.0.0.1:{guarded}/ball"
    block = {"url": url, "username": USER, "password": PASSWORD}
    findings = await look(school, tcp=block, udp={**block, "transport": "udp"})
    for finding in findings.values():
        assert finding.state == "ok", finding
        assert "320x240 H.264, 10 pictures a second, first picture after" in finding.found


@pytest.mark.rtsp
async def test_wrong_password_wrong_path_and_no_password_are_told_apart(
    school: School, guarded: int
) -> None:
    """Each is bad with the remedy for just that, and no text holds a password."""
    url = f"rtsp://127.0.0.1:{guarded}/ball"
    findings = await look(
        school,
        wrong={"url": url, "username": USER, "password": "wrong-canary"},
        none={"url": url},
        path={"url": url + "x", "username": USER, "password": PASSWORD},
    )
    assert "refused the user name or password" in findings["wrong"].found
    assert "asks for a user name" in findings["none"].found
    assert "no stream of this name" in findings["path"].found
    assert "password" in findings["wrong"].remedy
    assert "path" in findings["path"].remedy
    assert {each.state for each in findings.values()} == {"bad"}
    assert "canary" not in str(findings)


async def test_a_closed_port_and_an_unknown_name_are_told_apart(
    school: School, free_port: int
) -> None:
    """What to correct is the port in one case and the name in the other."""
    findings = await look(
        school,
        closed={"url": f"rtsp://127.0.0.1:{free_port}/a"},
        unknown={"url": "rtsp://camera.invalid/a"},
    )
    assert f"nothing listens at port {free_port}" in findings["closed"].found
    assert "RTSP is switched on" in findings["closed"].remedy
    assert "no machine is called camera.invalid" in findings["unknown"].found
    assert "name" in findings["unknown"].remedy


async def test_a_camera_that_hangs_delays_no_other(school: School, silent: int) -> None:
    """A server that takes the connection and says nothing costs its own deadline and no more."""
    clip(school.folder / "clip.mp4")
    began = time.monotonic()
    findings = await look(
        school,
        limit=6.0,
        hangs={"url": f"rtsp://127.0.0.1:{silent}/a"},
        plays={"driver": "file", "path": "clip.mp4"},
    )
    assert time.monotonic() - began < 30
    assert findings["hangs"].state == "bad"
    assert "no answer within" in findings["hangs"].found
    assert findings["plays"].state == "ok"
    assert findings["plays"].seconds < findings["hangs"].seconds


async def test_a_large_stream_is_a_warning(school: School) -> None:
    """More than 1280x720 costs decoding that nobody needs; exactly that much is fine."""
    clip(school.folder / "large.mp4", (1920, 1080))
    clip(school.folder / "enough.mp4", (1280, 720))
    findings = await look(
        school,
        large={"driver": "file", "path": "large.mp4"},
        enough={"driver": "file", "path": "enough.mp4"},
    )
    assert findings["large"].state == "warn"
    assert "1920x1080" in findings["large"].found
    assert "sub-stream" in findings["large"].remedy
    assert findings["enough"].state == "ok"


async def test_a_stream_without_key_frames_says_so(school: School) -> None:
    """Packets come and no picture can be made of them: the camera's interval is to be set."""
    whole = clip(school.folder / "whole.ts", container="mpegts")
    without_key_frames(whole, school.folder / "cut.ts")
    findings = await look(school, cut={"driver": "file", "path": "cut.ts"})
    assert findings["cut"].state == "bad"
    assert "no key frame" in findings["cut"].found
    assert "interval" in findings["cut"].remedy


async def test_a_missing_file_and_one_that_is_no_video(school: School) -> None:
    """A clip that is not there, and one that cannot be decoded."""
    (school.folder / "notes.mp4").write_text("these are notes, not pictures\n" * 50)
    findings = await look(
        school,
        missing={"driver": "file", "path": "nowhere.mp4"},
        notes={"driver": "file", "path": "notes.mp4"},
    )
    assert "there is no file" in findings["missing"].found
    assert "not video that can be read" in findings["notes"].found
    assert all(each.state == "bad" and each.remedy for each in findings.values())


async def test_a_simulated_camera_is_not_drawn_for_a_look(school: School) -> None:
    """Drawing is left to the running hub; nothing appears on the disk."""
    findings = await look(school, hall={"driver": "simulated", "scene": "corridor"})
    assert findings["hall"].state == "ok"
    assert "not drawn yet" in findings["hall"].found
    assert not school.state.exists()


async def test_a_camera_that_is_switched_off_is_left_alone(school: School, silent: int) -> None:
    """`enabled: false` is not probed."""
    block = {"url": f"rtsp://127.0.0.1:{silent}/a", "enabled": False}
    assert await look(school, off=block) == {}


VENDOR = """
import time
from hub import Block, Driver, NotReady, Probed, VideoSource, hookimpl

class Config(Block):
    says: str

class Camera:
    def __init__(self, config, context):
        self.says = config.says
        if self.says == "breaks":
            raise ZeroDivisionError("in the factory")
    async def probe(self):
        if self.says == "blocks":
            time.sleep(30)
        if self.says == "away":
            raise NotReady("the recorder is away")
        if self.says == "firmware":
            return Probed("model 7", "install its new firmware")
        return "model 7"
    async def start(self):
        pass
    async def source(self, purpose):
        return VideoSource(url=CLIP, transport="file")
    async def close(self):
        pass

@hookimpl
def vestibule_cameras():
    return [Driver("vendor", Camera, Config, "A vendor's camera")]
"""


async def test_a_vendors_probe_leads_what_the_video_says(school: School) -> None:
    """Words, warnings and errors of a driver from outside; one that blocks delays nobody."""
    file = clip(school.folder / "clip.mp4")
    (school.folder / "my_plugins").mkdir()
    plugin = VENDOR.replace("CLIP", repr(str(file)))
    (school.folder / "my_plugins" / "vendor.py").write_text(plugin)
    says = ("fine", "firmware", "away", "breaks", "blocks")
    began = time.monotonic()
    findings = await look(
        school, limit=4.0, **{each: {"driver": "vendor", "says": each} for each in says}
    )
    assert time.monotonic() - began < 30
    assert findings["fine"].state == "ok"
    assert findings["fine"].found.startswith("model 7; 320x240 H.264")
    assert (findings["firmware"].state, findings["firmware"].remedy) == (
        "warn",
        "install its new firmware",
    )
    assert (findings["away"].state, findings["away"].found) == ("bad", "the recorder is away")
    assert "the driver vendor failed: ZeroDivisionError" in findings["breaks"].found
    assert "no answer within" in findings["blocks"].found
    assert "Traceback" not in str(findings)


@pytest.mark.ffmpeg
async def test_a_camera_that_the_command_decodes_says_on_what(
    school: School, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fine where it works; where the hardware is missing it says so, and that pictures come."""
    monkeypatch.setattr(ffmpeg, "DEVICES", tmp_path / "dri")
    file = {"driver": "file", "path": str(clip(tmp_path / "a.mp4")), "decoder": "ffmpeg"}
    findings = await look(school, plain={**file, "hardware": "none"}, chip=file)
    assert findings["plain"].state == "ok"
    assert "ffmpeg decodes (none)" in findings["plain"].found
    assert findings["chip"].state == "warn"
    assert "no graphics device" in findings["chip"].found
    assert "built-in decoder stands in" in findings["chip"].found
    assert "decoder: ffmpeg" in findings["chip"].remedy
