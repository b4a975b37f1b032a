"""Camera `sample`: plays the newest clip of a folder, over and over."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pydantic import Field

from hub import Block, Context, Driver, NotReady, Purpose, VideoSource, hookimpl

__version__ = "0.1.0"


class SampleConfig(Block):
    """The keys of a block."""

    # Change this (1 of 3): what somebody may set in the configuration.
    folder: Path = Field(
        Path("clips"), description="The folder with the clips, relative to the configuration."
    )


class SampleCamera:
    """One folder of clips."""

    def __init__(self, config: SampleConfig, context: Context) -> None:
        self._folder = context.config_folder / config.folder

    async def start(self) -> None:
        """Find out whether there is anything to play."""
        # Change this (2 of 3): reach the camera. With NotReady the hub tries again later.
        await asyncio.to_thread(self._newest)

    async def source(self, purpose: Purpose) -> VideoSource:
        """The newest clip, for every purpose."""
        # Change this (3 of 3): where the video is: a file, or rtsp:// with transport="tcp".
        newest = await asyncio.to_thread(self._newest)
        return VideoSource(url=str(newest), transport="file", loop=True)

    async def close(self) -> None:
        """Nothing is held open."""

    def _newest(self) -> Path:
        try:
            clips = {clip.stat().st_mtime_ns: clip for clip in self._folder.glob("*.mp4")}
        except OSError as error:
            raise NotReady(f"cannot read {self._folder}: {error.strerror}") from error
        if not clips:
            raise NotReady(f"there is no clip (*.mp4) in {self._folder}")
        return clips[max(clips)]


@hookimpl
def vestibule_cameras() -> list[Driver]:
    """Announce the driver."""
    return [Driver("sample", SampleCamera, SampleConfig, "Plays the newest clip of a folder")]
