"""Camera `vapix`: a camera whose streams have the addresses of Axis's VAPIX.

The camera makes each stream as it is asked to, so that pictures to be looked at are small and those
to be kept are large: `rtsp://HOST/axis-media/media.amp?resolution=640x360&fps=5&…`.
"""

from __future__ import annotations

import asyncio
import re
from typing import Literal
from urllib.parse import urlencode

from pydantic import Field, field_validator

from hub import (
    Block,
    Context,
    Driver,
    NotReady,
    PictureSize,
    Probed,
    Purpose,
    VideoSource,
    hookimpl,
    size_words,
)

__version__ = "0.1.0"

LIMIT = 5.0  # seconds to connect and be answered
LONGEST = 4096  # octets of an answer
QUESTION = "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: vestibule-vapix\r\n\r\n"


class Stream(Block):
    """What is asked of the camera for one purpose."""

    size: PictureSize = Field(description="The size of its pictures; one that the camera offers.")
    fps: int = Field(ge=1, le=60, description="Pictures per second.")


class VapixConfig(Block):
    """The camera, who signs in there, and what is asked for each purpose."""

    host: str = Field(min_length=1, description="The camera's name or address.")
    port: int = Field(554, ge=1, le=65535, description="Its RTSP port.")
    username: str | None = Field(None, description="Who signs in there.")
    password: str | None = Field(None, repr=False, description="Best as `!secret NAME`.")
    view: int = Field(1, ge=1, le=16, description="The camera's view, where it has several.")
    codec: Literal["h264", "h265"] = Field("h264", description="How the pictures are packed.")
    analysis: Stream = Field(
        Stream(size=(640, 360), fps=5), description="The pictures that a detector looks at."
    )
    record: Stream = Field(
        Stream(size=(1920, 1080), fps=15), description="The pictures that are kept."
    )
    live: Stream = Field(
        Stream(size=(1280, 720), fps=15), description="The pictures that people watch."
    )

    @field_validator("host")
    @classmethod
    def a_name_or_address(cls, host: str) -> str:
        """A host alone; the message never repeats what was given, since it may hold a password."""
        if not re.fullmatch(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+\]?", host):
            raise ValueError("expected a name or address alone, such as 192.0.2.7")
        return host.strip("[]")


class VapixCamera:
    """One camera."""

    def __init__(self, config: VapixConfig, context: Context) -> None:
        self._config = config
        self._streams: dict[Purpose, Stream] = {
            "analysis": config.analysis,
            "record": config.record,
            "live": config.live,
        }
        host = f"[{config.host}]" if ":" in config.host else config.host
        self._address = f"{host}:{config.port}"

    async def start(self) -> None:
        """Ask the camera whether it speaks RTSP; raises `NotReady` with the reason if not."""
        await self._asked()

    async def source(self, purpose: Purpose) -> VideoSource:
        """The address of the stream that is made for this purpose."""
        stream = self._streams[purpose]
        wanted = {
            "camera": self._config.view,
            "videocodec": self._config.codec,
            "resolution": size_words(stream.size),
            "fps": stream.fps,
        }
        return VideoSource(
            url=f"rtsp://{self._address}/axis-media/media.amp?{urlencode(wanted)}",
            transport="tcp",
            username=self._config.username,
            password=self._config.password,
        )

    async def probe(self) -> Probed:
        """Whether the camera speaks RTSP; who signs in is tried with the video."""
        return Probed(f"{self._address} speaks RTSP ({await self._asked()})")

    async def close(self) -> None:
        """Nothing is held open."""

    async def _asked(self) -> str:
        """The status with which the camera answers OPTIONS; 401 tells that it is there, too."""
        where = f"the camera at {self._address}"
        try:
            async with asyncio.timeout(LIMIT):
                answer = await self._exchange()
        except TimeoutError:
            raise NotReady(f"{where} does not answer within {LIMIT:g} s") from None
        except ConnectionRefusedError:
            raise NotReady(f"{where} is not reached: nothing listens there") from None
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "its answer is no line"
            raise NotReady(f"{where} is not reached: {why}") from error
        status = re.match(rb"RTSP/1\.\d (\d{3}) ([ -~]{0,40})", answer)
        if status is None:
            raise NotReady(f"{where} answers, but not as RTSP; is {self._config.port} its port?")
        return b" ".join(status.groups()).decode("ascii").strip()

    async def _exchange(self) -> bytes:
        reader, writer = await asyncio.open_connection(
            self._config.host, self._config.port, limit=LONGEST
        )
        try:
            writer.write(QUESTION.encode("ascii"))
            await writer.drain()
            return await reader.readline()
        finally:
            writer.transport.abort()


@hookimpl
def vestibule_cameras() -> list[Driver]:
    """Announce the driver."""
    return [
        Driver("vapix", VapixCamera, VapixConfig, "A camera with the addresses of Axis's VAPIX")
    ]
