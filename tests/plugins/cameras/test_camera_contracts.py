"""Every built-in camera keeps the contract; the RTSP one with GStreamer's server behind it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hub.testing import CANARY, CabledDevice, CameraContract, Device
from plugins.cameras import file, rtsp, simulated

PEER = Path(__file__).with_name("rtsp_peer.py")


class Clip(Device):
    """A clip on a disk that can be unmounted."""

    async def start(self) -> None:
        self._clip = self.folder / "clip.mp4"
        self._clip.write_bytes(b"the hub opens it, not the driver")
        self.settings = {"path": "clip.mp4"}

    async def vanish(self) -> None:
        self._clip.rename(self.folder / "unmounted.mp4")

    async def come_back(self) -> None:
        aside = self.folder / "unmounted.mp4"
        if aside.exists():
            aside.rename(self._clip)


class RtspServer(CabledDevice):
    """GStreamer's server, asking for a password."""

    async def serve(self) -> int:
        self._process = subprocess.Popen(
            ["/usr/bin/python3", str(PEER), "guard", CANARY], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    async def start(self) -> None:
        await super().start()
        self.settings = {"url": f"rtsp://guard:{CANARY}@127.0.0.1:{self.port}/ball"}

    async def end(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


class TestFile(CameraContract):
    driver = file.vestibule_cameras()[0]
    device = Clip
    alone = True


@pytest.mark.rtsp
class TestRtsp(CameraContract):
    driver = rtsp.vestibule_cameras()[0]
    device = RtspServer


class TestSimulated(CameraContract):
    driver = simulated.vestibule_cameras()[0]
    config = {"scene": "corridor", "size": "320x180", "stream_fps": 2}
    recovers = 60.0
    alone = True
