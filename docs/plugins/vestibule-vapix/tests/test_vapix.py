"""The driver `vapix`: what every camera promises, and what this one does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError
from vestibule_vapix import VapixConfig, vestibule_cameras

from hub import NotReady, Purpose, VideoSource
from hub.testing import CabledDevice, CameraContract, Trial


class Camera(CabledDevice):
    """The RTSP port of a camera: it answers OPTIONS, and refuses who does not sign in."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.status = "200 OK"
        self.asked: list[str] = []

    async def serve(self) -> int:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Say where the near end of the line is."""
        await super().start()
        self.settings = {"host": "127.0.0.1", "port": self.port}

    async def end(self) -> None:
        """Listen no more."""
        self._server.close()
        await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        except asyncio.IncompleteReadError:
            writer.close()
            return
        self.asked.append(asked)
        number = asked.partition("CSeq: ")[2].partition("\r\n")[0]
        public = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"
        head = f"RTSP/1.0 {self.status}\r\nCSeq: {number}\r\nPublic: {public}\r\n\r\n"
        writer.write(head.encode("ascii"))
        await writer.drain()
        writer.close()


class TestVapix(CameraContract):
    """The promises of a camera."""

    driver = vestibule_cameras()[0]
    config = {"username": "viewer", "password": "not the real one"}
    device = Camera

    @pytest.mark.parametrize(
        ("purpose", "resolution", "fps"),
        [("analysis", "640x360", "5"), ("record", "2560x1440", "12"), ("live", "1280x720", "15")],
    )
    def test_each_purpose_has_its_size_and_speed(
        self, purpose: Purpose, resolution: str, fps: str
    ) -> None:
        """The address asks for the size and speed that the block gives this purpose."""

        async def scenario(trial: Trial) -> None:
            record = {"size": "2560x1440", "fps": 12}
            found: VideoSource = await trial.build(record=record, view=2).source(purpose)
            address = urlsplit(found.url)
            assert (address.scheme, address.path) == ("rtsp", "/axis-media/media.amp")
            assert address.netloc == f"127.0.0.1:{trial.device.settings['port']}"
            assert parse_qs(address.query) == {
                "camera": ["2"],
                "videocodec": ["h264"],
                "resolution": [resolution],
                "fps": [fps],
            }
            assert (found.username, found.password) == ("viewer", "not the real one")

        self.run(scenario)

    def test_start_asks_the_camera_and_gives_no_password(self) -> None:
        """One OPTIONS reaches the camera; one that wants a sign-in first is there, too."""

        async def scenario(trial: Trial) -> None:
            camera = trial.device
            assert isinstance(camera, Camera)
            await trial.build().start()
            camera.status = "401 Unauthorized"
            found = await trial.build().probe()
            assert found.found.endswith("speaks RTSP (401 Unauthorized)")
            assert len(camera.asked) == 2
            assert all(each.startswith("OPTIONS * RTSP/1.0\r\n") for each in camera.asked)
            assert not any("viewer" in each for each in camera.asked)

        self.run(scenario)

    def test_what_is_wrong_is_said(self) -> None:
        """A port where nothing listens and one that speaks otherwise are told apart."""

        async def scenario(trial: Trial) -> None:
            await trial.device.vanish()
            with pytest.raises(NotReady, match="nothing listens there"):
                await trial.build().start()
            await trial.device.come_back()
            await trial.device.speak_nonsense()
            with pytest.raises(NotReady, match=r"answers, but not as RTSP; is [0-9]+ its port"):
                await trial.build().start()

        self.run(scenario)

    def test_an_address_with_a_password_in_it_is_refused_without_repeating_it(self) -> None:
        """The host is a host alone, and the message shows nothing of what was given."""
        for host in ("viewer:hidden@192.0.2.7", "192.0.2.7/axis-media", "rtsp://192.0.2.7"):
            with pytest.raises(ValidationError, match="a name or address alone") as wrong:
                VapixConfig(host=host)
            assert "hidden" not in str(wrong.value)

    def test_an_address_of_ip_version_6_stands_in_brackets(self) -> None:
        """The address of the stream has brackets, whether the block has them or not."""

        async def scenario(trial: Trial) -> None:
            for host in ("2001:db8::7", "[2001:db8::7]"):
                found = await trial.build(host=host, port=554).source("live")
                assert found.url.startswith("rtsp://[2001:db8::7]:554/axis-media/")

        self.run(scenario)
